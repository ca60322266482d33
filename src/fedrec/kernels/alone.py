"""Federations of one: each client trains by itself for many rounds, on an item table of its own.

What "federation off" means, literally: the client broadcasts to itself, trains, and takes the server's step on its
own update alone, every round. Only rows the client ever touched differ from the start, so one copy of the table a
thread serves everybody. Rounding into the ring is left out: with one person in the sum it is far below float32.
Tested against the round loop with one client (tests/experiment/test_alone.py).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions, Key
from fedrec.kernels import lanes
from fedrec.kernels.draws import FREE
from fedrec.kernels.server_steps import FIRST, OPTIMISERS, SECOND
from fedrec.kernels.sgd import Local, people_of, scratch_for, train_client
from fedrec.kernels.sgd_linear import LinearLocal, linear_scratch, train_linear
from fedrec.kernels.sgd_step import bounded, norm2
from fedrec.kernels.vectors import LANES, axpy, copy, dot, subtract, width_of

FloatRows = NDArray[np.float32]


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _server_step(mine, state, at, difference, j, factor, kind, rate, epsilon, round, d):  # type: ignore[no-untyped-def]
    """Move the row ``mine[at:]`` by one step of sgd (0), adagrad (1) or adam (2); see kernels.server_steps."""
    squares, mean = state
    for c in range(d):
        g = np.float64(difference[j + c]) * factor
        if kind == 1:
            squares[at + c] = np.float64(squares[at + c]) + g * g
            g /= np.sqrt(np.float64(squares[at + c])) + epsilon
        elif kind == 2:
            mean[at + c] = FIRST * np.float64(mean[at + c]) + (1.0 - FIRST) * g
            squares[at + c] = SECOND * np.float64(squares[at + c]) + (1.0 - SECOND) * g * g
            root = np.sqrt(np.float64(squares[at + c]) / (1.0 - SECOND ** (round + 1.0))) + epsilon
            g = np.float64(mean[at + c]) / (1.0 - FIRST ** (round + 1.0)) / root
        mine[at + c] = np.float64(mine[at + c]) + rate * g


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _factors(table, scores, start, stop, people, known, keys, last_keys, longest, bounds, server, local, fold, width,
             full):  # type: ignore[no-untyped-def]  # fmt: skip
    """Train the clients [start, stop) of fedmf alone, fold each one in on its history and score all items."""
    offsets, items, avoid_offsets, avoid_items = people
    seen, seen_items, seen_avoid, seen_avoid_items = known
    kind, rate, epsilon = server
    clip, row_clip = bounds
    d = LANES * len(width)
    n_items = len(table) // d
    scratch = scratch_for(n_items, longest, d, len(full))
    rows, touched = scratch[0], scratch[2]
    mine = table.copy()
    state = (np.zeros(n_items * d, np.float32), np.zeros(n_items * d, np.float32))
    place = np.full(n_items, FREE, np.int32)  # of an item among this round's touched rows
    ever = np.empty(n_items, np.int32)
    ours = np.zeros(n_items, np.bool_)
    vector = np.empty(d, np.float32)
    nothing = np.zeros(d, np.float32)
    for u in range(start, stop):
        vector[:] = 0.0
        many = 0
        history = items[offsets[u] : offsets[u + 1]]
        avoid = avoid_items[avoid_offsets[u] : avoid_offsets[u + 1]]
        for r in range(len(keys)):
            met = train_client(mine, scratch, vector, 0, history, avoid, keys[r, u], local, width, full)
            square = 0.0
            for j in range(met):
                i = touched[j]
                square += np.float64(subtract(rows, j * d, mine, i * d, width))
                place[i] = j
                if not ours[i]:
                    ours[i] = True
                    ever[many] = i
                    many += 1
            factor = 1.0 if square <= clip * clip else clip / np.sqrt(square)
            for j in range(met if row_clip > 0.0 else 0):
                bounded(rows, j * d, d, norm2(rows, j * d, d), row_clip / factor)
            for e in range(many):
                i = ever[e]
                if place[i] != FREE:
                    _server_step(mine, state, i * d, rows, place[i] * d, factor, kind, rate, epsilon, r, d)
                    place[i] = FREE
                elif kind == 2:  # its running mean goes on moving it
                    _server_step(mine, state, i * d, nothing, 0, 1.0, kind, rate, epsilon, r, d)
        train_client(
            mine, scratch, vector, 0, seen_items[seen[u] : seen[u + 1]],
            seen_avoid_items[seen_avoid[u] : seen_avoid[u + 1]], last_keys[u], fold, width, full,
        )  # fmt: skip
        for i in range(n_items):
            scores[u, i] = dot(vector, 0, mine, i * d, width)
        for e in range(many):
            i = ever[e]
            ours[i] = False
            copy(mine, i * d, table, i * d, width)
            state[0][i * d : (i + 1) * d] = 0.0
            state[1][i * d : (i + 1) * d] = 0.0


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _linear(table, layer, scores, start, stop, people, known, keys, last_keys, longest, row_clip, local, last, width):  # type: ignore[no-untyped-def]
    """Train the clients [start, stop) of pfedrec alone, adapt each one once more and score all items."""
    offsets, items, avoid_offsets, avoid_items = people
    seen, seen_items, seen_avoid, seen_avoid_items = known
    d = LANES * len(width)
    n_items = len(table) // d
    rows, scratch, buffers = linear_scratch(n_items, longest, local[2], local[1], d)
    touched, weight = scratch[1], buffers[0]
    mine = table.copy()
    ever = np.empty(n_items, np.int32)
    ours = np.zeros(n_items, np.bool_)
    for u in range(start, stop):
        copy(weight, 0, layer, 0, width)
        bias = layer[d]
        many = 0
        history = items[offsets[u] : offsets[u + 1]]
        avoid = avoid_items[avoid_offsets[u] : avoid_offsets[u + 1]]
        for r in range(len(keys)):
            met, bias = train_linear(mine, rows, scratch, buffers, history, avoid, keys[r, u], bias, local, width)
            for j in range(met):
                i = touched[j]
                bounded(rows, j * d, d, np.float64(subtract(rows, j * d, mine, i * d, width)), row_clip)
                axpy(mine, i * d, np.float32(1.0), rows, j * d, width)
                if not ours[i]:
                    ours[i] = True
                    ever[many] = i
                    many += 1
        met, bias = train_linear(
            mine, rows, scratch, buffers, seen_items[seen[u] : seen[u + 1]],
            seen_avoid_items[seen_avoid[u] : seen_avoid[u + 1]], last_keys[u], bias, last, width,
        )  # fmt: skip
        for i in range(n_items):
            scores[u, i] = dot(weight, 0, mine, i * d, width) + bias
        for j in range(met):
            scores[u, touched[j]] = dot(weight, 0, rows, j * d, width) + bias
        for e in range(many):
            ours[ever[e]] = False
            copy(mine, ever[e] * d, table, ever[e] * d, width)


def _keys(users: Interactions, seed: int, rounds: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return (keys of the rounds (rounds, u), keys of the last adaptation (u,)), those the round loop would use."""
    each = [Key(seed, r, "update").users(users.users) for r in range(rounds)]
    return np.array(each, np.uint64).reshape(rounds, users.n_users), Key(seed, rounds, "adapt").users(users.users)


def _longest(train: Interactions, histories: Interactions) -> int:
    return int(max(train.lengths().max(initial=0), histories.lengths().max(initial=0)))


def factors_alone(
    table: FloatRows,
    train: Interactions,
    histories: Interactions,
    seed: int,
    rounds: int,
    local: Local,
    fold: Local,
    bounds: tuple[float, float],
    server: tuple[str, float, float],
) -> FloatRows:
    """Return the scores (u, n_items) float32 of fedmf with federation off.

    ``bounds``: see kernels.sgd.factor_round; ``server``: (name, rate, epsilon).
    """
    scores = np.empty((train.n_users, len(table)), np.float32)
    keys, last_keys = _keys(train, seed, rounds)
    step = (OPTIMISERS.index(server[0]), float(server[1]), float(server[2]))
    people, known, longest = people_of(train), people_of(histories), _longest(train, histories)
    limits = (float(bounds[0]), float(bounds[1]))

    def task(start: int, stop: int) -> None:
        _factors(
            table.reshape(-1), scores, start, stop, people, known, keys, last_keys, longest, limits, step,
            local.packed(), fold.packed(), width_of(table.shape[1]), local.full,
        )  # fmt: skip

    lanes.run(task, lanes.balanced(train.offsets, lanes.threads()))
    return scores


def linear_alone(
    table: FloatRows,
    layer: FloatRows,
    train: Interactions,
    histories: Interactions,
    seed: int,
    rounds: int,
    local: LinearLocal,
    last: LinearLocal,
    row_clip: float = 0.0,
) -> FloatRows:
    """Return the scores (u, n_items) float32 of pfedrec with federation off; ``layer`` (d + 1,): where all start."""
    scores = np.empty((train.n_users, len(table)), np.float32)
    keys, last_keys = _keys(train, seed, rounds)
    people, known, longest = people_of(train), people_of(histories), _longest(train, histories)

    def task(start: int, stop: int) -> None:
        _linear(
            table.reshape(-1), layer, scores, start, stop, people, known, keys, last_keys, longest, float(row_clip),
            local.packed(), last.packed(), width_of(table.shape[1]),
        )  # fmt: skip

    lanes.run(task, lanes.balanced(train.offsets, lanes.threads()))
    return scores
