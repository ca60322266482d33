"""What leaves a client: named arrays that may be added, with the bound each person respects.

A ``Stat`` states one user's bound; ledger, bytes, ring scale and clip are derived from it, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Stat:
    """One named statistic that is summed over users.

    ``shape``: of the sum; ``linf``: largest absolute value one user may put into one entry; ``l2``: largest Euclidean
    norm of one user's whole array (None: follows from the phase's clip); ``bits``: width of the ring on the wire, 32
    or 64; ``counts``: True for whole numbers, which are then exact; ``symmetric``: only one half travels; ``share``:
    its part of a person's privacy budget in each round, relative to the other statistics of the plan (needs noise);
    ``row``: largest Euclidean norm one user may put into one row, an entry of the first axis (None: any).
    """

    shape: tuple[int, ...]
    linf: float
    l2: float | None = None
    bits: int = 32
    counts: bool = False
    symmetric: bool = False
    share: float = 1.0
    row: float | None = None

    @property
    def numbers(self) -> int:
        """Numbers on the wire: dense whatever the person did, because a sparse upload names the items touched."""
        if self.symmetric:
            n = self.shape[-1]
            return prod(self.shape[:-2]) * (n * (n + 1) // 2)
        return prod(self.shape)

    @property
    def wire_bytes(self) -> int:
        """Bytes of one client's upload of this statistic."""
        return self.numbers * self.bits // 8

    def quantum(self, capacity: int) -> float:
        """Return the value of one integer step, a power of two, so that ``capacity`` users cannot overflow."""
        if self.counts:
            return 1.0
        exponent = np.ceil(np.log2(self.linf * max(capacity, 1))) - (self.bits - 1) + 1
        return float(2.0**exponent)


@dataclass(frozen=True)
class Phase:
    """Rounds in which the same statistics travel.

    ``broadcast``: names of shared arrays sent down at the start of each round; ``clip``: L2 bound over one user's
    whole update, all statistics together that declare no ``l2`` of their own (None: bounded by construction).
    """

    name: str
    rounds: int
    stats: Mapping[str, Stat]
    broadcast: tuple[str, ...] = ()
    clip: float | None = None

    @property
    def up_bytes(self) -> int:
        """Bytes one client sends in one round."""
        return sum(s.wire_bytes for s in self.stats.values())


@dataclass(frozen=True)
class Part:
    """One user's contribution to one statistic.

    ``index`` holds one array of *distinct* ids per leading axis (``numpy.ix_``): the rows the user can touch. It
    exists only inside the client; on the wire the statistic is dense or masked (Stat.numbers).
    """

    values: NDArray[Any]
    index: tuple[NDArray[Any], ...] = ()

    def dense(self, shape: tuple[int, ...]) -> FloatArray:
        """Return the contribution as the dense array that travels."""
        out = np.zeros(shape)
        out[np.ix_(*self.index) if self.index else ...] = self.values
        return out


Update = Mapping[str, Part]


@dataclass(frozen=True)
class Total:
    """The decoded sum of one round: ``stats`` by name, float64 (int64 for counts without noise).

    ``users``: how many are in it, or with noise how many were expected, because the true number is not released;
    ``noise``: standard deviation of the noise in each entry by name (symmetric statistics: on the diagonal; beside it
    that divided by sqrt(2)), empty where there is none.
    """

    stats: Mapping[str, NDArray[Any]]
    users: int
    noise: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.stats[name]

    def sigma(self, name: str) -> float:
        """Return the standard deviation of the noise in a statistic's entries, 0 where there is none."""
        return self.noise.get(name, 0.0)


class UpdateSum(Protocol):
    """Where updates go: clip -> quantise -> (noise -> mask) -> add. Implemented once, in fedrec.privacy.

    Fast paths write integers into ``ring`` themselves and report what they did in ``note``; they must give the same
    integers as ``add`` called user by user (law 2).
    """

    ring: dict[str, NDArray[np.signedinteger]]
    quantum: dict[str, float]
    clip: float | None

    def add(self, update: Update) -> None:
        """Clip, quantise and add one user's update."""

    def offer(self, user: int, update: Update) -> bool:
        """Add one user's update, or leave it out and remember why; return whether it was added."""

    def note(self, users: int, clipped: int = 0) -> None:
        """Count users whose updates a fast path has added to the ring."""


@dataclass
class Traffic:
    """Bytes of one round."""

    up_per_client: int = 0
    down_per_client: int = 0
    up: int = 0
    down: int = 0
    extra: dict[str, int] = field(default_factory=dict)
