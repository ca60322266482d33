"""The signed key list: who takes part, with which keys, and who masks with whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fedrec.privacy.secure.errors import MessageError, Refused
from fedrec.privacy.secure.graph import Graph, neighbours
from fedrec.privacy.secure.keys import verify
from fedrec.privacy.secure.messages import KEYS, KEYS_MESSAGE, Kind, Message, decode, digest, table
from fedrec.privacy.secure.policy import Plan


@dataclass(frozen=True)
class PublicKeys:
    """What a client publishes for one round: two X25519 keys, and the hash that its self-mask seed must have."""

    mask: bytes
    share: bytes
    commitment: bytes


@dataclass(frozen=True, repr=False)
class Cohort:
    """The clients of one round; ``session`` is the hash that goes into every key from here on."""

    keys: dict[int, PublicKeys]
    session: bytes
    graph: Graph

    def holders(self, client: int) -> tuple[int, ...]:
        """Return who holds shares of the client's secrets: itself and its neighbours, ascending."""
        return tuple(sorted((*self.graph[client], client)))


def read_keys(message: Message, plan: Plan, roster: Sequence[bytes]) -> PublicKeys:
    """Check a KEYS message: of this round, of a pinned member, signed by it."""
    body = message.body
    if message.kind != Kind.KEYS or message.session != plan.session:
        raise MessageError("session", f"keys of another round, from client {message.sender}")
    if message.sender >= len(roster) or len(body) != KEYS:
        raise MessageError("keys", f"client {message.sender} is no member, or sent {len(body)} bytes instead of {KEYS}")
    if not verify(roster[message.sender], message.signature, message.signed):
        raise MessageError("signature", f"the keys of client {message.sender} are not signed by its pinned identity")
    return PublicKeys(bytes(body[:32]), bytes(body[32:64]), bytes(body[64:]))


def make_cohort(plan: Plan, keys: dict[int, PublicKeys], body: bytes | memoryview) -> Cohort:
    """Return the cohort of a key list, given as its body and as the keys read from it."""
    session = digest("cohort", plan.session, body)
    return Cohort(keys, session, neighbours(keys, plan.degree, session))


@dataclass(frozen=True, repr=False)
class KeyList:
    """A checked KEY_LIST: the cohort, and the whole message of each client in it."""

    cohort: Cohort
    messages: dict[int, bytes]


def check_key_list(body: memoryview, plan: Plan, roster: Sequence[bytes]) -> KeyList:
    """Read KEY_LIST: every entry signed, no key twice, enough of them. It is the same for every client."""
    keys: dict[int, PublicKeys] = {}
    messages: dict[int, bytes] = {}
    last = -1
    for row in table(body, KEYS_MESSAGE, "KEY_LIST"):
        message = decode(row)
        try:
            entry = read_keys(message, plan, roster)
        except MessageError as error:
            raise Refused("keys", f"the key list holds what it must not: {error}") from None
        if message.sender <= last:
            raise Refused("keys", f"the key list names client {message.sender} twice or out of order")
        last = message.sender
        keys[last], messages[last] = entry, bytes(row)
    if len({k for entry in keys.values() for k in (entry.mask, entry.share)}) != 2 * len(keys):
        raise Refused("keys", "two entries of the key list share a key: one client would stand for two")
    if len(keys) < plan.survivors:
        raise Refused("cohort", f"{len(keys)} clients sent keys, the sum must be over {plan.survivors} at least")
    return KeyList(make_cohort(plan, keys, body), messages)


Check = Callable[[memoryview, Plan, Sequence[bytes]], KeyList]


def read_key_list(
    body: memoryview, plan: Plan, roster: Sequence[bytes], own: bytes, client: int, check: Check = check_key_list
) -> Cohort:
    """Read KEY_LIST as ``client``, whose KEYS message was ``own``: nobody missing, itself least of all."""
    found = check(body, plan, roster)
    if found.messages.get(client) != own:
        raise Refused("keys", f"the key list does not hold the keys that this client ({client}) sent")
    return found.cohort


class CheckOnce:
    """Checks of key lists for clients of one process: what is public and the same for all is read once a round."""

    def __init__(self) -> None:
        self._last: tuple[bytes, bytes, KeyList] | None = None

    def __call__(self, body: memoryview, plan: Plan, roster: Sequence[bytes]) -> KeyList:
        """See check_key_list; a list that was refused is checked again for each client."""
        whole = bytes(body)
        if self._last is None or self._last[:2] != (whole, plan.body()):
            self._last = whole, plan.body(), check_key_list(body, plan, roster)
        return self._last[2]
