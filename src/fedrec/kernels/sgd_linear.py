"""Local training of pfedrec for many clients: a private linear layer on private copies of the touched item rows.

Plain version: ``fedrec.algorithms.pfedrec.PFedRec``. Threads own integer buffers: the same bytes for any number of
threads. A client's linear layer is a row of ``d`` weights and a bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ContractError, Interactions
from fedrec.kernels import lanes
from fedrec.kernels.draws import FREE, draw, mark, negative, unmark
from fedrec.kernels.sgd import EXACT, people_of
from fedrec.kernels.sgd_block import block_errors, block_gradient, block_push
from fedrec.kernels.sgd_step import bounded
from fedrec.kernels.vectors import LANES, add_steps, axpy, copy, dot, subtract, width_of

FloatRows = NDArray[np.float32]


@dataclass(frozen=True)
class LinearLocal:
    """Settings of one client's training: see fedrec.algorithms.pfedrec.Config; ``item_lr`` is the final product."""

    epochs: int
    negatives: int
    batch: int
    lr: float
    item_lr: float

    def packed(self) -> tuple[int, int, int, np.float32, np.float32]:
        """Return what the kernel takes."""
        return self.epochs, self.negatives, self.batch, np.float32(self.lr), np.float32(self.item_lr)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _draw_samples(scratch, samples, history, key, counter, met, marks, negatives):  # type: ignore[no-untyped-def]
    """Fill ``samples`` with 2 * row + label, each interaction and its negatives, shuffled; return (n, met, counter)."""
    slot, touched, free, group = scratch
    own, left, listed = marks
    n = 0
    for item in history:
        samples[n] = 2 * slot[item] + 1
        n += 1
        for g in range(1, 1 + min(negatives, left)):
            i, counter = negative(key, counter, slot, own, free, left, listed, group, g)
            s = slot[i]
            new = s == FREE
            touched[met] = i  # no branch: the next empty place takes an item met before too, for a moment
            s = met if new else s
            slot[i] = s
            met += new
            group[g] = s
            samples[n] = 2 * s
            n += 1
    for last in range(n - 1, 0, -1):
        other = draw(key, counter, last + 1)
        counter += np.uint64(1)
        samples[last], samples[other] = samples[other], samples[last]
    samples[n : n + LANES] = 0  # what the last block may read beyond the end
    return n, met, counter


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def train_linear(table, rows, scratch, buffers, history, avoid, key, bias, local, width):  # type: ignore[no-untyped-def]
    """Train one client on copies of its rows; return (touched rows, bias). ``buffers[0]`` is the weight, in place."""
    slot, touched, free, _ = scratch
    weight, gradient, errors, samples = buffers
    epochs, negatives, batch, lr, item_lr = local
    d = LANES * len(width)
    marks = mark(slot, touched, history, avoid, free)
    met = marks[0]
    held = 0
    counter = np.uint64(0)
    for _ in range(epochs):
        n, met, counter = _draw_samples(scratch, samples, history, key, counter, met, marks, negatives)
        for r in range(held, met):
            copy(rows, r * d, table, touched[r] * d, width)
        held = met
        for first in range(0, n, batch):
            last = min(first + batch, n)
            share = np.float32(1.0) / np.float32(last - first)
            gradient[:] = 0.0
            slope = np.float32(0.0)
            for e in range(first, last, LANES):
                block_errors(errors, 0, rows, samples, e, last - e, weight, bias, share, width)
                slope += block_gradient(gradient, errors, 0, rows, samples, e, width)
            axpy(weight, 0, -lr, gradient, 0, width)
            bias -= lr * slope
            if item_lr == 0.0:
                continue
            for e in range(first, last, LANES):  # all errors before any row moves: a row may be in a batch twice
                block_errors(errors, e - first, rows, samples, e, last - e, weight, bias, share, width)
            for e in range(first, last, LANES):
                block_push(rows, samples, e, errors, e - first, -item_lr, weight, width)
    unmark(slot, touched, met, avoid)
    return met, bias


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def linear_scratch(n_items, longest, batch, negatives, d):  # type: ignore[no-untyped-def]
    """Return (rows, (slot, touched, free, group), (weight, gradient, errors, samples)) for one thread."""
    scratch = (
        np.full(n_items, FREE, np.int32), np.empty(n_items + 1, np.int32), np.empty(n_items, np.int32),
        np.empty(1 + negatives, np.int32),
    )  # fmt: skip
    buffers = (
        np.empty(d, np.float32), np.empty(d, np.float32), np.zeros(batch + LANES, np.float32),
        np.empty(longest * (1 + negatives) + LANES, np.int32),
    )  # fmt: skip
    return np.empty(n_items * d, np.float32), scratch, buffers


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _rounds(table, ring, scores, layers, start, stop, people, keys, longest, bounds, local, width):  # type: ignore[no-untyped-def]
    """Train the clients [start, stop); add their updates where there is a ring, score all items where there is room.

    ``bounds``: (steps a unit, largest norm that one vector operation rounds, linf, bound of a row or 0). Returns
    (saturated entries, users with a number not finite).
    """
    offsets, items, avoid_offsets, avoid_items = people
    scale, safe, linf, row_clip = bounds
    d = LANES * len(width)
    n_items = len(table) // d
    rows, scratch, buffers = linear_scratch(n_items, longest, local[2], local[1], d)
    touched, weight = scratch[1], buffers[0]
    saturated = 0
    broken = 0
    for u in range(start, stop):
        history = items[offsets[u] : offsets[u + 1]]
        avoid = avoid_items[avoid_offsets[u] : avoid_offsets[u + 1]]
        copy(weight, 0, layers, u * (d + 1), width)
        bias = layers[u * (d + 1) + d]
        met, bias = train_linear(table, rows, scratch, buffers, history, avoid, keys[u], bias, local, width)
        copy(layers, u * (d + 1), weight, 0, width)
        layers[u * (d + 1) + d] = bias
        if len(scores):
            for i in range(n_items):
                scores[u * n_items + i] = dot(weight, 0, table, i * d, width) + bias
            for r in range(met):
                scores[u * n_items + touched[r]] = dot(weight, 0, rows, r * d, width) + bias
        if len(ring):
            bad = not np.isfinite(bias)
            for r in range(met):
                square = np.float64(subtract(rows, r * d, table, touched[r] * d, width))
                bad |= not np.isfinite(square)
                square = bounded(rows, r * d, d, square, row_clip)
                if square < safe * safe:
                    add_steps(ring, touched[r] * d, rows, r * d, scale, width)
                    continue
                for c in range(d):
                    x = np.float64(rows[r * d + c])
                    saturated += np.abs(x) > linf
                    x = min(max(x, -linf), linf)
                    ring[touched[r] * d + c] += np.int64(np.rint(x * scale))
            broken += bad
    return saturated, broken


def linear_round(
    table: FloatRows,
    layers: FloatRows,
    users: Interactions,
    keys: NDArray[np.uint64],
    local: LinearLocal,
    ring: NDArray[Any],
    quantum: float,
    linf: float,
    row_clip: float = 0.0,
) -> int:
    """Train every client for a round; add the differences of their touched rows to ``ring`` (n_items, d).

    ``table`` (n_items, d), ``layers`` (u, d + 1) float32, updated in place; ``row_clip``: L2 bound of one row of one
    user's difference (0: none). Returns how many entries were saturated.
    """
    width, people = width_of(table.shape[1]), people_of(users)
    longest = int(users.lengths().max(initial=0))
    bounds = (1.0 / quantum, float(min(linf, quantum * EXACT)), float(linf), float(row_clip))
    none = np.empty(0, np.float32)

    def task(start: int, stop: int) -> tuple[Any, int, int]:
        mine = ring if start == 0 else np.zeros_like(ring)
        saturated, broken = _rounds(
            table.reshape(-1), mine.reshape(-1), none, layers.reshape(-1), start, stop, people, keys, longest, bounds,
            local.packed(), width,
        )  # fmt: skip
        return mine, saturated, broken

    results = lanes.run(task, lanes.balanced(users.offsets, lanes.threads()))
    for mine, _, _ in results[1:]:
        ring += mine
    if any(broken for *_, broken in results):
        raise ContractError("an update holds a value that is not finite: local training diverged, lower lr or eta")
    return sum(saturated for _, saturated, _ in results)


def linear_scores(
    table: FloatRows,
    layers: FloatRows,
    users: Interactions,
    keys: NDArray[np.uint64],
    local: LinearLocal,
    ring: Any,
) -> NDArray[np.float32]:
    """Train every client and return the scores of all items with their own rows, (u, n_items) float32.

    Only a user's touched rows differ from the table, so no item table a user is ever held. ``layers`` is updated in
    place; ``ring``: the integer type of the rounds' ring, so that one compiled kernel serves both.
    """
    width, people = width_of(table.shape[1]), people_of(users)
    longest = int(users.lengths().max(initial=0))
    scores = np.empty((users.n_users, len(table)), np.float32)

    def task(start: int, stop: int) -> None:
        _rounds(
            table.reshape(-1), np.empty(0, ring), scores.reshape(-1), layers.reshape(-1), start, stop, people, keys,
            longest, (1.0, 1.0, 1.0, 0.0), local.packed(), width,
        )  # fmt: skip

    lanes.run(task, lanes.balanced(users.offsets, lanes.threads()))
    return scores
