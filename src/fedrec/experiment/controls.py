"""Controls: what a number must not be reachable by.

* federation off: every client trains alone (fedrec.experiment.alone);
* leaky negatives: the published defect, local negatives that avoid the held-out items;
* permuted labels: each user's items through that user's own random permutation of the catalogue, so nothing can be
  learned from others and a model must score chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions, Key
from fedrec.data.splits import Split
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import Ranks


def permuted(data: Interactions, seed: int) -> Interactions:
    """Return the interactions with every user's items renamed by that user's own permutation."""
    key = Key(seed, 0, "permuted labels")
    items = data.items.copy()
    for row in range(data.n_users):
        a, b = int(data.offsets[row]), int(data.offsets[row + 1])
        order = key.rng(int(data.users[row])).generator().permutation(data.n_items).astype(np.int32)
        items[a:b] = order[items[a:b]]
    return replace(data, items=items, _cache={})


def leaky(split: Split) -> Split:
    """Return the split with the published defect: local negatives avoid the held-out items too."""
    held: list[list[int]] = [[] for _ in range(split.train.n_users)]
    for task in (split.validation, split.test):
        if task is None:
            continue
        for row, user in enumerate(task.histories.users):
            a, b = int(task.target_offsets[row]), int(task.target_offsets[row + 1])
            held[int(user)] += [int(i) for i in task.targets[a:b]]
    offsets = np.concatenate([[0], np.cumsum([len(h) for h in held])]).astype(np.int64)
    items = np.array([i for h in held for i in h], np.int32)
    return replace(
        split,
        train=replace(split.train, avoid_offsets=offsets, avoid_items=items, _cache={}),
        final=replace(split.final, avoid_offsets=offsets, avoid_items=items, _cache={}),
    )


@dataclass(frozen=True)
class Chance:
    """A measured mean beside what guessing gives, and the distance in standard errors."""

    measured: float
    chance: float
    standard_errors: float

    @property
    def ok(self) -> bool:
        """Return whether the measurement is chance within 4 standard errors."""
        return abs(self.standard_errors) <= 4.0


def chance_ndcg(ranks: Ranks, candidates: NDArray[np.int64], k: int = 10) -> float:
    """Return the expected ndcg@k of a random order: each person has held-out items among ``candidates`` items."""
    held = np.diff(ranks.offsets)
    discounts = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
    ideal = discounts[np.minimum(held, k)]
    reachable = np.minimum(k, candidates)
    expected = held * discounts[reachable] / np.maximum(candidates, 1)  # each place is a hit with held / candidates
    return float((expected / np.maximum(ideal, 1e-300)).mean())


def against_chance(ranks: Ranks, candidates: NDArray[np.int64], k: int = 10) -> Chance:
    """Compare ndcg@k with guessing."""
    values = per_user(ranks, "ndcg", k)
    expected = chance_ndcg(ranks, candidates, k)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    measured = float(values.mean())
    return Chance(measured, expected, (measured - expected) / error if error else 0.0)
