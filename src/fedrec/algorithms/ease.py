"""EASE: one sum of X'X, one inverse."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from fedrec.contract import (
    Algorithm,
    Arrays,
    Card,
    Catalog,
    History,
    Interactions,
    Key,
    Part,
    Phase,
    Rng,
    Scores,
    Settings,
    Stat,
    Total,
    Update,
    UpdateSum,
)
from fedrec.kernels.linear import add_rows, inverse
from fedrec.kernels.pairs import cooccurrence


class Config(Settings):
    """``reg``: ridge penalty lambda (Steck 2019, eq. 4)."""

    reg: float = Field(300.0, gt=0, description="ridge penalty lambda; Steck 2019, eq. 4")


class Ease(Algorithm):
    """B = argmin |X - XB|^2 + reg |B|^2 with diag(B) = 0, from the secure sum of X'X."""

    name = "ease"
    card = Card("one sum of X'X, one inverse", "Steck, Embarrassingly Shallow Autoencoders, WWW 2019, eqs. 4-8")
    Config = Config
    model = ("weights",)
    grid: ClassVar[dict[str, list[Any]]] = {"reg": [10, 30, 50, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000]}
    server_only = frozenset({"reg"})

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        n = catalog.n_items
        return (Phase("pairs", 1, {"pairs": Stat((n, n), 1.0, float(n), counts=True, symmetric=True)}),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        return {"pairs": Part(np.ones((len(mine), len(mine))), (mine, mine))}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        if not users.unique():
            return super().cohort_update(phase, shared, private, users, key, total)
        cooccurrence(users, total.ring["pairs"])
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        gram = total["pairs"].astype(np.float64)
        n = len(gram)
        gram[np.arange(n), np.arange(n)] += self.config.reg
        weights = inverse(gram)  # P = (X'X + reg I)^-1
        weights /= -np.diagonal(weights)[None, :].copy()
        weights[np.arange(n), np.arange(n)] = 0.0
        return {"weights": weights.astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        weights = shared["weights"]
        return np.asarray(weights[np.unique(history.items)].sum(axis=0, dtype=np.float64), np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        return add_rows(shared["weights"], users, None)
