"""The update pipeline, the single place between a client's numbers and the sum.

    clip -> quantise -> (noise share -> mask, part 2) -> add in the ring -> decode

Updates are added as integers in a ring of 2^32 or 2^64, always, also in the simulation: integer sums do not depend on
order, chunking or threads, so a run is the same bytes however it is cut, and masks and integer noise fit in later
without a second code path. A value is rounded to the nearest multiple of the statistic's quantum, a power of two
chosen from the declared bound and the number of people, so the sum cannot overflow by construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ContractError, Part, Phase, Stat, Total, Update


class RingSum:
    """The sum of one phase's updates over one round.

    ``capacity``: the largest number of *people* (not clients) that may be in the sum; it sets the ring's head-room.
    """

    def __init__(self, phase: Phase, capacity: int) -> None:
        self.phase = phase
        self.capacity = capacity
        self.clip = phase.clip
        self.quantum = {name: stat.quantum(capacity) for name, stat in phase.stats.items()}
        self.ring: dict[str, NDArray[Any]] = {
            name: np.zeros(stat.shape, np.int32 if stat.bits == 32 else np.int64) for name, stat in phase.stats.items()
        }
        self.users = 0
        self.clipped = 0
        self.saturated = 0

    def add(self, update: Update) -> None:
        """Clip one user's whole update, round it and add it."""
        if set(update) != set(self.phase.stats):
            raise ContractError(
                f"phase {self.phase.name!r} declares the statistics {sorted(self.phase.stats)}, "
                f"the client sent {sorted(update)}: make plan() and client_update() agree"
            )
        factor = clip_factor(update, self.clip)
        for name, part in update.items():
            self._add_part(name, self.phase.stats[name], part, factor)
        self.note(1, int(factor < 1.0))

    def _add_part(self, name: str, stat: Stat, part: Part, factor: float) -> None:
        values = np.asarray(part.values, np.float64) * factor
        if not np.isfinite(values).all():
            raise ContractError(f"statistic {name!r} of a client holds a value that is not finite")
        over = np.abs(values) > stat.linf
        if over.any():
            self.saturated += int(over.sum())
            values = np.clip(values, -stat.linf, stat.linf)
        steps = np.rint(values / self.quantum[name]).astype(self.ring[name].dtype)
        target = self.ring[name]
        if part.index:
            target[np.ix_(*part.index)] += steps
        else:
            target += steps

    def note(self, users: int, clipped: int = 0) -> None:
        """Count users whose updates are in the ring."""
        self.users += users
        self.clipped += clipped
        if self.users > self.capacity:
            raise ContractError(f"{self.users} users in a sum with head-room for {self.capacity}")

    def merge(self, other: RingSum) -> None:
        """Add another sum of the same phase (a silo's, a gateway's, another machine's)."""
        for name, ring in self.ring.items():
            ring += other.ring[name]
        self.saturated += other.saturated
        self.note(other.users, other.clipped)

    def decode(self) -> Total:
        """Return the sum as numbers: float64, counts as int64."""
        return Total(
            {
                name: ring.astype(np.int64) if self.phase.stats[name].counts else ring * self.quantum[name]
                for name, ring in self.ring.items()
            },
            self.users,
        )


def clip_factor(update: Mapping[str, Part], clip: float | None) -> float:
    """Return min(1, clip / |update|), the norm taken over all the statistics of one user together."""
    if clip is None:
        return 1.0
    squares = sum(float(np.sum(np.square(np.asarray(part.values, np.float64)))) for part in update.values())
    return 1.0 if squares <= clip * clip else clip / float(np.sqrt(squares))
