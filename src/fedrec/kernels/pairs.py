"""Sums over pairs of one user's interactions: co-occurrence and decayed next-item statistics.

Each is computed row by row of the n x n result: for item i, walk the users who have i, and add their other items
into one cached row. Rows are independent, so threads need no buffers.

``positions`` (nnz,) int32 is the step of an interaction inside its history: 0, 1, 2, .. by items, or the number of its
basket. Weights are quantised before they are added (``1 / quantum`` steps), so the result is a sum of integers.
"""

from __future__ import annotations

from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions, Part, Stat
from fedrec.kernels import lanes
from fedrec.kernels.steps import length_steps, length_weights
from fedrec.kernels.vectors import add_two

TINY = 1e-6  # contributions of a decayed state below this weight are left out (sequential.md, section 1)
KNOWN = 1 << 16  # weights worked out beforehand: half a megabyte, which stays in the cache
TILE = 32  # rows and columns of the squares in which a matrix is read across


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _cooccurrence(out, start, stop, item_offsets, rows, where, offsets, items, steps):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        row = out[i]
        for e in range(item_offsets[i], item_offsets[i + 1]):
            rest = items[where[e] : offsets[rows[e] + 1]]
            whole = rest.shape[0] // 8 * 8
            one = np.int64(1)
            if steps is not None:  # None is another compiled kernel, without this
                one = steps[rows[e]]
            for r in range(0, whole, 8):  # eight numbers are read before a write that might change them
                i0, i1, i2, i3 = rest[r], rest[r + 1], rest[r + 2], rest[r + 3]
                i4, i5, i6, i7 = rest[r + 4], rest[r + 5], rest[r + 6], rest[r + 7]
                row[i0] += one
                row[i1] += one
                row[i2] += one
                row[i3] += one
                row[i4] += one
                row[i5] += one
                row[i6] += one
                row[i7] += one
            for r in range(whole, rest.shape[0]):
                row[rest[r]] += one


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _windows(start, stop, offsets, positions, reach, ends):  # type: ignore[no-untyped-def]
    """Write, for each interaction of users [start, stop), where those at most ``reach`` steps after it end."""
    for u in range(start, stop):
        end = offsets[u]
        for q in range(offsets[u], offsets[u + 1]):
            while end < offsets[u + 1] and positions[end] - positions[q] <= reach:
                end += 1
            ends[q] = end


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _weigh(weight, powers, late_tails, left, factor, scale):  # type: ignore[no-untyped-def]
    """Write the steps added d steps after a source that has ``left`` steps after it: factor g^d tail(left - d)."""
    tails = late_tails[late_tails.shape[0] - 1 - left :]
    for d in range(min(left + 1, powers.shape[0])):
        weight[d] = np.int64(np.rint(powers[d] * tails[d] * factor * scale))


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _weigh_step(step, powers, left, factor, scale):  # type: ignore[no-untyped-def]
    """Write the steps added to cross d steps after a source: factor g^(d-1)."""
    for d in range(min(left, powers.shape[0])):
        step[d + 1] = np.int64(np.rint(powers[d] * factor * scale))


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _decayed(  # type: ignore[no-untyped-def]
    gram, cross, start, stop, item_offsets, rows, where, offsets, ends, items, steps, factors,
    powers, late_tails, settled, scale, cross_scale,
):  # fmt: skip
    """Add the decayed sums of the source items [start, stop), each with itself and the later ones only.

    gram[i_q, i_r] += f g^(r-q) tail(r) for r >= q; cross[i_q, i_r] += f g^(r-q-1), f the user's factor.
    ``late_tails`` is tail_sums from its end, so that one source's weights are the product of two plain ranges; with
    ``settled`` steps or more after it, a source has the weights of one with ``settled``.
    """
    reach = powers.shape[0]
    weight = np.zeros(reach + 1, np.int64)  # the last stays 0: cross reaches one step further than gram
    steady = np.zeros(reach + 1, np.int64)
    if settled < late_tails.shape[0]:
        _weigh(steady, powers, late_tails, settled, 1.0, scale)
    known = np.zeros((min(settled, late_tails.shape[0] - 1, KNOWN // (reach + 1)), reach + 1), np.int64)
    if factors is None:
        for k in range(known.shape[0]):  # most sources are near an end, and many share it
            _weigh(known[k], powers, late_tails, k, 1.0, scale)
    cross_step = np.zeros(reach + 1, np.int64)
    _weigh_step(cross_step, powers, reach, 1.0, cross_scale)
    both = np.zeros(2 * gram.shape[1], np.int64)  # a row of gram and one of cross, number by number
    for i in range(start, stop):
        for e in range(item_offsets[i], item_offsets[i + 1]):
            q = where[e]
            at = steps[q]
            left = np.int64(steps[offsets[rows[e] + 1] - 1] - at)
            mine = steady
            if factors is not None:  # weights of this source alone; None is another compiled kernel, without this
                mine = weight
                _weigh(weight, powers, late_tails, left, factors[rows[e]], scale)
                _weigh_step(cross_step, powers, left, factors[rows[e]], cross_scale)
            elif left < known.shape[0]:
                mine = known[left]
            elif left < settled:
                mine = weight
                _weigh(weight, powers, late_tails, left, 1.0, scale)
            for r in range(q, ends[q]):
                d = steps[r] - at
                add_two(both, 2 * np.int64(items[r]), mine[d], cross_step[d])
        for j in range(gram.shape[1]):
            gram[i, j] += both[2 * j]
            cross[i, j] += both[2 * j + 1]
        both[:] = 0


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _forget_below(out, start, stop):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        out[i, :i] = 0


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _fold(out, start, stop):  # type: ignore[no-untyped-def]
    """Set out[i, j] and out[j, i] to their sum for rows i of the tiles [start, stop) and j > i."""
    n = out.shape[0]
    for first in range(start * TILE, min(stop * TILE, n), TILE):
        for begin in range(first, n, TILE):  # tiles: what is read down its columns stays in the cache
            for i in range(first, min(first + TILE, n)):
                for j in range(max(begin, i + 1), min(begin + TILE, n)):
                    out[i, j] += out[j, i]
                    out[j, i] = out[i, j]


def pair_stat(n_items: int, power: float, bits: Literal[32, 64]) -> Stat:
    """Return the statistic X'X in which a user with T items puts T^-power for each pair: counts where power is 0.

    T^2 entries T^-p have the Frobenius norm T^(1-p), at most n^(1-p).
    """
    if power == 0:
        return Stat((n_items, n_items), 1.0, float(n_items), counts=True, symmetric=True)
    return Stat((n_items, n_items), 1.0, float(n_items) ** (1.0 - power), bits, symmetric=True)


def user_pairs(items: NDArray[np.int32], power: float) -> Part:
    """Return one user's part of ``pair_stat``."""
    mine = np.unique(items)
    weight = length_weights(np.array([len(mine)]), power)[0]
    return Part(np.full((len(mine), len(mine)), weight), (mine, mine))


def weighted_pairs(users: Interactions, power: float, out: NDArray[Any], quantum: float) -> None:
    """Add every user's part of ``pair_stat`` to its ring ``out``; histories without repeats."""
    cooccurrence(users, out, length_steps(users.lengths(), power, quantum) if power else None)


def cooccurrence(users: Interactions, out: NDArray[Any], steps: NDArray[np.int64] | None = None) -> None:
    """Add X'X to the symmetric ``out`` (n_items, n_items) int32 or int64, X the users' 0/1 rows without repeats.

    ``steps`` (n_users,): what a user adds for each pair, 1 without it.
    """
    offsets, rows, where = users.by_item()
    items = users.items.view(np.uint32)  # an index without a sign needs no look at whether it counts from the end

    def task(start: int, stop: int) -> None:
        _cooccurrence(out, start, stop, offsets, rows, where, users.offsets, items, steps)

    forget_below(out)
    lanes.run(task, lanes.balanced(offsets, 4 * lanes.threads()))
    fold(out)


def forget_below(out: NDArray[Any]) -> None:
    """Set what is below the diagonal of a symmetric matrix to 0, so that ``fold`` counts it once.

    Half of each pair may then be added on either side of the diagonal, and no second matrix is needed: touching its
    memory for the first time would cost as much as the sums.
    """
    lanes.run(lambda a, b: _forget_below(out, a, b), lanes.even(len(out), 4 * lanes.threads()))


def fold(out: NDArray[Any]) -> None:
    """Add what is below the diagonal to what is above, and make the matrix symmetric again."""
    tiles = (len(out) + TILE - 1) // TILE
    lanes.run(lambda a, b: _fold(out, a, b), lanes.even(tiles, 8 * lanes.threads()))


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
    factors: NDArray[np.float64],
    decays: tuple[float, ...],
    gram: NDArray[np.int64],
    cross: NDArray[np.int64],
    gram_quantum: float,
    cross_quantum: float,
) -> None:
    """Add the sums of the next-item model: G to the symmetric ``gram`` (k n, k n), C to ``cross`` (k n, n), both int64.

    ``factors`` (n_users,) float64 multiplies what each user adds, before it is quantised.
    Source: sequential.md, section 1; the closed form per pair of positions. Histories must not repeat an item.
    """
    n = users.n_items
    offsets, rows, where = users.by_item()
    longest = int(positions.max()) if len(positions) else 0
    items, steps = users.items.view(np.uint32), positions.view(np.uint32)
    ends = np.empty(len(positions), np.int64)
    each = factors if (factors != 1.0).any() else None
    forget_below(gram)
    for a, ga in enumerate(decays):
        powers = decay_powers(ga, longest)
        _windows(0, users.n_users, users.offsets, positions, len(powers), ends)
        for b, gb in enumerate(decays):
            tails = tail_sums(ga * gb, longest)
            settled = int(np.argmax(tails == tails[-1])) + len(powers) - 1  # a sum of falling powers stops to change
            block = gram[a * n : (a + 1) * n, b * n : (b + 1) * n]
            arguments = (
                rows, where, users.offsets, ends, items, steps, each, powers, tails[::-1].copy(), settled,
                1.0 / gram_quantum, 1.0 / cross_quantum if a == b else 0.0,
            )  # fmt: skip

            def task(start: int, stop: int, block: Any = block, target: Any = cross[a * n : (a + 1) * n],
                     arguments: Any = arguments) -> None:  # fmt: skip
                _decayed(block, target, start, stop, offsets, *arguments)

            lanes.run(task, lanes.balanced(offsets, 4 * lanes.threads()))
            if a > b:
                block[np.arange(n), np.arange(n)] = 0  # an item with itself is in the block across
    fold(gram)
