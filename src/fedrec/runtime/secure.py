"""A whole secure sum in one process: every message of every client and of the server, drop-outs included.

What a simulation shows with ``--secure-sum full``; it gives the integers that the plain sum gives (a test proves it),
at the price of every client's cryptography. The state machines are those of a deployment (fedrec.privacy.secure).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Key, UpdateError
from fedrec.privacy.secure import (
    Expected,
    Identity,
    Profile,
    RoundAborted,
    RoundMemory,
    SecureSumClient,
    SecureSumServer,
    plan_round,
)
from fedrec.privacy.secure.cohort import CheckOnce

STAGES = ("keys", "shares", "masked", "echo", "unmask")
LATEST = 3  # a client that fails has dropped out before its vector was sent: at one of the first three stages

Vectors = Callable[[int], NDArray[Any]]


@dataclass
class Members:
    """The clients of one process as members of secure sums: identities, and what they remember between rounds.

    ``round``: the last one they took part in; ``released``: whose sums they helped to release without noise, by
    statistic, as client numbers; ``save`` puts both on the disk before an answer leaves.
    """

    profile: Profile
    round: int = -1
    released: dict[str, list[frozenset[int]]] = field(default_factory=dict)
    save: Callable[[dict[str, Any]], None] = lambda _: None
    identities: dict[int, Identity] = field(default_factory=dict, repr=False)

    def identity(self, client: int) -> Identity:
        """Return a client's long-lived key, made when it is first needed."""
        if client not in self.identities:
            self.identities[client] = Identity.generate()
        return self.identities[client]

    def claim(self) -> int:
        """Return the number of a new round, which is never used again."""
        self.round += 1
        self._keep()
        return self.round

    def memory(self, client: int, names: Mapping[int, bytes]) -> RoundMemory:
        """Return what one client remembers, other members by ``names``."""
        mine = {
            statistic: [frozenset(names[k] for k in people) for people in sets if client in people]
            for statistic, sets in self.released.items()
        }
        return RoundMemory(self.round - 1, mine)

    def check_release(self, statistic: str, survivors: Sequence[int]) -> None:
        """Refuse a second sum of a statistic over nearly the same people, as each of its clients would."""
        names = {k: k.to_bytes(8, "little") for k in _everybody(self.released, survivors)}
        memory = RoundMemory(-1, {s: [frozenset(names[k] for k in g) for g in v] for s, v in self.released.items()})
        memory.check_release(statistic, frozenset(names[k] for k in survivors), self.profile.apart)

    def release(self, statistic: str, survivors: Sequence[int]) -> None:
        """Remember that the sum over these clients is about to be released."""
        sets = self.released.setdefault(statistic, [])
        if frozenset(survivors) not in sets:
            sets.append(frozenset(survivors))
        self._keep()

    def _keep(self) -> None:
        released = {name: [sorted(g) for g in sets] for name, sets in self.released.items()}
        self.save({"round": self.round, "released": released})


def _everybody(released: Mapping[str, list[frozenset[int]]], more: Sequence[int]) -> set[int]:
    return set(more).union(*(group for sets in released.values() for group in sets))


@dataclass(frozen=True)
class Summed:
    """What a secure sum brought: the vector (None: aborted, with the reason), and bytes over all clients.

    ``refused``: clients that had no update fit to be masked, and why; they dropped out.
    """

    vector: NDArray[Any] | None
    survivors: tuple[int, ...]
    up_bytes: int
    down_bytes: int
    reason: str = ""
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """One round: what is summed, over whom, and who drops out.

    ``cohort``: client numbers; ``dropped``: those of them that fail, each at one of the first three stages by its own
    coin of ``key``; ``fewest``: vectors that the sum must have; ``model``: SHA-256 of the broadcast.
    """

    cohort: Sequence[int]
    dropped: frozenset[int]
    fewest: int
    length: int
    bits: int
    noise: bool
    model: bytes
    statistic: str
    key: Key


def secure_sum(members: Members, ask: Ask, vectors: Vectors, announce: Callable[[], None]) -> Summed:
    """Run all messages of one round; ``announce`` is called when the sum is about to be unmasked.

    ``vectors``: the integers of a client, asked for once, when it masks them.
    """
    number = members.claim()
    roster = [members.identity(k).public for k in ask.cohort]
    names = dict(zip(ask.cohort, roster, strict=True))
    names |= {k: members.identity(k).public for k in _everybody(members.released, ())}
    expected = Expected(members.profile, ask.model, ask.length, ask.bits, ask.noise, ask.statistic)
    server = SecureSumServer(plan_round(expected, roster, number, survivors=ask.fewest), roster)
    once = CheckOnce()
    clients = [
        SecureSumClient(
            members.identity(k), roster, expected, members.memory(k, names), partial(vectors, k), _check=once
        )
        for k in ask.cohort
    ]
    gone = _stages(ask)
    inbox: Mapping[int, bytes] = dict.fromkeys(range(len(clients)), server.announce())
    up = down = 0
    refused: dict[int, str] = {}
    try:
        for number_of_stage, stage in enumerate(STAGES):
            if stage == "unmask":
                announce()
                if not ask.noise:
                    members.release(ask.statistic, [ask.cohort[i] for i in server.survivors])
            down += sum(len(m) for m in inbox.values())
            for i, message in inbox.items():
                if gone.get(ask.cohort[i]) == number_of_stage:
                    continue
                try:
                    answer = clients[i].receive(message)
                except UpdateError as unfit:
                    refused[ask.cohort[i]] = str(unfit)
                    continue
                up += len(answer)
                server.receive(answer)
            inbox = server.advance()
    except RoundAborted as reason:
        return Summed(None, (), up, down, str(reason), refused)
    return Summed(server.total(), tuple(ask.cohort[i] for i in server.survivors), up, down, refused=refused)


def _stages(ask: Ask) -> dict[int, int]:
    """Return at which stage each client that fails drops out."""
    failed = np.array(sorted(ask.dropped), np.int64)
    coins = ask.key.coins(failed)
    return {int(k): int(c * LATEST) for k, c in zip(failed, coins, strict=True)}
