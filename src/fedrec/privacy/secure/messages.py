"""The bytes on the wire: one fixed header, a body per kind, a signature behind what a client sends.

docs/protocol.md describes every field. The decoder works on views: it copies nothing and allocates nothing whose size
a message could choose, and raises nothing but MessageError.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Set
from dataclasses import dataclass
from enum import IntEnum

from fedrec.privacy.secure.errors import MessageError

MAGIC = b"FRSS"
VERSION = 1
SERVER = 0xFFFFFFFF
MAX_CLIENTS = 65_535  # counts in a list take two bytes
MAX_LENGTH = 2**28
SIGNATURE = 64
SHARE = 33  # one element of the prime field, big endian
SEALED = 2 * SHARE + 16  # two shares and the AEAD's tag
HEADER = struct.Struct("<4sBBH32sII")
PLAN = struct.Struct("<Q32sBBHIHHII32s")
KEYS = 96
KEYS_MESSAGE = HEADER.size + KEYS + SIGNATURE
ECHO_MESSAGE = HEADER.size + 32 + SIGNATURE
ENVELOPE = struct.Struct(f"<I{SEALED}s")
REVEAL = struct.Struct(f"<IB{SHARE}s")
SELF_SHARE, PAIR_SHARE = 0, 1

Bytes = bytes | bytearray | memoryview


class Kind(IntEnum):
    """The kinds of messages, in the order of a round; odd numbers come from the server."""

    ANNOUNCE = 1
    KEYS = 2
    KEY_LIST = 3
    SHARES = 4
    INBOX = 5
    MASKED = 6
    SURVIVORS = 7
    ECHO = 8
    ECHOES = 9
    UNMASK = 10


@dataclass(frozen=True, repr=False)
class Message:
    """A decoded message: views into the bytes that arrived, nothing verified yet but their form."""

    kind: Kind
    session: bytes
    sender: int
    body: memoryview
    signed: memoryview
    signature: bytes

    def __repr__(self) -> str:
        return f"Message({self.kind.name}, sender={self.sender}, body of {len(self.body)} bytes)"


def decode(data: Bytes) -> Message:
    """Take a message apart after checking its header and that its length is exactly what the header says."""
    view = memoryview(data).toreadonly().cast("B")
    if len(view) < HEADER.size:
        raise MessageError("size", f"got {len(view)} bytes, a message has at least {HEADER.size}: was it cut off?")
    magic, version, kind, reserved, session, sender, length = HEADER.unpack_from(view)
    if magic != MAGIC:
        raise MessageError("magic", "these bytes do not start with FRSS, so they are no secure-sum message")
    if version != VERSION:
        raise MessageError("version", f"got protocol version {version}, this program speaks {VERSION}: update one")
    if kind not in Kind._value2member_map_ or reserved:
        raise MessageError("kind", f"unknown kind of message {kind} (reserved field {reserved})")
    from_server = kind % 2 == 1
    if from_server != (sender == SERVER) or (not from_server and sender >= MAX_CLIENTS):
        raise MessageError("sender", f"a message {Kind(kind).name} cannot come from sender {sender}")
    end = HEADER.size + length
    if len(view) != end + (0 if from_server else SIGNATURE):
        raise MessageError("size", f"the header announces a body of {length} bytes, the message has {len(view)} in all")
    return Message(Kind(kind), session, sender, view[HEADER.size : end], view[:end], bytes(view[end:]))


def header(kind: Kind, session: bytes, sender: int, length: int) -> bytes:
    """Return the 48 bytes before a body of ``length`` bytes."""
    return HEADER.pack(MAGIC, VERSION, kind, 0, session, sender, length)


def from_server(kind: Kind, session: bytes, body: bytes) -> bytes:
    """Return a message of the server."""
    return header(kind, session, SERVER, len(body)) + body


def digest(purpose: str, *parts: Bytes) -> bytes:
    """Return SHA-256 over the purpose, with the protocol's version, and the parts."""
    h = hashlib.sha256(f"fedrec secure sum v{VERSION} {purpose}\0".encode())
    for part in parts:
        h.update(part)
    return h.digest()


def rows(body: memoryview, layout: struct.Struct, what: str) -> Iterator[tuple[int, bytes]]:
    """Iterate over (client, rest) rows behind a 2-byte count; sizes agree and clients ascend, or MessageError."""
    last = -1
    for row in table(body, layout.size, what):
        client = int.from_bytes(row[:4], "little")
        if client <= last or client >= MAX_CLIENTS:
            raise MessageError("order", f"{what}: client {client} after {last}, expected ascending numbers")
        last = client
        yield client, bytes(row[4:])


def table(body: memoryview, size: int, what: str) -> Iterator[memoryview]:
    """Iterate over the rows of ``size`` bytes behind a 2-byte count."""
    count = int.from_bytes(body[:2], "little") if len(body) >= 2 else -1
    if count < 0 or len(body) != 2 + count * size:
        raise MessageError("size", f"{what}: {len(body)} bytes do not hold {count} rows of {size}")
    return (body[2 + k * size : 2 + (k + 1) * size] for k in range(count))


def pack_rows(entries: list[bytes]) -> bytes:
    """Return rows behind their 2-byte count."""
    return len(entries).to_bytes(2, "little") + b"".join(entries)


def pack_lists(survivors: Set[int], dropped: Set[int], members: int) -> bytes:
    """Return the body of SURVIVORS: two bit maps over the roster, least significant bit first."""
    return b"".join(sum(1 << k for k in group).to_bytes((members + 7) // 8, "little") for group in (survivors, dropped))


def unpack_lists(body: memoryview, members: int) -> tuple[frozenset[int], frozenset[int]]:
    """Return (survivors, dropped); whether they may overlap is for the client to judge."""
    size = (members + 7) // 8
    if len(body) != 2 * size:
        raise MessageError("size", f"SURVIVORS: {len(body)} bytes, expected two maps of {size} for {members} members")
    maps = [int.from_bytes(body[:size], "little"), int.from_bytes(body[size:], "little")]
    if max(maps) >> members:
        raise MessageError("size", f"SURVIVORS names clients beyond the {members} of the roster")
    first, second = (frozenset(k for k in range(members) if bits >> k & 1) for bits in maps)
    return first, second


def vector_bytes(length: int, bits: int) -> int:
    """Return the size of the body of MASKED: ``length`` little-endian integers of ``bits`` bits."""
    return length * bits // 8
