"""Local training of matrix factorisation for many clients: explicit vectors, integer sums, no dense update a client.

One compiled ``train_client`` trains one person on their own rows; ``_rounds`` calls it for a range of people and adds
each one's clipped and rounded difference to the ring. With the item table frozen it folds people in.
The plain version is ``fedrec.algorithms.fedmf.FedMF.client_update``. Threads own integer buffers that are added up:
the same bytes for any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ContractError, Interactions
from fedrec.kernels import lanes
from fedrec.kernels.draws import FREE, draw, mark, negative, unmark
from fedrec.kernels.sgd_step import bounded, group_step, norm2
from fedrec.kernels.vectors import LANES, add_steps, copy, subtract, width_of

FloatRows = NDArray[np.float32]
EXACT = 2.0**51  # steps that add_steps can round in one 64-bit vector operation


@dataclass(frozen=True)
class Local:
    """Settings of one client's training: see fedrec.algorithms.fedmf.Config."""

    epochs: int
    negatives: int
    bpr: bool
    shuffle: bool
    lr: float
    item_lr: float
    decay: float

    @property
    def full(self) -> tuple[int, ...]:
        """Return the token whose type tells the kernels the size of a group."""
        return (0,) * (1 + self.negatives)

    def packed(self) -> tuple[int, bool, bool, np.float32, np.float32, np.float32, np.float32]:
        """Return what the kernels take, with the penalty folded into factors."""
        f = np.float32
        shrink, keep = f(self.lr * self.decay), f(1.0 - self.item_lr * self.decay)
        return self.epochs, self.shuffle, self.bpr, f(self.lr), f(self.item_lr), shrink, keep


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def train_client(table, scratch, vector, at, history, avoid, key, local, width, full):  # type: ignore[no-untyped-def]
    """Train one client on copies of its rows; return the number of touched rows. ``vector[at:]`` is updated."""
    rows, slot, touched, free, order, group = scratch
    epochs, shuffle, bpr, lr, item_lr, shrink, keep = local
    d = LANES * len(width)
    own, left, listed = mark(slot, touched, history, avoid, free)
    for r in range(own):
        copy(rows, r * d, table, touched[r] * d, width)
    size = min(len(full), 1 + left)
    group[size:] = len(slot)
    met = own
    counter = np.uint64(0)
    n = len(history)
    for _ in range(epochs):
        for e in range(n):
            order[e] = e
        if shuffle:
            for last in range(n - 1, 0, -1):
                other = draw(key, counter, last + 1)
                counter += np.uint64(1)
                order[last], order[other] = order[other], order[last]
        for e in range(n):
            group[0] = slot[history[order[e]]]
            for g in range(1, size):
                i, counter = negative(key, counter, slot, own, free, left, listed, group, g)
                s = slot[i]
                new = s == FREE
                # no branch: a row met before is copied too, to the next empty place, where it does no harm
                touched[met] = i
                copy(rows, met * d, table, i * d, width)
                s = met if new else s
                slot[i] = s
                group[g] = s
                met += new
            group_step(vector, at, rows, group, size, bpr, lr, item_lr, shrink, keep, width, full)
    unmark(slot, touched, met, avoid)
    return met


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def scratch_for(n_items, longest, d, members):  # type: ignore[no-untyped-def]
    """Return (rows, slot, touched, free, order, group): one spare row at the end for unused places of a group."""
    rows = np.empty((n_items + 1) * d, np.float32)
    rows[n_items * d :] = 0.0
    group = np.full(members, n_items, np.int32)
    marks = np.full(n_items, FREE, np.int32)
    ids = np.empty(n_items + 1, np.int32)
    return rows, marks, ids, np.empty(n_items, np.int32), np.empty(longest, np.int64), group


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _rounds(table, ring, counts, vectors, start, stop, people, keys, longest, bounds, scale, exact, add, local, width,
            full):  # type: ignore[no-untyped-def]  # fmt: skip
    """Train the clients [start, stop) and, with ``add``, add their updates; return (clipped, not finite).

    ``bounds``: (of a user's whole update, then of one row of it or 0); ``counts`` is empty where nobody asks for them.
    """
    clip, row_clip = bounds
    offsets, items, avoid_offsets, avoid_items = people
    d = LANES * len(width)
    scratch = scratch_for(len(table) // d, longest, d, len(full))
    rows, touched = scratch[0], scratch[2]
    clipped = 0
    broken = 0
    for u in range(start, stop):
        met = train_client(
            table, scratch, vectors, u * d, items[offsets[u] : offsets[u + 1]],
            avoid_items[avoid_offsets[u] : avoid_offsets[u + 1]], keys[u], local, width, full,
        )  # fmt: skip
        if not add:
            continue
        square = 0.0
        for r in range(met):
            own = np.float64(subtract(rows, r * d, table, touched[r] * d, width))
            square += own
        if not np.isfinite(square):
            broken += 1
            continue
        factor = 1.0
        if square > clip * clip:
            factor = clip / np.sqrt(square)
            clipped += 1
        for r in range(met):
            i = touched[r]
            if len(counts):
                counts[i] += 1
            if row_clip > 0.0:
                bounded(rows, r * d, d, norm2(rows, r * d, d), row_clip / factor)
            if exact:
                add_steps(ring, i * d, rows, r * d, factor * scale, width)
            else:
                for c in range(d):
                    ring[i * d + c] += np.int64(np.rint(np.float64(rows[r * d + c]) * (factor * scale)))
    return clipped, broken


def people_of(users: Interactions) -> tuple[NDArray[Any], ...]:
    """Return (offsets, items, avoid offsets, avoid items): what the kernels read of a cohort."""
    if users.avoid_offsets is None or users.avoid_items is None:
        return users.offsets, users.items, np.zeros(users.n_users + 1, np.int64), np.empty(0, np.int32)
    return users.offsets, users.items, users.avoid_offsets, users.avoid_items


def factor_round(
    table: FloatRows,
    vectors: FloatRows,
    users: Interactions,
    keys: NDArray[np.uint64],
    local: Local,
    bounds: tuple[float, float],
    ring: dict[str, NDArray[Any]],
    quantum: float,
) -> int:
    """Train every client for a round; add their updates to ``ring["items"]`` and ``ring["rows"]`` where there is one.

    ``table`` (n_items, d), ``vectors`` (u, d) float32, updated in place; ``bounds``: L2 of a user's update, and of one
    row of it (0: none); ``quantum``: value of one step of the ring.
    Returns how many updates were clipped.
    """
    sums, counts = ring["items"], ring.get("rows", np.empty(0, np.int32))
    width, people = width_of(table.shape[1]), people_of(users)
    longest = int(users.lengths().max(initial=0))
    limits = (float(bounds[0]), float(bounds[1]))
    exact = sums.dtype == np.int32 or limits[0] / quantum < EXACT

    def task(start: int, stop: int) -> tuple[Any, Any, int, int]:
        first = start == 0  # writes into the ring itself, the others into buffers of their own
        mine, rows = (sums, counts) if first else (np.zeros_like(sums), np.zeros_like(counts))
        clipped, broken = _rounds(
            table.reshape(-1), mine.reshape(-1), rows, vectors.reshape(-1), start, stop, people, keys, longest,
            limits, 1.0 / quantum, exact, True, local.packed(), width, local.full,
        )  # fmt: skip
        return mine, rows, clipped, broken

    results = lanes.run(task, lanes.balanced(users.offsets, lanes.threads()))
    for mine, rows, _, _ in results[1:]:
        sums += mine
        counts += rows
    if any(broken for *_, broken in results):
        raise ContractError("an update holds a value that is not finite: local training diverged, lower lr or item_lr")
    return sum(clipped for *_, clipped, _ in results)


def fold_in(
    table: FloatRows, vectors: FloatRows, users: Interactions, keys: NDArray[np.uint64], local: Local, ring: Any
) -> None:
    """Train the users' ``vectors`` (u, d) in place with the item table frozen.

    ``ring``: the integer type of the rounds' ring, so that one compiled kernel serves both.
    """
    frozen = replace(local, item_lr=0.0)
    width, people = width_of(table.shape[1]), people_of(users)
    longest = int(users.lengths().max(initial=0))
    nothing, none = np.empty(0, ring), np.empty(0, np.int32)

    def task(start: int, stop: int) -> None:
        _rounds(
            table.reshape(-1), nothing, none, vectors.reshape(-1), start, stop, people, keys, longest, (1.0, 0.0), 1.0,
            True, False, frozen.packed(), width, local.full,
        )  # fmt: skip

    lanes.run(task, lanes.balanced(users.offsets, lanes.threads()))
