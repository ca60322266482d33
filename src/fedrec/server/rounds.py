"""THE round loop. Every algorithm, every runtime and every deployment goes through ``train``.

broadcast -> Runtime.round -> total -> Algorithm.server_update -> next broadcast
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Catalog, Phase, Total
from fedrec.server.cohort import sample_cohort


@dataclass(frozen=True)
class RoundResult:
    """What one round brought: the decoded sum, who is in it, who is not and why, and the bytes that travelled."""

    total: Total | None
    survivors: int
    failures: dict[str, int]
    up_bytes: int
    down_bytes: int
    clipped: int = 0
    saturated: int = 0


class Runtime(Protocol):
    """The seam between the round loop and wherever the clients are."""

    n_clients: int

    def round(self, phase: Phase, broadcast: Arrays, cohort: NDArray[np.int64], round: int, seed: int) -> RoundResult:
        """Let the clients of ``cohort`` (client numbers) compute their updates and return the sum."""


@dataclass(frozen=True)
class State:
    """Everything the server needs to go on: ``round`` rounds are done (over all phases)."""

    shared: Arrays
    round: int = 0


@dataclass(frozen=True)
class Record:
    """One line of rounds.jsonl."""

    round: int
    phase: str
    cohort: int
    survivors: int
    failures: dict[str, int]
    up_bytes: int
    down_bytes: int
    seconds: float
    clipped: int = 0
    saturated: int = 0
    validation: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One finished round: the state before and after, and its record."""

    phase: Phase
    before: State
    after: State
    record: Record


def schedule(phases: tuple[Phase, ...]) -> list[tuple[Phase, int]]:
    """Return (phase, round within the phase) for every round of the plan."""
    return [(phase, r) for phase in phases for r in range(phase.rounds)]


def start(algorithm: Algorithm, catalog: Catalog, seed: int) -> State:
    """Return the state before the first round."""
    return State(algorithm.shared(catalog, seed))


def train(
    algorithm: Algorithm,
    catalog: Catalog,
    runtime: Runtime,
    seed: int,
    state: State | None = None,
    cohort: int | None = None,
    minimum: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Step]:
    """Run the plan from ``state`` on and yield after every round; the caller evaluates, saves or stops.

    ``cohort``: expected number of clients a round (each tosses its own coin; None: everybody). A round with fewer
    than ``minimum`` survivors is abandoned: the shared state stays, and the record says so.
    """
    state = state if state is not None else start(algorithm, catalog, seed)
    rounds = schedule(algorithm.plan(catalog))
    for number in range(state.round, len(rounds)):
        phase, inner = rounds[number]
        began = clock()
        chosen = sample_cohort(runtime.n_clients, cohort, seed, number)
        broadcast = {name: state.shared[name] for name in phase.broadcast}
        result = runtime.round(phase, broadcast, chosen, number, seed)
        failures = dict(result.failures)
        if result.total is None or result.survivors < minimum:
            failures["round abandoned: too few survivors"] = 1
            after = replace(state, round=number + 1)
        else:
            after = State(algorithm.server_update(phase, state.shared, result.total, inner), number + 1)
        record = Record(
            number,
            phase.name,
            len(chosen),
            result.survivors,
            failures,
            result.up_bytes,
            result.down_bytes,
            clock() - began,
            result.clipped,
            result.saturated,
        )
        yield Step(phase, state, after, record)
        state = after
