"""Who takes part in a round: every client tosses its own coin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Key


def sample_cohort(n_clients: int, expected: int | None, seed: int, round: int) -> NDArray[np.int64]:
    """Return the client numbers of one round, ascending, (c,) int64; ``expected`` None or >= n_clients: everybody."""
    everybody = np.arange(n_clients, dtype=np.int64)
    if expected is None or expected >= n_clients:
        return everybody
    coins = Key(seed, round, "cohort").coins(everybody)
    return everybody[coins < expected / n_clients]
