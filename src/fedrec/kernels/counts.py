"""How often each item is had: one user's items count T^-p each, T how many there are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions, Part, Stat
from fedrec.kernels.steps import length_steps, length_weights


def count_stat(n_items: int, power: float) -> Stat:
    """Return the statistic in which a user with T items puts T^-power for each: counts where power is 0.

    T entries T^-p have the norm T^(1/2-p): at most n^(1/2-p), or 1 (one item) where p > 1/2.
    """
    if power == 0:
        return Stat((n_items,), 1.0, float(np.sqrt(n_items)), counts=True)
    return Stat((n_items,), 1.0, max(float(n_items) ** (0.5 - power), 1.0))


def user_counts(items: NDArray[np.int32], power: float) -> Part:
    """Return one user's part of ``count_stat``."""
    mine = np.unique(items)
    return Part(np.full(len(mine), length_weights(np.array([len(mine)]), power)[0]), (mine,))


def add_counts(users: Interactions, power: float, ring: NDArray[Any], quantum: float) -> None:
    """Add every user's part of ``count_stat`` to its ring (n_items,); histories without repeats."""
    if power == 0:
        ring += np.bincount(users.items, minlength=users.n_items).astype(ring.dtype)
        return
    steps = length_steps(users.lengths(), power, quantum)
    np.add.at(ring, users.items, np.repeat(steps, users.lengths()).astype(ring.dtype))
