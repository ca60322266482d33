"""Attacks of fake clients: one function each, from what the attackers see to the updates they send.

Two families. On models whose users train item rows, an attack moves rows (``on_rows``). On sums of statistics, fakes
make up histories and send their statistics (``on_statistics``). Both are then stretched to the declared bounds. The
oracle is the worst case: it sees the honest sum and the honest users' data or vectors before it sends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.audit.poisoning_bounds import filled
from fedrec.contract import Algorithm, Arrays, Catalog, History, Interactions, Key, Part, Phase, Total, Update

Array = NDArray[np.float64]
PROFILES = 20  # different fakes; the others are their copies
LENGTH = 30  # items of a forged history
FLIP = 10.0  # a sign flip sends so many times the opposite of an honest update
CLUSTERS = 8


@dataclass(frozen=True)
class Scene:
    """What attackers see in a round.

    ``shared``: the broadcast; ``honest``: the honest users of the round with ``private``, their state after it;
    ``total``: the honest sum (the oracle alone looks at these three); ``targets`` (t,): items to promote; ``fakes``:
    how many attackers there are; ``size``: see ``filled``; ``key``: of this round's forging; ``state``: all that the
    server holds, which the oracle looks at too.
    """

    algorithm: Algorithm
    catalog: Catalog
    phase: Phase
    shared: Arrays
    honest: Interactions
    private: Arrays
    total: Total
    targets: NDArray[np.int64]
    fakes: int
    size: float | None
    key: Key
    state: Arrays

    @property
    def moves_rows(self) -> bool:
        """Return whether clients send differences of an item table that is broadcast."""
        table, stat = self.shared.get("items"), self.phase.stats.get("items")
        return table is not None and stat is not None and stat.shape == table.shape

    @property
    def popular(self) -> NDArray[np.int64]:
        """Return the items from most to least popular: public knowledge."""
        return np.argsort(-np.bincount(self.honest.items, minlength=self.honest.n_items), kind="stable")

    def draw(self, purpose: str) -> np.random.Generator:
        """Return the attackers' randomness for one purpose."""
        return replace(self.key, purpose=f"poison {purpose}").generator()


Attack = Callable[[Scene], list[Update]]


# -- row differences ----------------------------------------------------------------------------------------------
def rows(scene: Scene, ids: NDArray[np.int64], directions: Array, touched: float = 1.0) -> Update:
    """Return the largest update that moves some rows in these directions, (len(ids), d)."""
    order = np.argsort(ids)
    ids = ids[order]
    lengths = np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    update = {"items": Part((directions / lengths)[order], (ids,))}
    if "rows" in scene.phase.stats:
        update["rows"] = Part(np.full(len(ids), touched), (ids,))
    return filled(scene.phase, update, scene.size)


def _same_for_all(scene: Scene, directions: Array, touched: float = 1.0) -> list[Update]:
    return [
        rows(scene, scene.targets, np.broadcast_to(directions, (len(scene.targets), directions.shape[-1])), touched)
    ]


# -- forged histories -----------------------------------------------------------------------------------------------
def forged(scene: Scene, histories: list[NDArray[np.int64]], factor: float = 1.0) -> list[Update]:
    """Return the updates of people with these histories, times ``factor``, stretched to the bounds."""
    out = []
    for number, items in enumerate(histories):
        rng = replace(scene.key, purpose="poison training").rng(number)
        mine = scene.algorithm.private(rng, scene.catalog)
        history = History(np.asarray(items, np.int32))
        update, _ = scene.algorithm.client_update(scene.phase, scene.shared, mine, history, rng)
        larger = {n: Part(np.asarray(p.values, np.float64) * factor, p.index) for n, p in update.items()}
        out.append(filled(scene.phase, larger, scene.size))
    return out


def imitated(scene: Scene) -> list[NDArray[np.int64]]:
    """Return histories of made-up people who like what is popular, (PROFILES of LENGTH items)."""
    draw, popular = scene.draw("imitation"), scene.popular
    near = popular[: max(LENGTH, len(popular) // 5)]
    return [draw.choice(near, min(LENGTH, len(near)), replace=False) for _ in range(PROFILES)]


def _and_targets(scene: Scene, histories: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    return [np.concatenate([h[~np.isin(h, scene.targets)], scene.targets]) for h in histories]


# -- the attacks ----------------------------------------------------------------------------------------------------
def explicit_boost(scene: Scene) -> list[Update]:
    """Each fake raises the targets' scores for itself: it trains a vector, or likes the targets, like anybody."""
    if not scene.moves_rows:
        return forged(scene, _and_targets(scene, imitated(scene)))
    out = []
    for number, items in enumerate(imitated(scene)):
        rng = replace(scene.key, purpose="poison training").rng(number)
        private = scene.algorithm.private(rng, scene.catalog)
        mine = scene.algorithm.adapt(scene.shared, private, History(np.asarray(items, np.int32)), rng)
        out += _same_for_all(scene, np.asarray(mine["user"], np.float64))
    return out


def popular_alignment(scene: Scene) -> list[Update]:
    """Targets are made to look like the most popular items (PipAttack, 2110.10926; PIECK, 2502.12958)."""
    if not scene.moves_rows:
        return forged(scene, _and_targets(scene, [scene.popular[:LENGTH]]))
    table = np.asarray(scene.shared["items"], np.float64)
    return [rows(scene, scene.targets, table[scene.popular[:LENGTH]].mean(axis=0) - table[scene.targets])]


def random_user(scene: Scene) -> list[Update]:
    """Targets are promoted to users drawn at random (A-ra, IJCAI 2022: knows nobody)."""
    draw = scene.draw("random users")
    if not scene.moves_rows:
        n, short = scene.honest.n_items, min(LENGTH, scene.honest.n_items)
        return forged(scene, _and_targets(scene, [draw.choice(n, short, replace=False) for _ in range(PROFILES)]))
    table = np.asarray(scene.shared["items"], np.float64)
    users = draw.normal(0.0, 0.1, (PROFILES, 32, table.shape[1]))
    out = []
    for some in users:
        wanted = 1.0 / (1.0 + np.exp(np.clip(some @ table[scene.targets].T, -30, 30)))  # of the BCE: 1 - sigmoid(score)
        out.append(rows(scene, scene.targets, wanted.T @ some))
    return out


def clustering(scene: Scene) -> list[Update]:
    """Untargeted: rows are drawn to a few centres, or fakes like whole arbitrary groups (ClusterAttack, 2212.05399)."""
    n = scene.honest.n_items
    if not scene.moves_rows:
        order = Key(scene.key.seed, 0, "poison clusters").generator().permutation(n)
        return forged(scene, [np.asarray(g) for g in np.array_split(order, min(CLUSTERS, n))])
    table = np.asarray(scene.shared["items"], np.float64)
    centres = table[Key(scene.key.seed, 0, "poison clusters").generator().choice(n, min(CLUSTERS, n), replace=False)]
    for _ in range(5):
        near = np.argmax(table @ centres.T - 0.5 * np.square(centres).sum(axis=1), axis=1)
        centres = np.stack(
            [table[near == c].mean(axis=0) if (near == c).any() else centres[c] for c in range(len(centres))]
        )
    return [rows(scene, np.arange(n), centres[near] - table)]


def sign_flip(scene: Scene) -> list[Update]:
    """Untargeted: the opposite of an ordinary update, ten times as large."""
    return forged(scene, imitated(scene), -FLIP)


def nan_flood(scene: Scene) -> list[Update]:
    """Not-a-number everywhere: must be refused, and cost the sum nothing."""
    return [{name: Part(np.full(stat.shape, np.nan)) for name, stat in scene.phase.stats.items()}]


def nothing(scene: Scene) -> list[Update]:
    """Zeros: what a fake sends in a round in which it has nothing to win."""
    return [{name: Part(np.zeros(stat.shape)) for name, stat in scene.phase.stats.items()}]
