"""Popularity: one sum of counts; the same list for everybody."""

from __future__ import annotations

import numpy as np

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
    Stat,
    Total,
    Update,
    UpdateSum,
)


class Popularity(Algorithm):
    """Scores an item by the number of people who have it."""

    name = "popularity"
    card = Card("one sum of counts: how many people have each item", "counting")
    baseline = True
    model = ("counts",)

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        n = catalog.n_items
        return (Phase("counts", 1, {"counts": Stat((n,), 1.0, float(np.sqrt(n)), counts=True)}),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        return {"counts": Part(np.ones(len(mine)), (mine,))}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        if not users.unique():
            return super().cohort_update(phase, shared, private, users, key, total)
        total.ring["counts"] += np.bincount(users.items, minlength=users.n_items).astype(np.int32)
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        return {"counts": total["counts"].astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.asarray(shared["counts"], np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        return np.tile(np.asarray(shared["counts"], np.float32), (users.n_users, 1))
