"""Ranks and best items from a block of scores, history items masked; users are cut over threads.

A user's row is copied once into a padded buffer that stays in the cache, with -inf for the history: everything below
then reads that buffer alone, and nobody's scores are written to.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.kernels import lanes
from fedrec.kernels.vectors import at_least, lowest_bit, width_of

STEP = 64  # scores compared at once, and the unit the buffer is padded to
MOST_GROUPS = 1024  # finding the bound takes the square of this; longer lists are inserted into one by one
ALL = width_of(STEP)
LEAST = float(np.finfo(np.float32).min)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _load(scores, history, row):  # type: ignore[no-untyped-def]
    """Copy one user's scores and mask the history; return how many scores are not finite."""
    bad = np.int32(0)
    for j in range(scores.shape[0]):
        x = scores[j]
        row[j] = x
        bad += np.int32(not abs(x) < np.inf)
    for i in history:
        row[i] = -np.inf
    return bad


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _rank(row, own, masked):  # type: ignore[no-untyped-def]
    greater = np.int32(0)
    equal = np.int32(0)
    for j in range(row.shape[0]):  # two integer reductions without branches: the compiler makes vectors of them
        greater += np.int32(row[j] > own)
        equal += np.int32(row[j] == own)
    return 1.0 + greater + 0.5 * (equal if masked else equal - 1)  # the item itself is not among the others


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _bound(row, maxima, k):  # type: ignore[no-untyped-def]
    """Return a number that at least k scores reach (all, where fewer are left): the k-th largest maximum of groups.

    Group g is every len(maxima)-th score from g on, so that the maxima are taken side by side in vectors.
    """
    groups = maxima.shape[0]
    if k > groups:
        return np.float32(LEAST)
    maxima[:] = row[:groups]
    for start in range(groups, row.shape[0], groups):
        part = row[start : start + groups]  # indexed from 0 on, without a sign to check: a loop of vectors
        for g in range(groups):
            maxima[g] = part[g] if part[g] > maxima[g] else maxima[g]
    bound = np.float32(LEAST)  # above -inf: what is masked never reaches it
    for g in range(groups):
        x = maxima[g]
        reach = np.int32(0)
        for h in range(groups):
            reach += np.int32(maxima[h] >= x)
        if reach >= k and x > bound:
            bound = x
    return bound


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _reaching(row, bound, value, place):  # type: ignore[no-untyped-def]
    """Write the scores that reach the bound, in catalogue order; return how many, -1 if ``value`` is too short."""
    held = 0
    for start in range(0, row.shape[0], STEP):
        bits = at_least(row, start, bound, ALL)
        while bits != 0:
            if held == value.shape[0]:
                return -1
            j = start + lowest_bit(bits)
            value[held] = row[j]
            place[held] = j
            held += 1
            bits &= bits - 1
    return held


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _sort(value, place, held, best):  # type: ignore[no-untyped-def]
    """Write the best of the ``held`` items in falling order: an item's place is the number of items before it.

    Counting compares all pairs, but in vectors and without a branch that could be guessed wrong.
    """
    padded = (held + 15) // 16 * 16
    value[held:padded] = -np.inf
    for a in range(held):
        x = value[a]
        before = np.int32(0)
        for b in range(padded):
            before += np.int32((value[b] > x) | ((value[b] == x) & (np.int32(b) < np.int32(a))))
        if before < best.shape[0]:
            best[before] = place[a]


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _insert(row, bound, value, best):  # type: ignore[no-untyped-def]
    """Write the best items by inserting one by one: for rows with very many equal scores, or very long lists."""
    held, k = 0, best.shape[0]
    for j in range(row.shape[0]):
        s = row[j]
        if s < bound or (held == k and not s > value[k - 1]):
            continue
        p = held if held < k else k - 1
        while p > 0 and s > value[p - 1]:  # equal scores stay in the order they came
            value[p] = value[p - 1]
            best[p] = best[p - 1]
            p -= 1
        value[p] = s
        best[p] = j
        held = min(held + 1, k)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _users(scores, start, stop, offsets, items, target_offsets, targets, out, best):  # type: ignore[no-untyped-def]
    k = min(best.shape[1], scores.shape[1])
    groups = min((2 * k + STEP - 1) // STEP * STEP, MOST_GROUPS)  # twice k: few scores then reach the bound
    unit = max(groups, STEP)
    row = np.full((scores.shape[1] + unit - 1) // unit * unit, -np.inf, np.float32)
    maxima = np.empty(groups, np.float32)
    value, place = np.empty(max(2 * groups, k), np.float32), np.empty(max(2 * groups, k), np.int32)
    bad = 0
    for u in range(start, stop):
        bad += _load(scores[u], items[offsets[u] : offsets[u + 1]], row)
        for t in range(target_offsets[u], target_offsets[u + 1]):
            own = scores[u, targets[t]]
            out[t] = _rank(row, own, row[targets[t]] != own)
        if k:
            bound = _bound(row, maxima, k)
            held = _reaching(row, bound, value[: 2 * groups], place)
            if held < 0:
                _insert(row, bound, value, best[u, :k])
            else:
                _sort(value, place, held, best[u, :k])
    return bad


def rank_targets(
    scores: NDArray[np.float32],
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    target_offsets: NDArray[np.int64],
    targets: NDArray[np.int32],
    out: NDArray[np.float64],
    best: NDArray[np.int32],
) -> bool:
    """Write the rank of every target to ``out`` (t,): 1 + greater + half of the others tied, history masked.

    Each user's best items go to ``best`` (u, k), k >= 0, which holds -1 for places that stay empty; equal scores in
    catalogue order. Return whether all scores are finite; the results mean nothing where they are not.
    """
    found = lanes.run(
        lambda a, b: _users(scores, a, b, offsets, items, target_offsets, targets, out, best),
        lanes.even(len(scores), lanes.threads()),
    )
    return not any(found)
