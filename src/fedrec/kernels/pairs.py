"""Sums over pairs of one user's interactions: co-occurrence and decayed next-item statistics.

Each is computed row by row of the n x n result: for item i, walk the users who have i, and add their other items
into one cached row. Rows are independent, so threads need no buffers.

``positions`` (nnz,) int32 is the step of an interaction inside its history: 0, 1, 2, .. by items, or the number of its
basket. Weights are quantised before they are added (``1 / quantum`` steps), so the result is a sum of integers.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.kernels import lanes

TINY = 1e-6  # contributions of a decayed state below this weight are left out (sequential.md, section 1)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _cooccurrence(out, start, stop, item_offsets, rows, where, offsets, items):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        row = out[i]
        for e in range(item_offsets[i], item_offsets[i + 1]):
            u = rows[e]
            for r in range(where[e], offsets[u + 1]):
                row[items[r]] += 1


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _decayed(  # type: ignore[no-untyped-def]
    gram,
    cross,
    start,
    stop,
    item_offsets,
    rows,
    where,
    offsets,
    items,
    positions,
    weights,
    powers_a,
    powers_b,
    tails,
    gram_scale,
    cross_scale,
    both,
    want_cross,
):
    """Add the decayed sums of the source items [start, stop).

    gram[i_q, i_r] += g^|q-r| tail(max(q, r)), g the decay of the *earlier* one; with ``both`` False only r >= q is
    walked and the caller adds the transpose. cross[i_q, i_p] += a^(p-1-q) for p > q.
    """
    for i in range(start, stop):
        for e in range(item_offsets[i], item_offsets[i + 1]):
            u = rows[e]
            q = where[e]
            last = positions[offsets[u + 1] - 1]
            weight = weights[u]
            at = positions[q]
            lo = offsets[u] if both else q
            for r in range(lo, offsets[u + 1]):
                d = positions[r] - at
                if d > 0:
                    c = powers_a[d - 1] if d <= len(powers_a) else 0.0
                    if c == 0.0:
                        break
                    if want_cross:
                        cross[i, items[r]] += np.int64(np.rint(c * weight * cross_scale))
                if d >= 0:
                    if d < len(powers_a):
                        w = powers_a[d] * tails[last - positions[r]] * weight
                        gram[i, items[r]] += np.int64(np.rint(w * gram_scale))
                elif -d < len(powers_b):
                    w = powers_b[-d] * tails[last - at] * weight
                    gram[i, items[r]] += np.int64(np.rint(w * gram_scale))


def cooccurrence(users: Interactions, out: NDArray[Any]) -> None:
    """Add X'X to ``out`` (n_items, n_items) int32 or int64, X the users' 0/1 rows (histories without repeats)."""
    half = np.zeros_like(out)
    offsets, rows, where = users.by_item()

    def task(start: int, stop: int) -> None:
        _cooccurrence(half, start, stop, offsets, rows, where, users.offsets, users.items)

    lanes.run(task, lanes.balanced(offsets, 4 * lanes.threads()))
    add_mirrored(half, out)


def add_mirrored(half: NDArray[Any], out: NDArray[Any]) -> None:
    """Add ``half + half' - diag(half)`` to ``out``, in row blocks."""
    n = len(half)
    for a in range(0, n, 256):
        out[a : a + 256] += half[a : a + 256]
        out[a : a + 256] += half[:, a : a + 256].T
    out[np.arange(n), np.arange(n)] -= np.diagonal(half)


def decay_powers(decay: float, longest: int) -> NDArray[np.float64]:
    """Return g^0 .. g^longest, cut where below TINY (a power of zero for g = 0 is 1)."""
    powers = np.power(float(decay), np.arange(longest + 1, dtype=np.float64))
    return powers[: max(1, int(np.sum(powers >= TINY)))]


def tail_sums(product: float, longest: int) -> NDArray[np.float64]:
    """Return sum_{s < t} product^s for t = 0 .. longest + 1: how much of a state the remaining steps see."""
    return np.concatenate([[0.0], np.cumsum(np.power(float(product), np.arange(longest + 1, dtype=np.float64)))])


def decayed_sums(
    users: Interactions,
    positions: NDArray[np.int32],
    weights: NDArray[np.float64],
    decays: tuple[float, ...],
    gram: NDArray[np.int64],
    cross: NDArray[np.int64],
    gram_quantum: float,
    cross_quantum: float,
) -> None:
    """Add the sums of the next-item model: G to ``gram`` (k n, k n), C to ``cross`` (k n, n), both int64.

    ``weights`` (n_users,) float64 multiplies what each user adds, before it is quantised.
    Source: sequential.md, section 1; the closed form per pair of positions. Histories must not repeat an item.
    """
    n = users.n_items
    offsets, rows, where = users.by_item()
    longest = int(positions.max()) if len(positions) else 0
    powers = [decay_powers(g, longest) for g in decays]
    for a, ga in enumerate(decays):
        for b in range(a, len(decays)):
            tails = tail_sums(ga * decays[b], longest)
            block = np.zeros((n, n), np.int64)
            target = cross[a * n : (a + 1) * n]

            def task(start: int, stop: int, a: int = a, b: int = b, block: Any = block, tails: Any = tails,
                     target: Any = target) -> None:  # fmt: skip
                _decayed(
                    block, target, start, stop, offsets, rows, where, users.offsets, users.items, positions,
                    weights, powers[a], powers[b], tails, 1.0 / gram_quantum, 1.0 / cross_quantum, a != b, a == b,
                )  # fmt: skip

            lanes.run(task, lanes.balanced(offsets, 4 * lanes.threads()))
            own = gram[a * n : (a + 1) * n, b * n : (b + 1) * n]
            if a == b:
                add_mirrored(block, own)
            else:
                own += block
                gram[b * n : (b + 1) * n, a * n : (a + 1) * n] += block.T
