"""Ranks and best items from a block of scores, history items masked; users are cut over threads."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.kernels import lanes

WIDTH = 16  # scores in a block whose maximum is looked at first


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _compare(row, own):  # type: ignore[no-untyped-def]
    greater = np.int32(0)
    equal = np.int32(0)
    for j in range(row.shape[0]):  # two integer reductions without branches: the compiler makes vectors of them
        greater += np.int32(row[j] > own)
        equal += np.int32(row[j] == own)
    return greater, equal


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _rank(scores, start, stop, offsets, items, target_offsets, targets, out):  # type: ignore[no-untyped-def]
    last_seen = np.zeros(scores.shape[1], np.int64)  # so that an item repeated in a history is masked once
    for u in range(start, stop):
        row = scores[u]
        for t in range(target_offsets[u], target_offsets[u + 1]):
            own = row[targets[t]]
            greater, equal = _compare(row, own)
            for e in range(offsets[u], offsets[u + 1]):
                i = items[e]
                if last_seen[i] != t + 1:
                    last_seen[i] = t + 1
                    if i != targets[t]:
                        greater -= np.int32(row[i] > own)
                        equal -= np.int32(row[i] == own)
            out[t] = 1.0 + greater + 0.5 * (equal - 1)


@numba.njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _block_maxima(row, maxima):  # type: ignore[no-untyped-def]
    for b in range(maxima.shape[0]):
        most = -np.inf
        for x in row[b * WIDTH : (b + 1) * WIDTH]:
            most = max(most, x)
        maxima[b] = most


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _insert(value, place, held, s, j):  # type: ignore[no-untyped-def]
    """Insert score s of item j into the k best, kept in falling order; equal scores stay in the order they came."""
    k = value.shape[0]
    if held == k and not s > value[k - 1]:
        return held
    p = held if held < k else k - 1
    while p > 0 and s > value[p - 1]:
        value[p] = value[p - 1]
        place[p] = place[p - 1]
        p -= 1
    value[p] = s
    place[p] = j
    return min(held + 1, k)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _top(scores, start, stop, offsets, items, best):  # type: ignore[no-untyped-def]
    """The k-th largest maximum of blocks is a lower bound of the k-th best score: most blocks are never scanned."""
    n, k = scores.shape[1], best.shape[1]
    row = np.empty(n, np.float32)
    maxima = np.empty((n + WIDTH - 1) // WIDTH, np.float32)
    value, place = np.empty(k, np.float32), np.empty(k, np.int32)
    for u in range(start, stop):
        row[:] = scores[u]
        for e in range(offsets[u], offsets[u + 1]):
            row[items[e]] = -np.inf
        _block_maxima(row, maxima)
        held = 0
        for b in range(maxima.shape[0]):
            held = _insert(value, place, held, maxima[b], np.int32(b))
        bound = value[k - 1] if held == k else np.float32(-np.inf)
        held = 0
        for b in range(maxima.shape[0]):
            if maxima[b] >= bound:
                for j in range(b * WIDTH, min((b + 1) * WIDTH, n)):
                    if row[j] >= bound and row[j] > -np.inf:
                        held = _insert(value, place, held, row[j], np.int32(j))
        best[u, :held] = place[:held]


def rank_targets(
    scores: NDArray[np.float32],
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    target_offsets: NDArray[np.int64],
    targets: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    """Write the rank of every target to ``out`` (t,): 1 + greater + half of the others tied, history masked."""
    lanes.run(
        lambda a, b: _rank(scores, a, b, offsets, items, target_offsets, targets, out),
        lanes.even(len(scores), lanes.threads()),
    )


def top_of_each(
    scores: NDArray[np.float32], offsets: NDArray[np.int64], items: NDArray[np.int32], best: NDArray[np.int32]
) -> None:
    """Write each user's best items to ``best`` (u, k), -1 where fewer are left; equal scores in catalogue order."""
    lanes.run(lambda a, b: _top(scores, a, b, offsets, items, best), lanes.even(len(scores), lanes.threads()))
