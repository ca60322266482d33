"""itemknn: items that the same people have; one sum of co-occurrences."""

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
from fedrec.kernels.linear import add_rows
from fedrec.kernels.pairs import cooccurrence


class Config(Settings):
    """Settings of the similarity; all of them are used by the server only."""

    neighbours: int = Field(50, ge=1, description="k: an item is scored by its k most similar items")
    shrink: float = Field(10.0, ge=0, description="added to the denominator: rare items count less")
    alpha: float = Field(0.5, ge=0, le=1, description="exponent of the scored item's count; 0.5 is the cosine")


class ItemKNN(Algorithm):
    """sim(i, j) = c_ij / (c_i^(1 - alpha) c_j^alpha + shrink); score(j) = sum of sim(i, j) over the history's i."""

    name = "itemknn"
    card = Card(
        "item neighbours by cosine of co-occurrence",
        "Sarwar et al., Item-Based Collaborative Filtering, WWW 2001; asymmetric cosine: Aiolli, RecSys 2013",
        "Differs from the paper: implicit feedback, with a shrinkage term.",
    )
    Config = Config
    model = ("similarity",)
    grid: ClassVar[dict[str, list[Any]]] = {
        "alpha": [0.3, 0.5, 0.7],
        "shrink": [1, 10, 30, 100],
        "neighbours": [10, 20, 50, 100, 200, 500],
    }
    server_only = frozenset({"neighbours", "shrink", "alpha"})

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
        pairs = total["pairs"].astype(np.float64)
        counts = np.maximum(np.diagonal(pairs).copy(), 1.0)
        pairs /= np.outer(counts ** (1.0 - self.config.alpha), counts**self.config.alpha) + self.config.shrink
        np.fill_diagonal(pairs, 0.0)
        keep = min(self.config.neighbours, len(pairs) - 1)
        drop = len(pairs) - keep
        # the k largest of each column; equal similarities go to the lower item number
        weakest = np.argsort(pairs[::-1], axis=0, kind="stable")[:drop]
        np.put_along_axis(pairs, len(pairs) - 1 - weakest, 0.0, axis=0)
        return {"similarity": pairs.astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        similarity = shared["similarity"]
        return np.asarray(similarity[np.unique(history.items)].sum(axis=0, dtype=np.float64), np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        return add_rows(shared["similarity"], users, None)
