"""A tiny algorithm with noise: counts, and a vector an item, of at most ``most`` items a person."""

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
    Part,
    Phase,
    Rng,
    Scores,
    Settings,
    Stat,
    Total,
    Update,
)


class Config(Settings):
    most: int = Field(8, ge=1, description="items a person may count")
    width: int = Field(0, ge=0, description="numbers in an item's vector; 0: counts only")


class FewItems(Algorithm):
    """Counts of at most a few items a person; the vectors are the person's own, once for each of the items."""

    name = "few-items"
    card = Card("counts of a few items", "counting")
    Config = Config
    baseline = True
    model = ("counts",)
    dp: ClassVar[dict[str, Any]] = {}

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        n, most, width = catalog.n_items, self.config.most, self.config.width
        stats = {"counts": Stat((n,), 1.0, float(np.sqrt(most)), counts=True)}
        if width:
            stats["rows"] = Stat((n, width), 1.0, float(np.sqrt(most)))
        return (Phase("counts", 1, stats),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        mine = np.sort(rng.generator().permutation(mine)[: self.config.most])
        update = {"counts": Part(np.ones(len(mine)), (mine,))}
        if self.config.width:
            own = rng.generator().normal(size=self.config.width)
            own /= np.linalg.norm(own)
            update["rows"] = Part(np.tile(own, (len(mine), 1)), (mine,))
        return update, private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        return {"counts": total["counts"].astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.asarray(shared["counts"], np.float32)
