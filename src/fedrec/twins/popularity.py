"""The twin of popularity: count with a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions


def twin(
    train: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> NDArray[np.float64]:
    """Return how often people have each item, T^-p for T items, for every user, (users, items) float64."""
    counts = np.zeros(train.n_items)
    for _, history in train.histories():
        mine = set(history.items.tolist())
        for item in mine:
            counts[item] += len(mine) ** -float(config["user_power"])
    return np.tile(counts, (histories.n_users, 1))
