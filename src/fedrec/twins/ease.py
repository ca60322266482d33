"""The twin of EASE: ridge regression of every item on the others, on the pooled matrix, by one dense solve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions


def twin(
    train: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> NDArray[np.float64]:
    """Return X B for the histories, (users, items) float64; B by Steck 2019, eq. 8."""
    matrix, people = _pooled(train), _pooled(histories)
    n = train.n_items
    weight = np.maximum(matrix.sum(axis=1), 1.0) ** -float(config["user_power"])
    gram = matrix.T @ np.diag(weight) @ matrix + float(config["reg"]) * np.eye(n)
    precision = np.linalg.solve(gram, np.eye(n))
    weights = np.eye(n) - precision / np.diag(precision)[None, :]
    return np.asarray(people @ weights)


def _pooled(users: Interactions) -> NDArray[np.float64]:
    matrix = np.zeros((users.n_users, users.n_items))
    for row, (_, history) in enumerate(users.histories()):
        matrix[row, history.items] = 1.0
    return matrix
