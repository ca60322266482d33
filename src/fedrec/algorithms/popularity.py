"""Popularity: one sum of counts; the same list for everybody."""

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
    Phase,
    Rng,
    Scores,
    Settings,
    Total,
    Update,
    UpdateSum,
)
from fedrec.kernels.counts import add_counts, count_stat, user_counts


class Config(Settings):
    """``user_power``: how much the items of a long history count."""

    user_power: float = Field(0.0, ge=0, le=1, description="p: an item of a history of T items counts T^-p")


class Popularity(Algorithm):
    """Scores an item by the number of people who have it, each counting T^-p for T items.

    One user's counts have the norm T^(1/2-p). With noise they may be negative: they are only ranked.
    """

    name = "popularity"
    card = Card("one sum of counts: how many people have each item", "counting")
    Config = Config
    baseline = True
    model = ("counts",)
    dp: ClassVar[dict[str, Any]] = {"user_power": 0.5}

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("counts", 1, {"counts": count_stat(catalog.n_items, self.config.user_power)}),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        return {"counts": user_counts(history.items, self.config.user_power)}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        if not users.unique():
            return super().cohort_update(phase, shared, private, users, key, total)
        add_counts(users, self.config.user_power, total.ring["counts"], total.quantum["counts"])
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        return {"counts": total["counts"].astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.asarray(shared["counts"], np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        return np.tile(np.asarray(shared["counts"], np.float32), (users.n_users, 1))
