"""alone: each client by itself; the control that says what no exchange at all can do."""

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
    Phase,
    Rng,
    Scores,
    Total,
    Update,
    UpdateSum,
)


class Alone(Algorithm):
    """Scores an item by how often the client itself has had it; uploads nothing.

    Of the items that a client has not had, it knows nothing: they all tie, and a held-out item comes where chance
    puts it. For a silo of many people the same question (what can a shop do without the others?) is answered by
    training any algorithm on the silo alone: see fedrec.experiment.
    """

    name = "alone"
    card = Card("each client by itself: nothing travels, every unseen item ties", "the control")
    baseline = True
    model = ("n_items",)

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return ()

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        return {"n_items": np.array([catalog.n_items], np.int64)}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        return {}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        return shared

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.bincount(history.items, minlength=int(shared["n_items"][0])).astype(np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        out = np.zeros((users.n_users, users.n_items), np.float32)
        np.add.at(out, (np.repeat(np.arange(users.n_users), users.lengths()), users.items), 1.0)
        return out

    def memory_estimate(self, catalog: Catalog) -> int:
        """Return 0: there is no sum."""
        return 0
