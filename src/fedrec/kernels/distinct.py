"""Histories without repeats, for algorithms that only ask whether a user has an item."""

from __future__ import annotations

import numpy as np

from fedrec.contract import Interactions
from fedrec.kernels.linear import first_of_each


def distinct(users: Interactions) -> Interactions:
    """Return the users with only the first of each item's interactions, in the same order; values and times dropped."""
    if users.unique():
        return users
    keep = first_of_each(users) > 0
    offsets = np.concatenate([[0], np.cumsum(keep)])[users.offsets].astype(np.int64)
    return Interactions(users.n_items, users.users, offsets, users.items[keep])
