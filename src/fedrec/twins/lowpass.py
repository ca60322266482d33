"""The twin of lowpass: the filters of GF-CF on the pooled, dense, degree-normalised matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions

Matrix = NDArray[np.float64]


def twin(
    train: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> Matrix:
    """Return the scores of ``histories``, (users, items) float64.

    ``config``: filter, columns, iterations, rank, alpha, user_power; ``initial``: {"basis": (n_items, columns)}, the
    random block to start from; None: the exact eigenvectors. From a start, the eigenvectors are those that the same
    number of products can give: Rayleigh-Ritz on the Krylov space of X~'X~, a Gram-Schmidt column at a time. Source:
    Shen et al., CIKM 2021, section 4.
    """
    x, people = pooled(train), pooled(histories)
    mine = np.maximum(x.sum(axis=1), 1.0)
    degree = np.maximum(mine ** -float(config["user_power"]) @ x, 1.0)
    normal = x / np.sqrt(np.outer(mine, degree))
    graph = normal.T @ normal
    if initial is None:
        values, vectors = np.linalg.eigh(graph)
    else:
        space = krylov(graph, np.asarray(initial["basis"], np.float64), int(config["iterations"]))
        values, small = np.linalg.eigh(space.T @ graph @ space)
        vectors = space @ small
    keep = np.argsort(-values)[: int(config["rank"])]
    vectors = vectors[:, keep[values[keep] > 1e-6]]
    ideal = (people / np.sqrt(degree)) @ vectors @ (vectors.T * np.sqrt(degree))
    if config["filter"] == "ideal":
        return np.asarray(ideal)
    return np.asarray(people @ graph + float(config["alpha"]) * ideal)


def krylov(graph: Matrix, start: Matrix, blocks: int) -> Matrix:
    """Return an orthonormal basis of [Q, A Q, A^2 Q, ..], (n, at most blocks x columns)."""
    space = np.zeros((len(graph), 0))
    block = start
    for _ in range(blocks):
        fresh: list[Matrix] = []
        for column in block.T:
            rest = column.copy()
            for _ in range(3):
                rest -= space @ (space.T @ rest)
            length = float(np.linalg.norm(rest))
            if length > 1e-6:
                fresh.append(rest / length)
                space = np.concatenate([space, fresh[-1][:, None]], axis=1)
        if not fresh:
            break
        block = graph @ np.stack(fresh, axis=1)
    return space


def pooled(users: Interactions) -> Matrix:
    """Return the 0/1 matrix of everybody's items, (users, items)."""
    out = np.zeros((users.n_users, users.n_items))
    for row, (_, history) in enumerate(users.histories()):
        out[row, history.items] = 1.0
    return out
