"""Decayed states projected on a basis: what the low-rank next-item model sums.

For a decay g and a basis (n, r), the state before step p is sum over earlier steps a of g^(p-1-a) times the basis rows
of the items of step a. Backwards, the same recursion gives what follows an item. A task owns a range of columns of the
basis, so threads need no buffers.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.kernels import lanes

FloatArray = NDArray[np.float64]


def plain_projection(
    items: NDArray[np.int32], steps: NDArray[np.int32], basis: FloatArray, decay: float, backwards: bool = False
) -> FloatArray:
    """Return the projected state before (backwards: after) each interaction of one user, (m, r) float64."""
    if backwards:
        return plain_projection(items[::-1], steps.max(initial=0) - steps[::-1], basis, decay)[::-1]
    out = np.zeros((len(items), basis.shape[1]))
    state, pending, at = np.zeros(basis.shape[1]), np.zeros(basis.shape[1]), 0
    for p, item in enumerate(items):
        if steps[p] != at:
            state, pending, at = decay * state + pending, np.zeros(basis.shape[1]), int(steps[p])
        out[p] = state
        pending = pending + basis[item]
    return out


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _project(ring, first, start, stop, offsets, items, steps, basis, decay, backwards, scale, limit):  # type: ignore[no-untyped-def]
    """Add rint(state * scale) of each interaction to the ring row of its item; columns [start, stop) of the basis.

    Steps beyond ``limit`` are cut: with each item once, an interaction is all that a user adds to its entries.
    """
    width = stop - start
    state = np.zeros(width)
    pending = np.zeros(width)
    for u in range(len(offsets) - 1):
        lo, hi = offsets[u], offsets[u + 1]
        state[:] = 0.0
        pending[:] = 0.0
        for x in range(hi - lo):
            p = hi - 1 - x if backwards else lo + x
            if x > 0 and steps[p] != steps[p + 1 if backwards else p - 1]:
                for c in range(width):
                    state[c] = decay * state[c] + pending[c]
                    pending[c] = 0.0
            row = items[p]
            for c in range(width):
                ring[row, first + start + c] += np.int64(np.rint(min(max(state[c] * scale, -limit), limit)))
                pending[c] += basis[row, start + c]


def add_projection(
    users: Interactions,
    steps: NDArray[np.int32],
    basis: FloatArray,
    decay: float,
    ring: NDArray[Any],
    first: int,
    quantum: float,
    bound: float,
    backwards: bool = False,
) -> None:
    """Add the projected states of all users to columns ``first``.. of ``ring`` (n_items, columns), in quanta.

    Histories without repeats; entries of one user are cut at ``bound``, as the pipeline cuts them (baskets add up).
    """
    scale = 1.0 / quantum
    columns = lanes.even(basis.shape[1], lanes.threads())
    lanes.run(
        lambda a, b: _project(
            ring, first, a, b, users.offsets, users.items, steps, basis, decay, backwards, scale, bound * scale
        ),
        columns,
    )


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _states(out, first, lo, hi, items, steps, basis, decay):  # type: ignore[no-untyped-def]
    width = basis.shape[1]
    state = np.zeros(width)
    pending = np.zeros(width)
    for p in range(lo, hi):
        if p > lo and steps[p] != steps[p - 1]:
            for c in range(width):
                state[c] = decay * state[c] + pending[c]
                pending[c] = 0.0
        for c in range(width):
            out[p - lo, first + c] = state[c]
            pending[c] += basis[items[p], c]


def add_moments(
    users: Interactions,
    steps: NDArray[np.int32],
    bases: list[FloatArray],
    decays: tuple[float, ...],
    ring: NDArray[Any],
    quantum: float,
    bound: float,
) -> None:
    """Add each user's sum of z z' to ``ring`` (r, r), z the projected states side by side, entries cut at ``bound``."""
    width = sum(b.shape[1] for b in bases)

    def task(start: int, stop: int) -> NDArray[np.int64]:
        mine = np.zeros(ring.shape, np.int64)
        for u in range(start, stop):
            lo, hi = int(users.offsets[u]), int(users.offsets[u + 1])
            z, first = np.empty((hi - lo, width)), 0
            for basis, decay in zip(bases, decays, strict=True):
                _states(z, first, lo, hi, users.items, steps, basis, decay)
                first += basis.shape[1]
            mine += np.rint(np.clip(z.T @ z, -bound, bound) / quantum).astype(np.int64)
        return mine

    with lanes.one_blas_thread():
        for part in lanes.run(task, lanes.balanced(users.offsets, lanes.threads())):
            ring += part
