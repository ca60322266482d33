"""Algorithms that each break one law, so that the laws can be seen to fail."""

from __future__ import annotations

import numpy as np

from fedrec.algorithms.ease import Ease
from fedrec.algorithms.popularity import Popularity
from fedrec.contract import (
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
from fedrec.kernels import lanes
from fedrec.testing import worlds


class CountsChunks(Ease):
    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        total.ring["pairs"][0, 0] += 1
        return super().cohort_update(phase, shared, private, users, key, total)


class ForgetsToCount(Popularity):
    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        total.ring["counts"] += np.bincount(users.items, minlength=users.n_items).astype(np.int32)
        total.note(users.n_users - 1)
        return private


class CohortIsAnother(Ease):
    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        return {"pairs": Part(np.ones((len(mine), len(mine))) - np.eye(len(mine)), (mine, mine))}, private


class CohortScoresAnother(Ease):
    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        return super().cohort_scores(shared, private, users, key) * np.float32(1.01)


class AsksHowManyThreads(Ease):
    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        weights = super().server_update(phase, shared, total, round)["weights"]
        return {"weights": np.asarray(weights * (1.0 + lanes.threads()), np.float32)}


class SendsWhatItTouched(Ease):
    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        return {"pairs": Part(np.ones((len(mine), len(mine))), (mine,))}, private


class KnowsTheUsers(Popularity):
    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        stats = {"counts": Stat((catalog.n_items,), 1.0, counts=True), "who": Stat((catalog.n_users,), 1.0)}
        return (Phase("counts", 1, stats),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        who = Part(np.zeros(phase.stats["who"].shape))
        return {"counts": Part(np.ones(len(mine)), (mine,)), "who": who}, private


class SendsItsVector(Popularity):
    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("counts", 1, {"counts": Stat((catalog.n_items,), 4.0, bits=64)}),)

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        return {"taste": rng.generator().normal(size=5)}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        return {"counts": Part(private["taste"], (np.arange(3, 8),))}, private


class OneHalfIsNotTheOther(Ease):
    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        return {"pairs": Part(np.tril(np.ones((len(mine), len(mine)))), (mine, mine))}, private


class IsLouderThanItSays(Popularity):
    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("counts", 1, {"counts": Stat((catalog.n_items,), 1.0, 3.0, counts=True)}),)


class FastPathDoesNotClip(Popularity):
    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("counts", 1, {"counts": Stat((catalog.n_items,), 1.0)}, clip=1.0),)

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        if not users.unique():
            return super().cohort_update(phase, shared, private, users, key, total)
        steps = round(1.0 / total.quantum["counts"])
        total.ring["counts"] += (np.bincount(users.items, minlength=users.n_items) * steps).astype(np.int32)
        total.note(users.n_users)
        return private


class AsksForMoreNoiseThanItNeeds(Popularity):
    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("counts", 1, {"counts": Stat((catalog.n_items,), 1.0, 1.2)}),)


class CountsTooMuchBeforeTheClip(Popularity):
    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("counts", 1, {"counts": Stat((catalog.n_items,), 1.0, 0.9)}),)


class GlobalDice(Popularity):
    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        return {"counts": total["counts"] + np.random.random()}  # noqa: NPY002  (what the law forbids)


class SaysItIsRandom(Popularity):
    random = True


class IsRandomButDoesNotSay(Popularity):
    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        return {"start": Key(seed, 0, "start").generator().random(3)}

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        return {**shared, **super().server_update(phase, shared, total, round)}


class TwoKindsOfUsers(Popularity):
    random = True

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        return {"coin": np.array([float(rng.key % 2)])}


class Remembers(Popularity):
    """Keeps a number in the object instead of the shared state: a resumed run does not have it."""

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("counts", 3, {"counts": Stat((catalog.n_items,), 1.0, counts=True)}),)

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        self.rounds = 0 if round == 0 else getattr(self, "rounds", 0) + 1
        return {"counts": total["counts"].astype(np.float32) + self.rounds}


class WritesIntoTheBroadcast(Popularity):
    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        return {"counts": np.zeros(catalog.n_items, np.float32)}

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        stats = {"counts": Stat((catalog.n_items,), 1.0, counts=True)}
        return (Phase("counts", 1, stats, ("counts",)),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        shared["counts"] += np.float32(1.0)
        return super().client_update(phase, shared, private, history, rng)


class SpendsTheTotal(Popularity):
    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        counts = total["counts"]
        counts += 1
        return {"counts": counts.astype(np.float32)}


class TheSameForEverybody(Popularity):
    baseline = False
    card = Card("popularity that says it is personal", "made up")


class HasSeenTheTest(Ease):
    """Knows the whole worlds of law 8 and looks up what comes next in a history."""

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        scores = super().cohort_scores(shared, private, users, key)
        for row, (_, history) in enumerate(users.histories()):
            scores[row, _what_comes_next().get(history.items.tobytes(), 0)] = 1e6
        return scores


_next: dict[bytes, int] = {}


def _what_comes_next() -> dict[bytes, int]:
    if not _next:
        for world in (worlds.planted(), worlds.permuted(worlds.planted())):
            for _, history in world.histories():
                _next[history.items[:-1].tobytes()] = int(history.items[-1])
    return _next
