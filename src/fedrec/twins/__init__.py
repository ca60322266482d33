"""Centralised twins: the same models on pooled data, written independently so that a claim of equality can fail.

They import neither kernels nor algorithms (import-linter holds them to it). Each module has one function,
``twin(train, histories, config, initial) -> (users, items) float64``. Closed forms are held to a bound; for gradient
methods (fedmf, pfedrec) the twin is pooled mini-batch training of the same model, and the difference is only reported.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions

Twin = Callable[[Interactions, Interactions, dict[str, Any], "dict[str, NDArray[Any]] | None"], NDArray[np.float64]]
TWINS = {
    "popularity": "fedrec.twins.popularity",
    "itemknn": "fedrec.twins.itemknn",
    "markov": "fedrec.twins.markov",
    "ease": "fedrec.twins.ease",
    "slist": "fedrec.twins.slist",
    "ials": "fedrec.twins.ials",
    "lowpass": "fedrec.twins.lowpass",
    "fedmf": "fedrec.twins.fedmf",
    "pfedrec": "fedrec.twins.pfedrec",
}


def get_twin(name: str) -> Twin | None:
    """Return an algorithm's twin by its name, or None where there is none."""
    home = TWINS.get(name)
    return None if home is None else import_module(home).twin
