"""The server of a secure sum: adds masked vectors as they come, and learns nothing but their sum.

The caller carries the messages and decides when a stage ends: ``receive`` for what arrives, ``advance`` for what to
send next. Memory is one vector, whatever the number of clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.privacy.secure import shamir
from fedrec.privacy.secure.client import commitment, pair_mask_key, self_mask_key
from fedrec.privacy.secure.cohort import Cohort, PublicKeys, make_cohort, read_keys
from fedrec.privacy.secure.errors import MessageError, RoundAborted
from fedrec.privacy.secure.keys import KeyPair, verify
from fedrec.privacy.secure.masks import add_mask, ring_type, sign_of
from fedrec.privacy.secure.messages import (
    ENVELOPE,
    PAIR_SHARE,
    REVEAL,
    SELF_SHARE,
    Bytes,
    Kind,
    Message,
    decode,
    digest,
    from_server,
    pack_lists,
    pack_rows,
    rows,
    vector_bytes,
)
from fedrec.privacy.secure.policy import Plan

_WAITS = (Kind.KEYS, Kind.SHARES, Kind.MASKED, Kind.ECHO, Kind.UNMASK)


class SecureSumServer:
    """One round; ``roster`` holds the members' Ed25519 public keys, in the order that the plan's hash covers."""

    def __init__(self, plan: Plan, roster: Sequence[bytes]) -> None:
        self.plan, self._roster = plan, list(roster)
        self._stage = 0
        self._session = plan.session
        self._asked: frozenset[int] = frozenset(range(plan.members))
        self._came: dict[int, Any] = {}
        self._keys: dict[int, PublicKeys] = {}
        self._known: set[bytes] = set()
        self._cohort: Cohort
        self._inbox: dict[int, list[bytes]] = {}
        self._sharing: frozenset[int] = frozenset()
        self._lists: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
        self._hash = b""
        self._sum = np.zeros(plan.length, ring_type(plan.bits))
        self._finished = False
        self.aborted: str | None = None

    def __repr__(self) -> str:
        return f"SecureSumServer(round {self.plan.round}, stage {self._stage}, {len(self._came)} answers)"

    @property
    def stage(self) -> str:
        """The kind of message that the server waits for, "done" or "aborted"."""
        if self.aborted is not None:
            return "aborted"
        return "done" if self._finished else _WAITS[self._stage].name

    @property
    def answers(self) -> int:
        """How many of the clients asked in this stage have answered."""
        return len(self._came)

    @property
    def asked(self) -> frozenset[int]:
        """The clients whose answer this stage waits for."""
        return self._asked

    @property
    def survivors(self) -> tuple[int, ...]:
        """The clients whose vectors are in the sum."""
        return tuple(sorted(self._lists[0]))

    def announce(self) -> bytes:
        """Return the first message, the same for every member."""
        return from_server(Kind.ANNOUNCE, self._session, self.plan.body())

    def receive(self, data: Bytes) -> int:
        """Take a client's message and return its number; a wrong one raises MessageError and changes nothing."""
        message = decode(data)
        if self.aborted is not None or self._finished or message.kind != _WAITS[self._stage]:
            raise MessageError("stage", f"{message.kind.name} came while the server is at {self.stage}")
        if message.session != self._session:
            raise MessageError("session", f"{message.kind.name} of client {message.sender} belongs to another round")
        if message.sender not in self._asked:
            raise MessageError("sender", f"client {message.sender} has no part in this stage: it dropped out before")
        if message.sender in self._came:
            raise MessageError("duplicate", f"{message.kind.name} of client {message.sender} came before")
        takes: tuple[Callable[[Message], Any], ...] = (
            self._take_keys, self._take_shares, self._take_masked, self._take_echo, self._take_unmask,
        )  # fmt: skip
        self._came[message.sender] = takes[self._stage](message)
        return message.sender

    def _authentic(self, message: Message) -> None:
        if not verify(self._roster[message.sender], message.signature, message.signed):
            raise MessageError("signature", f"{message.kind.name} is not signed by client {message.sender}")

    def _take_keys(self, message: Message) -> tuple[PublicKeys, bytes]:
        keys = read_keys(message, self.plan, self._roster)
        if keys.mask in self._known or keys.share in self._known or keys.mask == keys.share:
            raise MessageError("keys", f"client {message.sender} sent a key that another client sent")
        self._known |= {keys.mask, keys.share}
        return keys, bytes(message.signed) + message.signature

    def _take_shares(self, message: Message) -> list[tuple[int, bytes]]:
        if len(message.body) != 2 + len(self._cohort.graph[message.sender]) * ENVELOPE.size:
            raise MessageError("size", f"SHARES of client {message.sender} has {len(message.body)} bytes")
        self._authentic(message)
        entries = list(rows(message.body, ENVELOPE, "SHARES"))
        if tuple(peer for peer, _ in entries) != self._cohort.graph[message.sender]:
            raise MessageError("share", f"client {message.sender} sent shares to others than its neighbours")
        return entries

    def _take_masked(self, message: Message) -> None:
        size = vector_bytes(self.plan.length, self.plan.bits)
        if len(message.body) != size:
            raise MessageError("size", f"a vector of {len(message.body)} bytes, expected {size}")
        self._authentic(message)
        self._sum += np.frombuffer(message.body, self._sum.dtype)

    def _take_echo(self, message: Message) -> bytes:
        if len(message.body) != 32:
            raise MessageError("size", f"ECHO has a body of {len(message.body)} bytes, expected 32")
        self._authentic(message)
        if bytes(message.body) != self._hash:
            raise MessageError("echo", f"client {message.sender} echoes another list of survivors")
        return bytes(message.signed) + message.signature

    def _take_unmask(self, message: Message) -> dict[int, bytes]:
        wanted = self._held_by(message.sender)
        if len(message.body) != 2 + len(wanted) * REVEAL.size:
            raise MessageError("size", f"UNMASK of client {message.sender} has {len(message.body)} bytes")
        self._authentic(message)
        out: dict[int, bytes] = {}
        for peer, rest in rows(message.body, REVEAL, "UNMASK"):
            kind = SELF_SHARE if peer in self._lists[0] else PAIR_SHARE
            if peer not in wanted or rest[0] != kind or not shamir.valid(rest[1:]):
                raise MessageError("share", f"client {message.sender} revealed a share of {peer} nobody asked for")
            out[peer] = rest[1:]
        return out

    def _held_by(self, client: int) -> set[int]:
        return {peer for peer in self._cohort.holders(client) if peer in self._sharing}

    def advance(self) -> Mapping[int, bytes]:
        """End the stage with what has come, and return the next message for each client that goes on."""
        if self.aborted is not None or self._finished:
            raise RoundAborted("stage", f"the round is over: {self.aborted or 'its sum has been made'}")
        steps: tuple[Callable[[], dict[int, bytes]], ...] = (
            self._key_list, self._inboxes, self._survivor_lists, self._echoes, self._finish,
        )  # fmt: skip
        try:
            out = steps[self._stage]()
        except RoundAborted as reason:
            self.aborted = str(reason)
            self._came, self._inbox, self._sum = {}, {}, self._sum[:0]
            raise
        self._asked, self._came = frozenset(out), {}
        self._stage += 1
        return out

    def _enough(self, stage: str) -> None:
        if len(self._came) < self.plan.survivors:
            raise RoundAborted(
                "cohort", f"{len(self._came)} clients answered at stage {stage}, the sum must be over "
                f"{self.plan.survivors} at least: nothing was unmasked"
            )  # fmt: skip

    def _within(self, group: frozenset[int] | set[int], owners: frozenset[int], stage: str) -> None:
        for owner in owners:
            count = sum(k in group for k in self._cohort.holders(owner))
            if count < self.plan.threshold:
                raise RoundAborted(
                    "threshold", f"at stage {stage} {count} clients around client {owner} remain, "
                    f"{self.plan.threshold} are needed: nothing was unmasked"
                )  # fmt: skip

    def _key_list(self) -> dict[int, bytes]:
        self._enough("keys")
        order = sorted(self._came)
        self._keys = {k: self._came[k][0] for k in order}
        body = pack_rows([self._came[k][1] for k in order])
        self._cohort = make_cohort(self.plan, self._keys, body)
        self._within(frozenset(order), frozenset(order), "keys")
        message = from_server(Kind.KEY_LIST, self._session, body)
        self._session = self._cohort.session
        # clients know the new session only once they have read the list, so the list goes out under the old one
        return dict.fromkeys(order, message)

    def _inboxes(self) -> dict[int, bytes]:
        self._enough("shares")
        self._sharing = frozenset(self._came)
        self._within(self._sharing, self._sharing, "shares")
        boxes: dict[int, list[bytes]] = {k: [] for k in self._sharing}
        for sender in sorted(self._sharing):
            for peer, sealed in self._came[sender]:
                if peer in boxes:
                    boxes[peer].append(ENVELOPE.pack(sender, sealed))
        return {k: from_server(Kind.INBOX, self._session, pack_rows(box)) for k, box in boxes.items()}

    def _survivor_lists(self) -> dict[int, bytes]:
        self._enough("masked")
        survivors = frozenset(self._came)
        self._within(survivors, self._sharing, "masked")
        self._lists = survivors, self._sharing - survivors
        body = pack_lists(*self._lists, self.plan.members)
        self._hash = digest("survivors", body)
        return dict.fromkeys(sorted(survivors), from_server(Kind.SURVIVORS, self._session, body))

    def _echoes(self) -> dict[int, bytes]:
        came = self._came
        self._within(frozenset(came), self._sharing, "echo")
        return {
            k: from_server(Kind.ECHOES, self._session, pack_rows([came[j] for j in self._cohort.graph[k] if j in came]))
            for k in sorted(came)
        }

    def _finish(self) -> dict[int, bytes]:
        self._within(frozenset(self._came), self._sharing, "unmask")
        for owner in sorted(self._lists[0]):
            seed = self._recover(owner, self._is_seed)
            add_mask(self._sum, self_mask_key(seed, self._session, owner), -1)
        for owner in sorted(self._lists[1]):
            pair = KeyPair(self._recover(owner, self._is_mask_key))
            for peer in self._cohort.graph[owner]:
                if peer in self._lists[0]:
                    secret = pair.agree(self._keys[peer].mask)
                    assert secret is not None  # the peer agreed with this key itself, or it would have refused
                    add_mask(self._sum, pair_mask_key(secret, self._session, owner, peer), -sign_of(peer, owner))
        self._finished = True
        return {}

    def _is_seed(self, owner: int, seed: bytes) -> bool:
        return commitment(seed, self.plan.session, owner) == self._keys[owner].commitment

    def _is_mask_key(self, owner: int, secret: bytes) -> bool:
        return KeyPair(secret).public == self._keys[owner].mask

    def _recover(self, owner: int, right: Callable[[int, bytes], bool]) -> bytes:
        # windows around the circle of holders: one false share is survived when there is one more than needed
        holders = [k for k in self._cohort.holders(owner) if k in self._came]
        spare = len(holders) - self.plan.threshold
        for start in range(len(holders) if spare else 1):
            window = [holders[(start + k) % len(holders)] for k in range(self.plan.threshold)]
            secret = shamir.combine({k: self._came[k][owner] for k in window})
            if secret is not None and right(owner, secret):
                return secret
        raise RoundAborted("share", f"the shares of client {owner} do not give its secret back: one of them is false")

    def total(self) -> NDArray[Any]:
        """Return the sum modulo the ring over the survivors, as signed integers (length,)."""
        if not self._finished:
            raise RoundAborted("stage", f"there is no sum: {self.aborted or 'the round is at ' + self.stage}")
        return self._sum.view(f"<i{self.plan.bits // 8}")
