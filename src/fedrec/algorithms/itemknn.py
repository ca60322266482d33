"""itemknn: items that the same people have; one sum of co-occurrences."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

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
    Phase,
    Rng,
    Scores,
    Settings,
    Total,
    Update,
    UpdateSum,
)
from fedrec.kernels.linear import add_rows
from fedrec.kernels.pairs import pair_stat, user_pairs, weighted_pairs


class Config(Settings):
    """Settings of the similarity, used by the server only, and of what a user's pairs weigh."""

    neighbours: int = Field(50, ge=1, description="k: an item is scored by its k most similar items")
    shrink: float = Field(10.0, ge=0, description="added to the denominator: rare items count less")
    alpha: float = Field(0.5, ge=0, le=1, description="exponent of the scored item's count; 0.5 is the cosine")
    user_power: float = Field(0.0, ge=0, le=1, description="p: pairs count a history of T items T^-p times")
    threshold: float = Field(2.0, ge=0, description="pairs are lowered by so many standard deviations of their noise")
    bits: Literal[32, 64] = Field(32, description="width of the ring on the wire where user_power is not 0")


class ItemKNN(Algorithm):
    """sim(i, j) = c_ij / (c_i^(1 - alpha) c_j^alpha + shrink); score(j) = sum of sim(i, j) over the history's i.

    Differs from the paper: pairs can count a history of T items T^-p times, so that one user's part has norm T^(1-p).
    With noise c_i is at least the noise's standard deviation, and c_ij is lowered by ``threshold`` of its own and is at
    least 0: otherwise rare items, all noise, would be everybody's neighbours.
    """

    name = "itemknn"
    card = Card(
        "item neighbours by cosine of co-occurrence",
        "Sarwar et al., Item-Based Collaborative Filtering, WWW 2001; asymmetric cosine: Aiolli, RecSys 2013",
        "Differs from the paper: implicit feedback, with a shrinkage term; pairs can count a history of T items T^-p "
        "times; with noise, counts are at least its standard deviation and pairs are lowered by a few of them.",
    )
    Config = Config
    model = ("similarity",)
    grid: ClassVar[dict[str, list[Any]]] = {
        "alpha": [0.3, 0.5, 0.7],
        "shrink": [1, 10, 30, 100],
        "neighbours": [10, 20, 50, 100, 200, 500],
    }
    server_only = frozenset({"neighbours", "shrink", "alpha", "threshold"})
    dp: ClassVar[dict[str, Any]] = {"user_power": 1.0, "shrink": 3.0}

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        stat = pair_stat(catalog.n_items, self.config.user_power, self.config.bits)
        return (Phase("pairs", 1, {"pairs": stat}),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        return {"pairs": user_pairs(history.items, self.config.user_power)}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        if not users.unique():
            return super().cohort_update(phase, shared, private, users, key, total)
        weighted_pairs(users, self.config.user_power, total.ring["pairs"], total.quantum["pairs"])
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        pairs = total["pairs"].astype(np.float64)
        sigma = total.sigma("pairs")
        least = sigma or (1e-12 if self.config.user_power else 1.0)  # a weighted count may be far below 1
        counts = np.maximum(np.diagonal(pairs).copy(), least)
        if sigma:
            pairs = np.maximum(pairs - self.config.threshold * sigma / np.sqrt(2.0), 0.0)
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
