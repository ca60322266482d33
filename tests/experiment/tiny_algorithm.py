"""Algorithms for these tests only, trained in milliseconds: many rounds, private state, randomness."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from fedrec.contract import (
    Algorithm,
    Arrays,
    Card,
    Catalog,
    ContractError,
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
    rounds: int = Field(6, ge=1)
    pull: float = Field(0.5, gt=0, le=10)
    scale: float = Field(1.0, gt=0)


class Tiny(Algorithm):
    """Item levels follow the users' random moods; a user's mood depends on all earlier rounds."""

    name = "tiny"
    card = Card("levels that follow moods", "made up for tests")
    Config = Config
    random = True
    model = ("level",)
    grid: ClassVar[dict[str, list[Any]]] = {"pull": [0.25, 0.5, 1.0], "scale": [1.0, 2.0]}

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("moods", self.config.rounds, {"gain": Stat((catalog.n_items,), 1.0)}, ("level",)),)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        return {"level": np.zeros(catalog.n_items, np.float32), "steps": np.array(0)}

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        return {"mood": rng.generator().random(2)}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        mood = 0.7 * private["mood"] + rng.generator().random(2)
        gain = np.tanh(mood.sum() - shared["level"][mine])
        return {"gain": Part(gain, (mine,))}, {"mood": mood}

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        level = shared["level"] + self.config.pull * total["gain"] / total.users
        return {"level": level.astype(np.float32), "steps": shared["steps"] + 1}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        taste = np.sin(np.arange(len(shared["level"])) * private["mood"].sum())
        return np.asarray(self.config.scale * shared["level"] + 0.1 * taste, np.float32)


class Bounded(Tiny):
    """Tiny, with a norm that noise can cover: three rounds unless told otherwise."""

    name = "bounded"
    dp: ClassVar[dict[str, Any]] = {"rounds": 3}

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        bound = float(np.sqrt(catalog.n_items))
        return (Phase("moods", self.config.rounds, {"gain": Stat((catalog.n_items,), 1.0, bound)}, ("level",)),)


class BoundedStopping(Bounded):
    """Bounded, but the machine fails after the release of one round (class attribute ``at``)."""

    at: ClassVar[int] = -1

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        if round == type(self).at:
            raise KeyboardInterrupt
        return super().server_update(phase, shared, total, round)


class Picky(Tiny):
    """Tiny, with the round chosen on validation."""

    name = "picky"
    selects_round = True


class Stopping(Tiny):
    """Tiny, but the machine fails in the server step of one round (class attribute ``at``)."""

    at: ClassVar[int] = -1

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        if round == type(self).at:
            raise KeyboardInterrupt
        return super().server_update(phase, shared, total, round)


class PickyStopping(Stopping):
    """Stopping, with the round chosen on validation."""

    selects_round = True


class OneRound(Tiny):
    """One sum, then server settings only: what a tuner may reuse."""

    name = "one-round"
    grid: ClassVar[dict[str, list[Any]]] = {"rounds": [1], "scale": [1.0, 3.0, 9.0], "pull": [0.5, 1.0, 2.0]}
    server_only = frozenset({"pull", "scale"})
    sums: ClassVar[int] = 0

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("moods", 1, {"gain": Stat((catalog.n_items,), 1.0)}),)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        return {}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        type(self).sums += 1
        mine = np.unique(history.items)
        mood = private["mood"] + rng.generator().random(2)
        return {"gain": Part(np.tanh(np.full(len(mine), mood.sum())), (mine,))}, {"mood": mood}

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        if self.config.pull > 5:
            raise ContractError("made to fail where pull is above 5")
        popular = total["gain"] / max(total["gain"].max(), 1e-9)
        return {"level": (self.config.scale * popular**self.config.pull).astype(np.float32)}
