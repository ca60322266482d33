"""markov: what followed the last item; one sum of transition counts."""

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


class Config(Settings):
    """``shrink``: pulls the share of a successor towards its popularity where the last item was rarely seen."""

    shrink: float = Field(10.0, ge=0, description="weight of the popularity prior, in transitions")


class Markov(Algorithm):
    """score(j) = (transitions from the last item to j + shrink * share of j) / (transitions from it + shrink)."""

    name = "markov"
    card = Card(
        "first-order transition counts: what followed the last item",
        "maximum likelihood of a first-order Markov chain, with a popularity prior",
    )
    Config = Config
    model = ("transitions", "prior")
    grid: ClassVar[dict[str, list[Any]]] = {"shrink": [0.1, 0.3, 1, 3, 10, 30, 100, 300]}
    server_only = frozenset({"shrink"})

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        n = catalog.n_items
        return (Phase("transitions", 1, {"transitions": Stat((n, n), 1.0, float(np.sqrt(n)), counts=True)}),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        items = history.items
        ids, column = np.unique(items, return_inverse=True)
        block = np.zeros((len(ids), len(ids)))
        block[column[:-1], column[1:]] = 1.0  # a transition counts once a person, so nobody weighs more than 1
        return {"transitions": Part(block, (ids, ids))}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        if not users.unique():
            return super().cohort_update(phase, shared, private, users, key, total)
        inside = np.ones(users.n_interactions, bool)
        inside[users.offsets[1:][users.lengths() > 0] - 1] = False  # the last item of a history has no successor
        at = np.flatnonzero(inside)
        np.add.at(total.ring["transitions"], (users.items[at], users.items[at + 1]), 1)
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        counts = total["transitions"].astype(np.float64)
        arrivals = counts.sum(axis=0)
        prior = arrivals / max(float(arrivals.sum()), 1.0)
        shrink = self.config.shrink
        share = (counts + shrink * prior) / np.maximum(counts.sum(axis=1, keepdims=True) + shrink, 1e-12)
        return {"transitions": share.astype(np.float32), "prior": prior.astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.asarray(shared["transitions"][history.items[-1]] if len(history) else shared["prior"], np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        out = np.tile(np.asarray(shared["prior"], np.float32), (users.n_users, 1))
        some = users.lengths() > 0
        out[some] = shared["transitions"][users.items[users.offsets[1:][some] - 1]]
        return out
