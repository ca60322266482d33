"""What the laws are checked on: one algorithm, one world, and every round of its plan about to happen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from fedrec.contract import Algorithm, Arrays, Catalog, Interactions, Key, Phase, Scores, rows_of
from fedrec.privacy import RingSum
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import Runtime, State, start, train

SEED = 7


@dataclass(frozen=True)
class Moment:
    """One round about to happen: its phase, its number over all phases, what is sent down, what users hold."""

    phase: Phase
    number: int
    broadcast: Arrays
    private: Arrays

    @property
    def key(self) -> Key:
        """Return the round's randomness."""
        return Key(SEED, self.number, "update")


@dataclass
class Subject:
    """An algorithm on a world."""

    algorithm: Algorithm
    users: Interactions
    seed: int = SEED
    _trained: tuple[State, Arrays, list[Moment]] | None = field(default=None, repr=False)

    @property
    def catalog(self) -> Catalog:
        """Return what everybody knows: the items, and how many people are expected."""
        return Catalog(self.users.n_items, self.users.n_users)

    def again(self) -> Subject:
        """Return the same subject with an algorithm object that remembers nothing."""
        return Subject(type(self.algorithm)(self.algorithm.config), self.users, self.seed)

    def runtime(self, **options: Any) -> LocalRuntime:
        """Return a fresh local runtime with everybody's initial private state."""
        return LocalRuntime(self.algorithm, self.catalog, self.users, self.seed, **options)

    def trained(self) -> tuple[State, Arrays, list[Moment]]:
        """Return (last state, everybody's private state, every moment on the way), computed once."""
        if self._trained is None:
            runtime = self.runtime()
            moments: list[Moment] = []
            state = start(self.algorithm, self.catalog, self.seed)
            held = copied(runtime.private)
            for step in train(self.algorithm, self.catalog, runtime, self.seed):
                sent = {name: np.array(step.before.shared[name]) for name in step.phase.broadcast}
                moments.append(Moment(step.phase, step.record.round, sent, held))
                held, state = copied(runtime.private), step.after
            self._trained = (state, held, moments)
        return self._trained

    def moments(self) -> list[Moment]:
        """Return the first and the last round of each phase."""
        by_phase: dict[str, list[Moment]] = {}
        for moment in self.trained()[2]:
            by_phase.setdefault(moment.phase.name, []).append(moment)
        return [m for group in by_phase.values() for m in {g.number: g for g in (group[0], group[-1])}.values()]

    def cohort(self, moment: Moment, rows: NDArray[np.int64]) -> tuple[RingSum, Arrays]:
        """Return (the sum, the new private state) of some users by the algorithm's cohort path."""
        total = RingSum(moment.phase, self.users.n_users)
        mine = copied(rows_of(moment.private, rows))
        after = self.algorithm.cohort_update(
            moment.phase, moment.broadcast, mine, self.users.take(rows), moment.key, total
        )
        return total, after

    def one_by_one(self, moment: Moment, rows: NDArray[np.int64]) -> tuple[RingSum, Arrays]:
        """Return the same by ``client_update`` for each user: the definition."""
        total = RingSum(moment.phase, self.users.n_users)
        mine = copied(rows_of(moment.private, rows))
        after = Algorithm.cohort_update(
            self.algorithm, moment.phase, moment.broadcast, mine, self.users.take(rows), moment.key, total
        )
        return total, after

    def everybody(self) -> NDArray[np.int64]:
        """Return all rows."""
        return np.arange(self.users.n_users, dtype=np.int64)


def run(subject: Subject, runtime: Runtime, state: State | None = None) -> State:
    """Run the plan on a runtime, from ``state`` on, and return the last state."""
    last = state if state is not None else start(subject.algorithm, subject.catalog, subject.seed)
    for step in train(subject.algorithm, subject.catalog, runtime, subject.seed, state):
        last = step.after
    return last


def fitted_scores(subject: Subject, people: Interactions) -> Scores:
    """Train, then score all items for ``people`` (rows of the training data), (u, n_items) float32."""
    state, private, _ = subject.trained()
    key = Key(subject.seed, state.round, "adapt")
    return subject.algorithm.cohort_scores(state.shared, rows_of(private, people.users), people, key)


def copied(arrays: Arrays) -> Arrays:
    """Return a copy of every array."""
    return {name: np.array(array) for name, array in arrays.items()}


def as_bytes(arrays: Arrays) -> bytes:
    """Return arrays as one message (safetensors), the same bytes for the same arrays."""
    return bytes(save({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}))


def from_bytes(message: bytes) -> Arrays:
    """Return the arrays of a message."""
    return dict(load(message))


def difference(a: Arrays, b: Arrays) -> float:
    """Return max |a - b| / max |a| over arrays of the same names; infinite where names or shapes differ."""
    if set(a) != set(b) or any(a[n].shape != b[n].shape for n in a):
        return float("inf")
    worst = 0.0
    for name, array in a.items():
        if array.size and array.dtype.kind in "fiub":
            mine, other = array.astype(np.float64), b[name].astype(np.float64)
            worst = max(worst, float(np.abs(mine - other).max() / max(np.abs(mine).max(), 1e-300)))
    return worst
