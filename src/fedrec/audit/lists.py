"""Reading a person's items off what was sent: the attack that raw updates fall to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Phase

Found = NDArray[np.int64]


def touched(array: NDArray[Any], n_items: int) -> NDArray[np.bool_]:
    """Return which items a statistic has anything but zeros for, (n_items,): in its rows and in its columns.

    Axes that hold several blocks of the catalogue (one a decay) are folded; an axis of another length names no item.
    """
    out = np.zeros(n_items, np.bool_)
    for axis in {0, array.ndim - 1}:
        if array.shape[axis] % n_items == 0:
            rest = tuple(a for a in range(array.ndim) if a != axis)
            np.logical_or(out, (array != 0).any(axis=rest).reshape(-1, n_items).any(axis=0), out=out)
    return out


def liked_side(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of an update belong to liked items, where local negatives were drawn as well.

    Liked rows move along the person's vector and negatives against it, so the sign along the strongest direction tells
    them apart, and the liked ones are the fewer.
    """
    strongest: NDArray[np.float64] = np.linalg.svd(rows, full_matrices=False)[2][0]
    side: NDArray[np.bool_] = rows @ strongest > 0
    return side if side.sum() * 2 <= len(side) else ~side


def guessed(phase: Phase, stats: Mapping[str, NDArray[Any]], n_items: int, negatives: bool) -> Found | None:
    """Return the items that one client's decoded update names, or None where no statistic is indexed by item.

    ``negatives``: the algorithm draws local negatives, so rows with a direction are split by ``liked_side``.
    """
    indexed = [a for name in phase.stats if _by_item(a := stats[name], n_items)]
    if not indexed:
        return None
    if negatives:
        tables = [a.astype(np.float64) for a in indexed if a.ndim == 2 and 1 < a.shape[1] < n_items]
        if tables:
            rows = np.flatnonzero(touched(tables[0], n_items))
            return rows[liked_side(tables[0][rows])] if len(rows) else rows
    every = np.zeros(n_items, np.bool_)
    for array in indexed:
        every |= touched(array, n_items)
    return np.flatnonzero(every).astype(np.int64)


def _by_item(array: NDArray[Any], n_items: int) -> bool:
    return any(size % n_items == 0 and size > 0 for size in (array.shape[0], array.shape[-1]))


def weight(array: NDArray[Any], n_items: int) -> NDArray[np.float64]:
    """Return how much of a summed statistic lies on each item, (n_items,): the best list a sum suggests."""
    out = np.zeros(n_items)
    for axis in {0, array.ndim - 1}:
        if array.shape[axis] % n_items == 0:
            rest = tuple(a for a in range(array.ndim) if a != axis)
            out += np.abs(np.asarray(array, np.float64)).sum(axis=rest).reshape(-1, n_items).sum(axis=0)
    return out


def heavy(phase: Phase, stats: Mapping[str, NDArray[Any]], n_items: int) -> NDArray[np.float64]:
    """Return how much of a whole phase lies on each item, (n_items,), each statistic on a scale from 0 to 1.

    Counts below 0 are noise.
    """
    out = np.zeros(n_items)
    for name, stat in phase.stats.items():
        values = weight(np.maximum(stats[name], 0) if stat.counts else stats[name], n_items)
        out += values / max(float(values.max()), 1e-300)
    return out


def heaviest(values: NDArray[Any], k: int) -> Found:
    """Return the ``k`` items of the largest values, ties by item number."""
    return np.argsort(-np.asarray(values, np.float64), kind="stable")[:k].astype(np.int64)


def f1(found: Found, truth: Found) -> float:
    """Return the F1 of a list of items against the true one: 2 hits / (both lengths)."""
    both = len(found) + len(truth)
    return 2.0 * len(np.intersect1d(found, truth)) / both if both else 0.0
