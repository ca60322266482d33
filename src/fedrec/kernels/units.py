"""Decayed states of norm 1 on a basis, and their sums: what the private next-item model releases.

The state before step p is sum over earlier steps a of g^(p-1-a) times the basis rows of the items of step a, divided
by its norm; 0 where nothing came before or the rows cancel. One compiled recursion serves the single client and the
cohort, so both see the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.kernels import lanes

FloatArray = NDArray[np.float64]
TINY = 1e-12  # a shorter state has no direction worth the name
FADE = 4.0  # steps in which a target's weight falls by a factor of 2 at recency 1


def plain_states(items: NDArray[np.int32], steps: NDArray[np.int32], basis: FloatArray, decay: float) -> FloatArray:
    """Return the state before each interaction of one user, (m, r) float64, norms 1 or 0."""
    out = np.zeros((len(items), basis.shape[1]))
    for row, now in enumerate(steps):
        before = steps < now
        out[row] = (float(decay) ** (now - 1 - steps[before])) @ basis[items[before]]
    norms = np.linalg.norm(out, axis=1, keepdims=True)
    return np.asarray(np.divide(out, norms, out=np.zeros_like(out), where=norms > TINY))


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _unit(state, out):  # type: ignore[no-untyped-def]
    square = 0.0
    for c in range(len(state)):
        square += state[c] * state[c]
    norm = np.sqrt(square)
    for c in range(len(state)):
        out[c] = state[c] / norm if norm > TINY else 0.0


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _states(out, first, items, steps, basis, decay):  # type: ignore[no-untyped-def]
    """Write the states of one user's interactions to columns ``first``.. of ``out``."""
    width = basis.shape[1]
    state = np.zeros(width)
    pending = np.zeros(width)
    for p in range(len(items)):
        if p > 0 and steps[p] != steps[p - 1]:
            for c in range(width):
                state[c] = decay * state[c] + pending[c]
                pending[c] = 0.0
        _unit(state, out[p, first : first + width])
        for c in range(width):
            pending[c] += basis[items[p], c]


def unit_states(
    items: NDArray[np.int32], steps: NDArray[np.int32], bases: list[FloatArray], decay: float
) -> FloatArray:
    """Return ``plain_states`` of each basis side by side, (m, all columns) float64."""
    out, first = np.zeros((len(items), sum(b.shape[1] for b in bases))), 0
    for basis in bases:
        _states(out, first, items, steps, basis, decay)
        first += basis.shape[1]
    return out


def target_weights(
    items: NDArray[np.int32], steps: NDArray[np.int32], recency: float, most: float = np.inf
) -> FloatArray:
    """Return the weight of each interaction as a target, (m,) float64, their squares adding up to 1 (or all 0).

    Targets are first occurrences with something before them; one that lies a steps before the last step weighs
    (1 + a / FADE)^-recency against the others. None weighs more than ``most``.
    """
    out = np.zeros(len(items))
    first = np.unique(items, return_index=True)[1]
    at = first[steps[first] > 0]
    if len(at):
        age = (steps[-1] - steps[at]).astype(np.float64)
        weight = (1.0 + age / FADE) ** -float(recency)
        out[at] = np.minimum(weight / np.sqrt(np.square(weight).sum()), most)
    return out


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add(ring, items, states, weights, scale):  # type: ignore[no-untyped-def]
    for p in range(len(items)):
        if weights[p] != 0.0:
            for c in range(states.shape[1]):
                ring[items[p], c] += np.int64(np.rint(states[p, c] * weights[p] * scale))


def second_moment(states: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the sum of weight^2 z z' over rows z of ``states``, (r, r); call it with one BLAS thread."""
    scaled = states * weights[:, None]
    return np.asarray(scaled.T @ scaled)


def _summed(users: Interactions, ring: NDArray[Any], one: Callable[[NDArray[np.int64], slice], None]) -> None:
    """Call ``one(sum, interactions of a user)`` for every user, each thread with a sum of its own, and add them up."""

    def task(start: int, stop: int) -> NDArray[np.int64]:
        mine = np.zeros(ring.shape, np.int64)
        for u in range(start, stop):
            one(mine, slice(int(users.offsets[u]), int(users.offsets[u + 1])))
        return mine

    with lanes.one_blas_thread():
        for part in lanes.run(task, lanes.balanced(users.offsets, lanes.threads())):
            ring += part.astype(ring.dtype)


def add_targets(
    users: Interactions,
    steps: NDArray[np.int32],
    basis: FloatArray,
    decay: float,
    recency: float,
    ring: NDArray[Any],
    quantum: float,
    most: float = np.inf,
) -> None:
    """Add each target's weight times the state before it to its item's row of ``ring`` (n_items, r), in quanta."""

    def one(mine: NDArray[np.int64], at: slice) -> None:
        weights = target_weights(users.items[at], steps[at], recency, most)
        _add(mine, users.items[at], unit_states(users.items[at], steps[at], [basis], decay), weights, 1.0 / quantum)

    _summed(users, ring, one)


def add_moments(
    users: Interactions,
    steps: NDArray[np.int32],
    bases: list[FloatArray],
    decay: float,
    recency: float,
    ring: NDArray[Any],
    quantum: float,
    most: float = np.inf,
) -> None:
    """Add each user's ``second_moment`` of all bases' states to ``ring`` (r, r), in quanta."""

    def one(mine: NDArray[np.int64], at: slice) -> None:
        weights = target_weights(users.items[at], steps[at], recency, most)
        states = unit_states(users.items[at], steps[at], bases, decay)
        mine += np.rint(second_moment(states, weights) / quantum).astype(np.int64)

    _summed(users, ring, one)
