"""The twin of slist: the literal walk over every step of every history on pooled data, then one dense solve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import History, Interactions

DAY = 86_400.0
Matrix = NDArray[np.float64]


def twin(
    train: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> Matrix:
    """Return s_now' B for the histories, (users, items) float64."""
    n, decays, unit = train.n_items, [float(g) for g in config["decay"]], str(config["steps"])
    gram, cross = np.zeros((len(decays) * n, len(decays) * n)), np.zeros((len(decays) * n, n))
    for _, history in train.histories():
        own, states, targets = _walk(history, decays, unit)
        rows = np.concatenate([own + k * n for k in range(len(decays))])
        weight = max(len(history), 1) ** -float(config["user_power"])
        gram[np.ix_(rows, rows)] += weight * (states.T @ states)  # sum over the steps of s s'
        cross[np.ix_(rows, own)] += weight * (states.T @ targets)  # sum over the steps of s e'
    weights = _solve(gram, cross, train, config, len(decays))
    return np.asarray(np.stack([_state_now(h, n, decays, unit) for _, h in histories.histories()]) @ weights)


def _walk(history: History, decays: list[float], unit: str) -> tuple[NDArray[np.int32], Matrix, Matrix]:
    """Return (own items, state before each step, target of each step), one row a step from the second on."""
    own, column = np.unique(history.items, return_inverse=True)
    state, states, targets, at = np.zeros((len(decays), len(own))), [], [], 0
    for number, basket in enumerate(_steps(history, unit)):
        target = np.zeros(len(own))
        target[column[at : at + len(basket)]] = 1.0
        at += len(basket)
        if number:
            states.append(state.ravel().copy())
            targets.append(target)
        for k, g in enumerate(decays):
            state[k] = g * state[k] + target
    if not states:
        return own, np.zeros((0, state.size)), np.zeros((0, len(own)))
    return own, np.stack(states), np.stack(targets)


def _steps(history: History, unit: str) -> list[NDArray[np.int32]]:
    """Return the items of each step: one item, one day, or one time."""
    if unit == "item" or len(history) == 0:
        return [history.items[i : i + 1] for i in range(len(history))]
    assert history.times is not None
    stamp = np.floor(history.times / DAY) if unit == "day" else history.times
    cuts = np.flatnonzero(np.diff(stamp)) + 1
    return list(np.split(history.items, cuts))


def _state_now(history: History, n: int, decays: list[float], unit: str) -> Matrix:
    own, column = np.unique(history.items, return_inverse=True)
    state, at = np.zeros((len(decays), len(own))), 0
    for basket in _steps(history, unit):
        for k, g in enumerate(decays):
            state[k] *= g
            state[k, column[at : at + len(basket)]] += 1.0
        at += len(basket)
    whole = np.zeros((len(decays), n))
    whole[:, own] = state
    return whole.ravel()


def _solve(gram: Matrix, cross: Matrix, train: Interactions, config: dict[str, Any], k: int) -> Matrix:
    n = train.n_items
    joint = float(config["joint"])
    penalty = float(config["reg"]) * np.eye(k * n)
    if not joint:
        return np.asarray(np.linalg.solve(gram + penalty, cross), np.float64)
    matrix = np.zeros((train.n_users, n))
    for row, (_, history) in enumerate(train.histories()):
        matrix[row, history.items] = 1.0
    pairs = joint * (matrix.T @ matrix)
    gram, cross = gram + np.tile(pairs, (k, k)) + penalty, cross + np.tile(pairs, (k, 1))
    free = np.linalg.solve(gram, cross)
    inverse = np.linalg.inv(gram)
    for j in range(n):  # Lagrange: B[j, j] = 0 in every block
        own = j + n * np.arange(k)
        free[:, j] -= inverse[:, own] @ np.linalg.solve(inverse[np.ix_(own, own)], free[own, j])
    return np.asarray(free, np.float64)
