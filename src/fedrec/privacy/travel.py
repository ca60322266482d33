"""What travels of a phase's statistics: one flat vector of ring integers, the same length for every person.

Statistics follow each other in the plan's order, row by row; of a symmetric one the upper half travels. The vector is
as wide as the widest statistic; integers of a narrower ring keep their value modulo that ring.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Phase, Stat

Ring = Mapping[str, NDArray[Any]]


def bits(phase: Phase) -> int:
    """Return the width of a phase's vector, 32 or 64."""
    return max(stat.bits for stat in phase.stats.values())


def length(phase: Phase) -> int:
    """Return how many integers a phase's vector has."""
    return sum(stat.numbers for stat in phase.stats.values())


def segments(phase: Phase) -> dict[str, slice]:
    """Return where each statistic lies in the vector."""
    out, first = {}, 0
    for name, stat in phase.stats.items():
        out[name] = slice(first, first + stat.numbers)
        first += stat.numbers
    return out


def pack(stat: Stat, ring: NDArray[Any]) -> NDArray[Any]:
    """Return what travels of one statistic: all of it, or the upper half where it is symmetric."""
    if not stat.symmetric:
        return ring
    rows, columns = np.triu_indices(stat.shape[-1])
    return np.ascontiguousarray(ring[..., rows, columns])


def unpack(stat: Stat, packed: NDArray[Any]) -> NDArray[Any]:
    """Return the whole statistic from what travelled."""
    if not stat.symmetric:
        return packed.reshape(stat.shape)
    rows, columns = np.triu_indices(stat.shape[-1])
    out = np.zeros(stat.shape, packed.dtype)
    packed = packed.reshape(*stat.shape[:-2], -1)
    out[..., rows, columns] = packed
    out[..., columns, rows] = packed
    return out


def on_diagonal(stat: Stat) -> NDArray[np.bool_]:
    """Return which of a symmetric statistic's travelling integers lie on the diagonal, (numbers,)."""
    rows, columns = np.triu_indices(stat.shape[-1])
    return np.tile(rows == columns, stat.numbers // len(rows))


def flatten(phase: Phase, ring: Ring) -> NDArray[Any]:
    """Return a ring's integers as the vector that travels, (length,) int32 or int64."""
    out = np.empty(length(phase), f"i{bits(phase) // 8}")
    for name, where in segments(phase).items():
        out[where] = pack(phase.stats[name], ring[name]).ravel()
    return out


def restore(phase: Phase, vector: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the ring that a vector (or a sum of vectors) stands for; integers wrap to each statistic's own width."""
    return {
        name: unpack(phase.stats[name], vector[where].astype(f"i{phase.stats[name].bits // 8}"))
        for name, where in segments(phase).items()
    }
