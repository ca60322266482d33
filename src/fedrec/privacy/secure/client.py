"""The client of a secure sum: bytes in, bytes out; no clock, no socket, no thread.

    ANNOUNCE -> KEYS, KEY_LIST -> SHARES, INBOX -> MASKED, SURVIVORS -> ECHO, ECHOES -> UNMASK

It trusts nobody but the pinned identities. A message that is malformed, of another round or out of turn raises
MessageError and changes nothing; a lie raises Refused, and the client drops its secrets and answers no more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ContractError
from fedrec.privacy.secure import shamir
from fedrec.privacy.secure.cohort import Check, Cohort, check_key_list, read_key_list
from fedrec.privacy.secure.errors import MessageError, Refused
from fedrec.privacy.secure.keys import Identity, KeyPair, Random, derive, seal, unseal, verify
from fedrec.privacy.secure.masks import Ring, add_mask, ring_type, sign_of
from fedrec.privacy.secure.messages import (
    ECHO_MESSAGE,
    ENVELOPE,
    HEADER,
    PAIR_SHARE,
    REVEAL,
    SELF_SHARE,
    SERVER,
    SHARE,
    Bytes,
    Kind,
    decode,
    digest,
    header,
    pack_rows,
    rows,
    table,
    unpack_lists,
)
from fedrec.privacy.secure.policy import Expected, Plan, RoundMemory, check_plan, read_plan

_ANSWERS = (Kind.ANNOUNCE, Kind.KEY_LIST, Kind.INBOX, Kind.SURVIVORS, Kind.ECHOES)


class SecureSumClient:
    """One client in one round.

    ``roster``: the pinned Ed25519 public keys of the members, in order; ``expected``: what this client knows of the
    round; ``memory``: the rounds it took part in; ``vector``: its integers, (length,) of the ring's width, any sign, or
    a function that returns them when they are to be masked.
    """

    def __init__(
        self,
        identity: Identity,
        roster: Sequence[bytes],
        expected: Expected,
        memory: RoundMemory,
        vector: NDArray[Any] | Callable[[], NDArray[Any]],
        *,
        _random: Random = os.urandom,
        _check: Check = check_key_list,
    ) -> None:
        if identity.public not in roster:
            raise ContractError("this client's identity is not in the roster of the round: enrol it first")
        self.index = list(roster).index(identity.public)
        self._identity, self._roster, self._expected, self._memory = identity, list(roster), expected, memory
        self._vector: Ring | Callable[[], NDArray[Any]] | None
        self._vector = vector if callable(vector) else as_ring(vector, expected)
        self._random, self._check = _random, _check
        self._stage = 0
        self._session = b""
        self._plan: Plan
        self._cohort: Cohort
        self._forget()

    def __repr__(self) -> str:
        return f"SecureSumClient({self.index}, stage {self._stage})"

    def _forget(self) -> None:
        self._mask_key: KeyPair | None = None
        self._share_key: KeyPair | None = None
        self._seed = b""
        self._pairs: dict[int, bytes] = {}
        self._sent = b""
        self._held: dict[int, tuple[bytes, bytes]] = {}
        self._lists: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
        self._hash = b""

    @property
    def done(self) -> bool:
        """Whether the client has answered the last message, or has refused."""
        return self._stage >= len(_ANSWERS)

    def receive(self, data: Bytes) -> bytes:
        """Take a message of the server and return the signed answer."""
        message = decode(data)
        if message.sender != SERVER or self.done or message.kind != _ANSWERS[self._stage]:
            raise MessageError("stage", f"{message.kind.name} is not what client {self.index} waits for now")
        if self._stage and message.session != self._session:
            raise MessageError("session", f"{message.kind.name} belongs to another round or key list")
        steps: tuple[Callable[[memoryview], bytes], ...] = (
            self._keys, self._shares, self._masked, self._echo, self._unmask,
        )  # fmt: skip
        try:
            if not self._stage and message.session != read_plan(message.body).session:
                raise MessageError("session", "ANNOUNCE does not carry the hash of its own plan")
            answer = steps[self._stage](message.body)
        except Refused:
            self._stage = len(_ANSWERS)
            self._vector = None
            self._forget()
            raise
        self._stage += 1
        if self.done:
            self._forget()
        return answer

    def _signed(self, kind: Kind, body: Bytes) -> bytes:
        message = header(kind, self._session, self.index, len(body)) + body
        return message + self._identity.sign(message)

    def _keys(self, body: memoryview) -> bytes:
        plan = read_plan(body)
        check_plan(plan, self._expected, self._roster)
        self._memory.claim(plan.round)
        self._plan, self._session = plan, plan.session
        self._mask_key, self._share_key = KeyPair(self._random(32)), KeyPair(self._random(32))
        self._seed = self._random(32)
        own = self._mask_key.public + self._share_key.public + commitment(self._seed, plan.session, self.index)
        self._sent = self._signed(Kind.KEYS, own)
        return self._sent

    def _shares(self, body: memoryview) -> bytes:
        cohort = read_key_list(body, self._plan, self._roster, self._sent, self.index, self._check)
        holders = cohort.holders(self.index)
        if len(holders) < self._plan.threshold:
            raise Refused("threshold", f"{len(holders)} clients would hold shares, {self._plan.threshold} are needed")
        assert self._mask_key is not None
        of_seed = shamir.split(self._seed, holders, self._plan.threshold, self._random)
        of_key = shamir.split(self._mask_key.secret, holders, self._plan.threshold, self._random)
        entries = []
        for peer in cohort.graph[self.index]:
            key = self._envelope_key(cohort, peer, self.index, peer)
            entries.append(ENVELOPE.pack(peer, seal(key, of_seed[peer] + of_key[peer], cohort.session)))
        self._pairs = {
            peer: pair_mask_key(agreed(self._mask_key, cohort.keys[peer].mask, peer), cohort.session, self.index, peer)
            for peer in cohort.graph[self.index]
        }
        self._mask_key = None  # from here on only its shares exist
        self._cohort, self._session = cohort, cohort.session
        self._held = {self.index: (of_seed[self.index], of_key[self.index])}
        return self._signed(Kind.SHARES, pack_rows(entries))

    def _envelope_key(self, cohort: Cohort, peer: int, sender: int, recipient: int) -> bytes:
        assert self._share_key is not None
        secret = agreed(self._share_key, cohort.keys[peer].share, peer)
        return derive(secret, cohort.session, "share", sender, recipient)

    def _masked(self, body: memoryview) -> bytes:
        held = dict(self._held)
        for peer, sealed in rows(body, ENVELOPE, "INBOX"):
            if peer not in self._cohort.graph[self.index]:
                raise Refused("share", f"shares of client {peer}, which is no neighbour of client {self.index}")
            plain = unseal(self._envelope_key(self._cohort, peer, peer, self.index), sealed, self._session)
            if plain is None or not (shamir.valid(plain[:SHARE]) and shamir.valid(plain[SHARE:])):
                raise Refused("share", f"the shares said to be of client {peer} were not sealed by it for this round")
            held[peer] = plain[:SHARE], plain[SHARE:]
        if len(held) < self._plan.threshold:
            raise Refused("threshold", f"{len(held)} clients hold shares, {self._plan.threshold} are needed")
        self._held = held
        return self._masked_vector()

    def _masked_vector(self) -> bytes:
        plan = self._plan
        size = plan.length * plan.bits // 8
        message = bytearray(HEADER.size + size)
        message[: HEADER.size] = header(Kind.MASKED, self._session, self.index, size)
        masked = np.frombuffer(message, ring_type(plan.bits), plan.length, HEADER.size)
        vector, self._vector = self._vector, None
        assert vector is not None
        masked[:] = as_ring(vector(), self._expected) if callable(vector) else vector
        add_mask(masked, self_mask_key(self._seed, self._session, self.index), 1)
        for peer in self._held.keys() - {self.index}:
            add_mask(masked, self._pairs[peer], sign_of(self.index, peer))
        self._pairs, self._seed = {}, b""
        return bytes(message) + self._identity.sign(message)

    def _echo(self, body: memoryview) -> bytes:
        survivors, dropped = unpack_lists(body, self._plan.members)
        check_lists(survivors, dropped, self.index, self._plan, self._cohort, frozenset(self._held))
        self._check_release(survivors)
        self._lists, self._hash = (survivors, dropped), digest("survivors", body)
        return self._signed(Kind.ECHO, self._hash)

    def _check_release(self, survivors: frozenset[int]) -> frozenset[bytes]:
        people = frozenset(self._roster[k] for k in survivors)
        if not self._expected.noise:
            self._memory.check_release(self._expected.released_as, people, self._expected.profile.apart)
        return people

    def _unmask(self, body: memoryview) -> bytes:
        vouching = {self.index}
        for row in table(body, ECHO_MESSAGE, "ECHOES"):
            message = decode(row)
            peer = message.sender
            if message.kind != Kind.ECHO or message.session != self._session or peer not in self._held:
                raise Refused("echo", f"an echo of client {peer} that is of another round, or no neighbour's")
            if not verify(self._roster[peer], message.signature, message.signed):
                raise Refused("echo", f"the echo of client {peer} is not signed by its pinned identity")
            if bytes(message.body) != self._hash:
                raise Refused("echo", f"client {peer} was told another list of survivors: the server tells two stories")
            vouching.add(peer)
        vouching &= self._lists[0]
        if len(vouching) < self._plan.threshold:
            raise Refused("echo", f"{len(vouching)} clients vouch for the survivors, {self._plan.threshold} are needed")
        people = self._check_release(self._lists[0])  # again: another round may have ended since the echo
        if not self._expected.noise:
            self._memory.release(self._expected.released_as, people)
        # one share a peer, never both: the lists do not overlap, and this answer is the only one
        entries = []
        for peer in sorted(self._held):
            kind = SELF_SHARE if peer in self._lists[0] else PAIR_SHARE
            entries.append(REVEAL.pack(peer, kind, self._held[peer][kind]))
        return self._signed(Kind.UNMASK, pack_rows(entries))


def as_ring(vector: NDArray[Any], expected: Expected) -> Ring:
    """Return a client's integers as elements of the ring, or refuse a vector of another shape or width."""
    if vector.shape != (expected.length,) or vector.dtype.kind not in "iu":
        raise ContractError(f"a vector {vector.dtype}{vector.shape}, expected integers ({expected.length},)")
    if vector.dtype.itemsize * 8 != expected.bits:
        raise ContractError(f"a vector of {vector.dtype}, expected integers of {expected.bits} bits")
    return vector.view(f"u{expected.bits // 8}")


def check_lists(
    survivors: frozenset[int], dropped: frozenset[int], client: int, plan: Plan, cohort: Cohort, held: frozenset[int]
) -> None:
    """Refuse lists of survivors and dropped clients under which somebody's vector could be laid open."""
    if survivors & dropped:
        raise Refused("overlap", f"clients {sorted(survivors & dropped)[:5]} are named survivors and dropped at once")
    if not (survivors | dropped) <= set(cohort.keys):
        raise Refused("lists", "the lists name clients that are not in the key list")
    if client not in survivors:
        raise Refused("lists", f"client {client} sent its vector but is not named among the survivors")
    if len(survivors) < plan.survivors:
        raise Refused("cohort", f"a sum over {len(survivors)} clients, {plan.survivors} is the least")
    around = set(cohort.holders(client))
    if not held <= survivors | dropped or not survivors & around <= held:
        raise Refused("lists", "the lists do not agree with the neighbours whose shares this client holds")
    if len(survivors & around) < plan.threshold:
        raise Refused("threshold", f"{len(survivors & around)} neighbours survive, {plan.threshold} are needed")


def agreed(own: KeyPair, public: bytes, peer: int) -> bytes:
    """Return the secret shared with a peer, or refuse a public key that would make it known to everybody."""
    secret = own.agree(public)
    if secret is None:
        raise Refused("keys", f"client {peer} published a key of small order")
    return secret


def commitment(seed: bytes, session: bytes, client: int) -> bytes:
    """Return the hash published with the keys, by which a wrong reconstruction of the seed is noticed."""
    return digest("seed", session, client.to_bytes(4, "little"), seed)


def self_mask_key(seed: bytes, session: bytes, client: int) -> bytes:
    """Return the key of a client's own mask."""
    return derive(seed, session, "self", client, client)


def pair_mask_key(secret: bytes, session: bytes, one: int, other: int) -> bytes:
    """Return the key of the mask that two neighbours share."""
    return derive(secret, session, "pair", min(one, other), max(one, other))
