"""The step number of each interaction inside its history: by items, by days or by equal times (baskets)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ConfigError, History, Interactions
from fedrec.contract.interactions import DAY


def step_numbers(users: Interactions, unit: str) -> NDArray[np.int32]:
    """Return (nnz,) int32: 0 for a user's first step; items of one basket share a number."""
    lengths = users.lengths()
    starts = np.repeat(users.offsets[:-1], lengths)
    if unit == "item":
        return (np.arange(users.n_interactions) - starts).astype(np.int32)
    if users.times is None:
        raise ConfigError(f"steps = {unit!r} needs a timestamp column, and the data has none: use steps = 'item'")
    stamp = np.floor(users.times / DAY) if unit == "day" else users.times
    new = np.ones(len(stamp), np.int64)
    new[1:] = stamp[1:] != stamp[:-1]
    count = np.cumsum(new)
    new_user = np.zeros(len(stamp), bool)
    new_user[users.offsets[:-1][lengths > 0]] = True
    extra = np.cumsum(new_user & (new == 0))  # a new user always starts a new step
    total = count + extra
    first = total[starts] if len(starts) else total
    return np.asarray(total - first, np.int32)


def history_steps(history: History, unit: str) -> NDArray[np.int32]:
    """Return the step numbers of one history, (m,) int32."""
    return step_numbers(Interactions.of(history, 0), unit)


def length_weights(lengths: NDArray[np.int64], power: float) -> NDArray[np.float64]:
    """Return T^-power for each length T, (n,) float64; 1 for an empty history.

    One scalar power a length: a vector's last bit may depend on where in the vector an entry stands.
    """
    table = [1.0] + [float(t) ** -power for t in range(1, int(lengths.max(initial=0)) + 1)]
    return np.array(table)[lengths]


def length_steps(lengths: NDArray[np.int64], power: float, quantum: float) -> NDArray[np.int64]:
    """Return T^-power for each length T in integer steps of ``quantum``, (n,) int64, as the sum rounds them."""
    return np.asarray(np.rint(length_weights(lengths, power) / quantum), np.int64)


def decayed_states(
    users: Interactions, decays: tuple[float, ...], steps: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the decayed states of many users in CSR form: (rows, values, offsets)."""
    positions = step_numbers(users, steps)
    k, lengths = len(decays), users.lengths()
    last = np.zeros(users.n_users, np.int64)
    has = lengths > 0
    last[has] = positions[users.offsets[1:][has] - 1]
    age = (np.repeat(last, lengths) - positions).astype(np.float64)
    rows = np.stack([users.items.astype(np.int64) + j * users.n_items for j in range(k)], axis=1).ravel()
    values = np.stack([np.power(float(g), age) for g in decays], axis=1).ravel()
    return rows, values, users.offsets * k
