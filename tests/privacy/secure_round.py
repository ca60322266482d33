"""Rounds of the secure sum for tests: members with a counter as their randomness, drop-outs at chosen stages."""

from __future__ import annotations

import hashlib
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fedrec.privacy import secure

STAGES = ("keys", "shares", "masked", "echo", "unmask")
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


@contextmanager
def counting_keys() -> Iterator[tuple[Tally[bytes], Tally[bytes]]]:
    """Count how often each key masks (once: a client's own; twice: the two ends of a pair) and seals (once)."""
    masks: Tally[bytes] = Tally()
    sealed: Tally[bytes] = Tally()
    real_mask, real_seal = secure.client.add_mask, secure.client.seal

    def mask(target: Any, key: bytes, sign: int) -> None:
        masks[key] += 1
        real_mask(target, key, sign)

    def seal(key: bytes, plain: bytes, session: bytes) -> bytes:
        sealed[key] += 1
        return bytes(real_seal(key, plain, session))

    secure.client.add_mask, secure.client.seal = mask, seal
    try:
        yield masks, sealed
    finally:
        secure.client.add_mask, secure.client.seal = real_mask, real_seal


def identities(members: int, label: str = "", lib: Any = secure) -> list[Any]:
    return [lib.Identity(hashlib.sha256(f"identity {label}{k}".encode()).digest()) for k in range(members)]


@dataclass
class Round:
    """Everything of one round: drive it with ``run``, or stage by stage with ``step``."""

    members: int = 8
    length: int = 5
    bits: int = 32
    profile: Any = None  # the demo profile
    degree: int = 50
    number: int = 1
    label: str = ""
    noise: bool = False
    change: Mapping[str, Any] = field(default_factory=dict)  # of the plan, after it was checked
    lib: Any = secure  # the package under test: the real one, or a copy with a seeded defect
    survivors: int | None = None
    random: Any = None  # a counter; os.urandom for what the clients do by default

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.members, self.length, self.bits, abs(self.number)])
        whole = np.iinfo(f"i{self.bits // 8}")
        self.vectors = rng.integers(
            whole.min, whole.max, (self.members, self.length), dtype=f"i{self.bits // 8}", endpoint=True
        )
        lib = self.lib
        self.ids = identities(self.members, self.label, lib)
        self.roster = [i.public for i in self.ids]
        profile = self.profile or lib.DEMO
        self.expected = lib.Expected(profile, MODEL, self.length, self.bits, self.noise)
        self.plan = lib.plan_round(self.expected, self.roster, self.number, self.degree, self.survivors)
        self.plan = replace(self.plan, **self.change)
        self.clients = [self.new_client(k, lib.RoundMemory()) for k in range(self.members)]
        self.server = lib.SecureSumServer(self.plan, self.roster)
        self.inbox: dict[int, bytes] = dict.fromkeys(range(self.members), self.server.announce())
        self.said: dict[int, bytes] = {}
        self.record: list[bytes] = []

    def new_client(self, k: int, memory: Any) -> Any:
        random = self.random or Counter(f"{self.label}{self.number}/{k}")
        return self.lib.SecureSumClient(
            self.ids[k], self.roster, self.expected, memory, self.vectors[k], _random=random
        )

    def step(self, dropped: Iterable[int] = ()) -> None:
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


def small(lib: Any = secure) -> Any:
    """A profile for graphs that are not complete, at sizes a test can afford."""
    return lib.policy.Profile("test", 2, 1000, 2, 4)


def random_case(case: int) -> tuple[Round, dict[str, Iterable[int]]]:
    """A random round whose drop-outs leave enough clients around everybody."""
    rng = np.random.default_rng([2026, case])
    if case % 20 == 7:  # a graph that is not complete
        members, profile, degree = int(rng.integers(54, 80)), small(), 30
        lose = int(rng.integers(0, 8))
    else:
        members, profile, degree = int(rng.integers(3, 17)), small(), 50
        lose = int(rng.integers(0, members - secure.policy.least_threshold(members) + 1))
    length = int(rng.choice([1, 2, 7, 33, int(rng.integers(1, 3000)), 16_384, 16_385]))
    bits = int(rng.choice([32, 64]))
    gone = rng.permutation(members)[:lose]
    when = rng.choice(len(STAGES), lose)
    drops = {stage: gone[when == k].tolist() for k, stage in enumerate(STAGES)}
    return Round(members, length, bits, profile, degree, number=case), drops


def must(kind: str, code: str, call: Callable[[], Any]) -> None:
    """Fail unless the call raises this kind of refusal for this reason."""
    raised: Any = None
    try:
        call()
    except Exception as error:
        raised = error
    assert type(raised).__name__ == kind, f"expected {kind} {code!r}, got {raised!r}"
    assert raised.code == code, f"expected {kind} {code!r}, got {raised.code!r}: {raised}"


def signed(lib: Any, identity: Any, kind: int, session: bytes, sender: int, body: bytes) -> bytes:
    """Return a message that the owner of this identity might have sent."""
    message = lib.messages.header(kind, session, sender, len(body)) + body
    return bytes(message + identity.sign(message))
