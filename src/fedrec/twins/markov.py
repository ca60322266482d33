"""The twin of markov: count transitions with a loop."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions


def twin(
    train: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> NDArray[np.float64]:
    """Return the smoothed share of each successor of the last item, (users, items) float64."""
    n = train.n_items
    counts = np.zeros((n, n))
    for _, history in train.histories():
        steps = history.items.tolist()
        for before, after in set(pairwise(steps)):
            counts[before, after] += 1.0
    prior = counts.sum(axis=0) / max(counts.sum(), 1.0)
    shrink = float(config["shrink"])
    out = np.empty((histories.n_users, n))
    for row, (_, history) in enumerate(histories.histories()):
        if len(history) == 0:
            out[row] = prior
            continue
        seen = counts[history.items[-1]]
        out[row] = (seen + shrink * prior) / max(seen.sum() + shrink, 1e-12)
    return out
