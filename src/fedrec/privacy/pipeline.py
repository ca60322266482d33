"""The update pipeline, the single place between a client's numbers and the sum.

    clip -> quantise -> (noise share -> mask: protection.py) -> add in the ring -> decode

Updates are added as integers in a ring of 2^32 or 2^64, always, also in the simulation: integer sums do not depend on
order, chunking or threads, so a run is the same bytes however it is cut, and masks and integer noise fit in
without a second code path. A value is rounded to the nearest multiple of the statistic's quantum, a power of two
chosen from the declared bound and the number of people, so the sum cannot overflow by construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ContractError, Part, Phase, Stat, Total, Update, UpdateError
from fedrec.privacy import travel
from fedrec.privacy.mechanism import Noise


class RingSum:
    """The sum of one phase's updates over one round.

    ``capacity``: the largest number of *people* (not clients) that may be in the sum; it sets the ring's head-room.
    ``noise``: of each statistic where noise will be added: it sets the steps, so that the noise has room too.
    """

    def __init__(self, phase: Phase, capacity: int, noise: Mapping[str, Noise] | None = None) -> None:
        self.phase = phase
        self.capacity = capacity
        self.clip = phase.clip
        self.noise = noise
        self.quantum = {name: self._step(name, stat) for name, stat in phase.stats.items()}
        self.ring: dict[str, NDArray[Any]] = {
            name: np.zeros(stat.shape, np.int32 if stat.bits == 32 else np.int64) for name, stat in phase.stats.items()
        }
        for name, stat in phase.stats.items():
            if stat.counts and stat.linf * capacity >= 2 ** (stat.bits - 1):
                raise ContractError(
                    f"statistic {name!r} counts up to {stat.linf:g} for each of {capacity:,} people, and "
                    f"{stat.bits} bits have no head-room for that: declare bits=64, or a smaller linf"
                )
        self.users = 0
        self.clipped = 0
        self.saturated = 0
        self.refused: dict[int, str] = {}  # user -> why its update was left out

    def _step(self, name: str, stat: Stat) -> float:
        """Return the step in which updates are added; counts are whole until ``vector`` lifts them."""
        if self.noise is None or stat.counts:
            return stat.quantum(self.capacity)
        return self.noise[name].quantum

    def vector(self) -> NDArray[Any]:
        """Return the integers that travel, (length,) int32 or int64: before noise and masks."""
        if self.noise is None:
            return travel.flatten(self.phase, self.ring)
        return travel.flatten(self.phase, {name: ring << self.noise[name].lift for name, ring in self.ring.items()})

    def add(self, update: Update) -> None:
        """Clip one user's whole update, round it and add it."""
        if set(update) != set(self.phase.stats):
            raise UpdateError(
                f"phase {self.phase.name!r} declares the statistics {sorted(self.phase.stats)}, "
                f"the client sent {sorted(update)}: make plan() and client_update() agree"
            )
        for name, part in update.items():
            if not np.isfinite(part.values).all():
                raise UpdateError(f"statistic {name!r} of a client holds a value that is not finite")
            _check_shape(name, part, self.phase.stats[name])
        free = {name: part for name, part in update.items() if self.phase.stats[name].l2 is None}
        factor = clip_factor(free, self.clip)
        steps = {
            name: self._quantised(name, part, factor if name in free else own_factor(part, self.phase.stats[name]))
            for name, part in update.items()
        }
        self.note(1, int(factor < 1.0))  # before anything is added: a refused update leaves the sum as it was
        for name, part in update.items():
            target = self.ring[name]
            if part.index:
                target[np.ix_(*part.index)] += steps[name]
            else:
                target += steps[name]

    def offer(self, user: int, update: Update) -> bool:
        """Add one user's update, or leave it out and remember why: one client's mistake does not cost the round."""
        try:
            self.add(update)
        except UpdateError as reason:
            self.refused[user] = str(reason)
            return False
        return True

    def _quantised(self, name: str, part: Part, factor: float) -> NDArray[Any]:
        linf = self.phase.stats[name].linf
        # rows after the whole: most rows of a long history are within their bound once it is clipped
        part = bounded_rows(Part(np.asarray(part.values, np.float64) * factor), self.phase.stats[name].row)
        values = np.asarray(part.values)
        over = np.abs(values) > linf
        if over.any():
            self.saturated += int(over.sum())
            values = np.clip(values, -linf, linf)
        return np.asarray(np.rint(values / self.quantum[name]), self.ring[name].dtype)

    def note(self, users: int, clipped: int = 0) -> None:
        """Count users whose updates are in the ring."""
        if self.users + users > self.capacity:
            raise ContractError(f"{self.users + users} users in a sum with head-room for {self.capacity}")
        self.users += users
        self.clipped += clipped

    def merge(self, other: RingSum) -> None:
        """Add another sum of the same phase (a silo's, a gateway's, another machine's)."""
        self.note(other.users, other.clipped)
        self.saturated += other.saturated
        self.refused |= other.refused
        for name in self.ring:
            self.ring[name] += other.ring[name]

    def decode(self) -> Total:
        """Return the sum as numbers: float64, counts as int64."""
        return decoded(self.phase, self.ring, self.quantum, self.users)


def decoded(phase: Phase, ring: Mapping[str, NDArray[Any]], quantum: Mapping[str, float], users: int) -> Total:
    """Return a ring's integers as numbers: float64, counts as int64."""
    return Total(
        {
            name: values.astype(np.int64) if phase.stats[name].counts else values * quantum[name]
            for name, values in ring.items()
        },
        users,
    )


def clip_factor(update: Mapping[str, Part], clip: float | None) -> float:
    """Return min(1, clip / |update|), the norm taken over these statistics of one user together."""
    if clip is None:
        return 1.0
    with np.errstate(over="ignore"):  # beyond 1e154 the norm is infinite and the factor 0: bounded all the same
        squares = sum(float(np.sum(np.square(np.asarray(part.values, np.float64)))) for part in update.values())
    return 1.0 if squares <= clip * clip else clip / float(np.sqrt(squares))


def bounded_rows(part: Part, bound: float | None) -> Part:
    """Return the part with every row (entry of the first axis) that is longer than ``bound`` scaled to it.

    A client that keeps its word has scaled them already, in float32: the tolerance is for that rounding.
    """
    if bound is None:
        return part
    values = np.asarray(part.values, np.float64)
    with np.errstate(over="ignore"):
        norms = np.sqrt(np.square(values).sum(axis=tuple(range(1, values.ndim))))
    factors = np.where(norms > bound * (1 + 1e-6), bound / np.maximum(norms, bound), 1.0)
    if (factors == 1.0).all():
        return part
    return Part(values * factors.reshape(-1, *[1] * (values.ndim - 1)), part.index)


def _check_shape(name: str, part: Part, stat: Stat) -> None:
    """Refuse values of another shape than declared, and ids that no row has."""
    leading = tuple(len(ids) for ids in part.index)
    expected = leading + stat.shape[len(leading) :]
    if np.shape(part.values) != expected:
        raise UpdateError(f"statistic {name!r} of a client has shape {np.shape(part.values)}, expected {expected}")
    for ids, size in zip(part.index, stat.shape, strict=False):
        if len(ids) and not 0 <= int(np.min(ids)) <= int(np.max(ids)) < size:
            raise UpdateError(f"statistic {name!r} of a client has an id outside 0 .. {size - 1}")


def own_factor(part: Part, stat: Stat) -> float:
    """Return the factor of a statistic that declares an L2 of its own: 1 for every client that keeps its word.

    Such a statistic is bounded by construction; the tolerance is for the rounding of a norm that lies on its bound.
    """
    if stat.l2 is None:
        return 1.0
    factor = clip_factor({"": part}, stat.l2)
    return factor if factor < 1.0 - 1e-9 else 1.0
