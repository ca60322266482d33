"""Weighted sums of users' vectors by item, for statistics with one L2 bound over a user's whole history.

A user's weight on item j is c_ij = k_i w_j, or a largest weight where that is less: w_j is public, k_i makes the
squares of k_i w_j add up to a budget. All arithmetic is float64; client and cohort compute c_ij by the same compiled
loop over the history in its own order, so law 2 holds bit for bit.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.kernels import lanes
from fedrec.kernels.als import add_gram, unpack


def within(users: Interactions, places: NDArray[np.int32], m: int) -> Interactions:
    """Return the users with only the ``m`` items that have a place in 0 .. m - 1, renamed to it; -1: none."""
    mine = places[users.items]
    kept = np.concatenate([[0], np.cumsum(mine >= 0)])
    return Interactions(m, users.users, kept[users.offsets].astype(np.int64), mine[mine >= 0])


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _scales(out, offsets, items, weights, budget):  # type: ignore[no-untyped-def]
    for u in range(len(out)):
        square = 0.0
        for e in range(offsets[u], offsets[u + 1]):
            square += weights[items[e]] * weights[items[e]]
        out[u] = np.sqrt(budget / square) if square > 0.0 else 0.0


def scales(users: Interactions, weights: NDArray[np.float64], budget: float) -> NDArray[np.float64]:
    """Return each user's k, (n_users,): sum of (k w_j)^2 over the history is ``budget``; 0 without a history."""
    out = np.empty(users.n_users)
    _scales(out, users.offsets, users.items, weights, budget)
    return out


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _weighted(out, start, stop, item_offsets, rows, weights, factors, most, vectors, steps):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        for e in range(item_offsets[i], item_offsets[i + 1]):
            u = rows[e]
            c = min(factors[u] * weights[i], most)
            for a in range(vectors.shape[1]):
                out[i, a] += np.int64(np.rint(c * vectors[u, a] * steps))


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _weighted_outer(out, start, stop, item_offsets, rows, weights, factors, most, vectors, steps):  # type: ignore[no-untyped-def]
    d = vectors.shape[1]
    for i in range(start, stop):
        for e in range(item_offsets[i], item_offsets[i + 1]):
            u = rows[e]
            c = min(factors[u] * weights[i], most)
            for a in range(d):
                for b in range(a, d):
                    out[i, a, b] += np.int64(np.rint(c * (vectors[u, a] * vectors[u, b]) * steps))
        for a in range(d):
            for b in range(a):
                out[i, a, b] = out[i, b, a]


def add_weighted(
    users: Interactions,
    weights: NDArray[np.float64],
    factors: NDArray[np.float64],
    vectors: NDArray[np.float64],
    ring: NDArray[Any],
    quantum: float,
    most: float = np.inf,
) -> None:
    """Add k_u w_i u to ``ring[i]`` for each item i of each user, or k_u w_i u u' where the ring has three axes.

    ``factors`` (n_users,): k; ``vectors`` (n_users, d) float64; in integer steps of ``quantum``, a power of two;
    ``most``: largest weight k_u w_i.
    """
    offsets, rows, _ = users.by_item()
    kernel = _weighted if ring.ndim == 2 else _weighted_outer

    def task(start: int, stop: int) -> None:
        kernel(ring, start, stop, offsets, rows, weights, factors, most, vectors, 1.0 / quantum)

    lanes.run(task, lanes.balanced(offsets, 4 * lanes.threads()))


def add_symmetric(vectors: NDArray[np.float64], ring: NDArray[Any], quantum: float) -> None:
    """Add u u' of every user to ``ring`` (d, d), in integer steps."""
    packed = np.zeros(vectors.shape[1] * (vectors.shape[1] + 1) // 2, np.int64)
    add_gram(vectors, packed, quantum)
    ring += unpack(packed).astype(ring.dtype)  # whole numbers far below 2^53


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _cut(vectors, longest):  # type: ignore[no-untyped-def]
    for u in range(len(vectors)):
        square = 0.0
        for a in range(vectors.shape[1]):
            square += vectors[u, a] * vectors[u, a]
        if square > longest * longest:
            scale = longest / np.sqrt(square)
            for a in range(vectors.shape[1]):
                vectors[u, a] *= scale


def cut(vectors: NDArray[np.float64], longest: float) -> NDArray[np.float64]:
    """Scale longer rows of ``vectors`` (n, d) down to the norm ``longest``, in place, and return it."""
    _cut(vectors, longest)
    return vectors
