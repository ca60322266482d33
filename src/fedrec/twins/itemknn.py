"""The twin of itemknn: cosine neighbours from the pooled 0/1 matrix, item by item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions


def pooled(users: Interactions) -> NDArray[np.float64]:
    """Return the 0/1 matrix of everybody's items, (users, items) float64."""
    matrix = np.zeros((users.n_users, users.n_items))
    for row, (_, history) in enumerate(users.histories()):
        matrix[row, history.items] = 1.0
    return matrix


def twin(
    train: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> NDArray[np.float64]:
    """Return the summed similarities to the k nearest neighbours, (users, items) float64."""
    matrix = pooled(train)
    weight = np.maximum(matrix.sum(axis=1), 1.0) ** -float(config["user_power"])
    count = weight @ matrix
    count[count == 0] = 1.0
    alpha, k = float(config["alpha"]), int(config["neighbours"])
    similarity = np.zeros((train.n_items, train.n_items))
    for item in range(train.n_items):
        together = matrix.T @ (weight * matrix[:, item])
        column = together / (count ** (1.0 - alpha) * count[item] ** alpha + float(config["shrink"]))
        column[item] = 0.0
        nearest = np.argsort(-column, kind="stable")[:k]  # equal similarities: the lower item number first
        similarity[nearest, item] = column[nearest]
    return np.asarray(pooled(histories) @ similarity)
