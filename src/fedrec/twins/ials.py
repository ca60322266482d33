"""The twin of iALS: alternating ridge regressions on the pooled data, one dense solve after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions

Matrix = NDArray[np.float64]


def twin(
    train: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> Matrix:
    """Return the scores of ``histories``, (users, items) float64, after ``sweeps`` sweeps over ``train``.

    ``config``: dim, alpha0, reg, nu, sweeps; ``initial``: {"items": (n_items, dim)}, the item vectors to start from
    (two runs of a random method can only be compared from the same start). Source: Rendle et al., RecSys 2022, eq. 2.
    """
    if initial is None:
        raise ValueError("the twin of ials needs the initial item vectors, got None: pass {'items': array}")
    of_user = [np.unique(h.items) for _, h in train.histories()]
    of_item: list[list[int]] = [[] for _ in range(train.n_items)]
    for user, mine in enumerate(of_user):
        for item in mine:
            of_item[item].append(user)
    by_item = [np.array(users, np.int64) for users in of_item]
    items = np.array(initial["items"], np.float64)
    for _ in range(int(config["sweeps"])):
        users = half_sweep(items, of_user, config)
        items = half_sweep(users, by_item, config)
    people = half_sweep(items, [np.unique(h.items) for _, h in histories.histories()], config)
    return np.asarray(people @ items.T)


def half_sweep(factors: Matrix, links: list[NDArray[Any]], config: dict[str, Any]) -> Matrix:
    """Return argmin over x of |1 - F x|^2 on the links + alpha0 |F_all x|^2 + penalty |x|^2, for each list of links."""
    everything = config["alpha0"] * factors.T @ factors
    out = np.zeros((len(links), factors.shape[1]))
    for row, mine in enumerate(links):
        here = factors[mine]
        penalty = config["reg"] * (len(mine) + config["alpha0"] * len(factors)) ** config["nu"]
        left = everything + here.T @ here + penalty * np.eye(factors.shape[1])
        out[row] = np.linalg.solve(left, here.sum(axis=0))
    return out
