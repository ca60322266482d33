"""Rounds of the secure sum for tests: members with a counter as their randomness, drop-outs at chosen stages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fedrec.privacy.secure import (
    DEMO,
    Expected,
    Identity,
    Plan,
    RoundMemory,
    SecureSumClient,
    SecureSumServer,
    plan_round,
)
from fedrec.privacy.secure.policy import Profile

STAGES = ("keys", "shares", "masked", "echo", "unmask")
ANY = Profile("test", 2, 1000, 2, 4)
MODEL = hashlib.sha256(b"a model").digest()


class Counter:
    """Bytes that look random and are the same in each run: SHA-256 of a label and a counter."""

    def __init__(self, label: str) -> None:
        self.label, self.drawn = label, 0

    def __call__(self, n: int) -> bytes:
        out = b""
        while len(out) < n:
            out += hashlib.sha256(f"{self.label}/{self.drawn}".encode()).digest()
            self.drawn += 1
        return out[:n]


def identities(members: int, label: str = "") -> list[Identity]:
    return [Identity(hashlib.sha256(f"identity {label}{k}".encode()).digest()) for k in range(members)]


@dataclass
class Round:
    """Everything of one round: drive it with ``run``, or stage by stage with ``step``."""

    members: int = 8
    length: int = 5
    bits: int = 32
    profile: Profile = DEMO
    degree: int = 50
    number: int = 1
    label: str = ""
    noise: bool = False
    change: Mapping[str, Any] = field(default_factory=dict)  # of the plan, after it was checked
    client: type[SecureSumClient] = SecureSumClient
    survivors: int | None = None

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.members, self.length, self.bits, self.number])
        whole = np.iinfo(f"i{self.bits // 8}")
        self.vectors = rng.integers(
            whole.min, whole.max, (self.members, self.length), dtype=f"i{self.bits // 8}", endpoint=True
        )
        self.ids = identities(self.members, self.label)
        self.roster = [i.public for i in self.ids]
        self.expected = Expected(self.profile, MODEL, self.length, self.bits, self.noise)
        plan = plan_round(self.expected, self.roster, self.number, self.degree, self.survivors)
        self.plan: Plan = replace(plan, **self.change)
        self.clients = [
            self.client(
                i,
                self.roster,
                self.expected,
                RoundMemory(),
                self.vectors[k],
                _random=Counter(f"{self.label}{self.number}/{k}"),
            )
            for k, i in enumerate(self.ids)
        ]
        self.server = SecureSumServer(self.plan, self.roster)
        self.inbox: dict[int, bytes] = dict.fromkeys(range(self.members), self.server.announce())
        self.said: dict[int, bytes] = {}
        self.record: list[bytes] = []

    def step(self, dropped: Iterable[int] = (), only: int | None = None) -> None:
        """Let everybody but the dropped answer, and the server go on."""
        self.answer(dropped)
        self.inbox = dict(self.server.advance())

    def answer(self, dropped: Iterable[int] = ()) -> None:
        gone = set(dropped)
        self.said = {k: self.clients[k].receive(m) for k, m in self.inbox.items() if k not in gone}
        self.record += [*self.inbox.values(), *self.said.values()]
        for message in self.said.values():
            self.server.receive(message)

    def until(self, stage: str) -> Round:
        """Run undisturbed until the clients hold the message whose answer is of this stage."""
        for _ in range(STAGES.index(stage)):
            self.step()
        return self

    def run(self, drops: Mapping[str, Iterable[int]] | None = None) -> np.ndarray:
        for stage in STAGES:
            self.step((drops or {}).get(stage, ()))
        return self.server.total()

    def plain(self) -> np.ndarray:
        """The sum over the survivors, in the clear, modulo the ring."""
        with np.errstate(over="ignore"):
            return self.vectors[list(self.server.survivors)].sum(axis=0, dtype=self.vectors.dtype)


def refusal(call: Callable[[], Any], kind: type[Exception]) -> Any:
    """Return the exception of this kind that the call raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"nothing was refused, expected {kind.__name__}")
