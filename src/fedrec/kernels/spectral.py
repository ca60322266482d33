"""Sums of X~'(X~ Q) and of rows of X~'X~, for filters on the item graph; X~ the degree-normalised interactions."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.kernels import lanes


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _project(out, start, stop, offsets, items, probe, clip):  # type: ignore[no-untyped-def]
    r = probe.shape[1]
    acc = np.empty(r)
    for u in range(start, stop):
        acc[:] = 0.0
        for e in range(offsets[u], offsets[u + 1]):
            row = probe[items[e]]
            for c in range(r):
                acc[c] += row[c]
        many = max(offsets[u + 1] - offsets[u], 1)
        share = 1.0 / many
        if clip < 1.0:
            length = np.sqrt(many * np.sum(np.square(acc * share)))  # of the mean in each of the user's rows
            if length > clip:
                share *= clip / length
        for c in range(r):
            out[u, c] = acc[c] * share


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _spread(ring, start, stop, item_offsets, rows, projected, scale):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        total = ring[i]
        for e in range(item_offsets[i], item_offsets[i + 1]):
            mine = projected[rows[e]]
            for c in range(len(total)):
                total[c] += np.int64(np.rint(np.float64(mine[c]) * scale))


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _pair_rows(ring, start, stop, first, item_offsets, rows, offsets, items, scale):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        total = ring[i - first]
        for e in range(item_offsets[i], item_offsets[i + 1]):
            u = rows[e]
            step = np.int64(np.rint(1.0 / (offsets[u + 1] - offsets[u]) * scale))
            for f in range(offsets[u], offsets[u + 1]):
                total[items[f]] += step


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_pairs(out, start, stop, offsets, items, pair_offsets, pair_items, pair_values):  # type: ignore[no-untyped-def]
    for u in range(start, stop):
        for e in range(offsets[u], offsets[u + 1]):
            for p in range(pair_offsets[items[e]], pair_offsets[items[e] + 1]):
                out[u, pair_items[p]] += pair_values[p]


def project(users: Interactions, probe: NDArray[np.float32], clip: float = 1.0) -> NDArray[np.float32]:
    """Return the mean row of ``probe`` (n_items, r) over each user's items, (n_users, r); histories without repeats.

    ``clip``: below 1, what a user adds to the rows of all their items is scaled down to this L2 norm.
    """
    out = np.empty((users.n_users, probe.shape[1]), np.float32)

    def task(start: int, stop: int) -> None:
        _project(out, start, stop, users.offsets, users.items, probe, clip)

    lanes.run(task, lanes.balanced(users.offsets, 4 * lanes.threads()))
    return out


def add_products(users: Interactions, projected: NDArray[np.float32], ring: NDArray[Any], quantum: float) -> None:
    """Add each user's row of ``projected`` to the rows of the user's items in ``ring`` (n_items, r), in steps."""
    offsets, rows, _ = users.by_item()

    def task(start: int, stop: int) -> None:
        _spread(ring, start, stop, offsets, rows, projected, 1.0 / quantum)

    lanes.run(task, lanes.balanced(offsets, 4 * lanes.threads()))


def add_pair_rows(users: Interactions, first: int, ring: NDArray[Any], quantum: float) -> None:
    """Add 1 / (number of a user's items) for each pair of them, the first in [first, first + rows), to ``ring``.

    ``ring`` (rows, n_items), in integer steps; rows beyond the catalogue stay as they are. No repeats in a history.
    """
    offsets, rows, _ = users.by_item()
    last = min(first + len(ring), users.n_items)

    def task(start: int, stop: int) -> None:
        _pair_rows(ring, first + start, first + stop, first, offsets, rows, users.offsets, users.items, 1.0 / quantum)

    lanes.run(task, lanes.balanced(offsets[first : last + 1], 4 * lanes.threads()))


def add_pair_scores(
    users: Interactions,
    out: NDArray[np.float32],
    pair_offsets: NDArray[np.int64],
    pair_items: NDArray[np.int32],
    pair_values: NDArray[np.float32],
) -> None:
    """Add the sparse rows of each user's items to ``out`` (n_users, n_items); histories without repeats."""

    def task(start: int, stop: int) -> None:
        _add_pairs(out, start, stop, users.offsets, users.items, pair_offsets, pair_items, pair_values)

    lanes.run(task, lanes.balanced(users.offsets, lanes.threads()))
