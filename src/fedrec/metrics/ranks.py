"""The rank of every held-out item: 1 + greater + half of the others tied, among all items not in the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ContractError, Interactions
from fedrec.data.task import Task
from fedrec.kernels.ranks import rank_targets

Scorer = Callable[[Interactions], NDArray[np.float32]]
BLOCK = 512  # users scored at a time, so that users x items is never held


@dataclass(frozen=True)
class Ranks:
    """Ranks in CSR form by person: ``users`` (u,) row numbers in the data; ``offsets``; ``items``; ``rank`` float64.

    ``top`` (u, k) int32 or None: the k best items of each person, -1 where there are fewer.
    """

    users: NDArray[np.int64]
    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    rank: NDArray[np.float64]
    top: NDArray[np.int32] | None = None


def rank_all(scorer: Scorer, task: Task, top: int = 0, block: int = BLOCK) -> Ranks:
    """Rank the held-out items of every person of a task; ``top`` > 0 also returns that many best items."""
    ranks = np.empty(len(task.targets), np.float64)
    best = np.full((task.n_users, top), -1, np.int32)
    for first in range(0, task.n_users, block):
        last = min(first + block, task.n_users)
        people = task.histories.slice(first, last)
        scores = np.ascontiguousarray(scorer(people), np.float32)
        if scores.shape != (people.n_users, people.n_items):
            raise ContractError(
                f"scores have shape {scores.shape}, expected (users, items) = {(people.n_users, people.n_items)}"
            )
        a, b = task.target_offsets[first], task.target_offsets[last]
        if task.candidates is not None:
            finite = bool(np.isfinite(scores).all())
            ranks[a:b] = _rank_candidates(scores, task.candidates[first:last], task.pessimistic)
        else:
            offsets = task.target_offsets[first : last + 1] - a
            finite = rank_targets(
                scores, people.offsets, people.items, offsets, task.targets[a:b], ranks[a:b], best[first:last]
            )
        if not finite:
            raise ContractError("a score is not finite: the model diverged (lower the learning rate, raise reg)")
    return Ranks(task.histories.users, task.target_offsets, task.targets, ranks, best if top else None)


def _rank_candidates(
    scores: NDArray[np.float32], candidates: NDArray[np.int32], pessimistic: bool
) -> NDArray[np.float64]:
    mine = np.take_along_axis(scores, candidates.astype(np.int64), axis=1)
    own, others = mine[:, -1:], mine[:, :-1]
    greater = (others > own).sum(axis=1)
    tied = (others == own).sum(axis=1)
    return np.asarray(1.0 + greater + tied * (1.0 if pessimistic else 0.5), np.float64)


def top_items(scores: NDArray[np.float32], allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """Return the ids of the k best allowed items, best first; equal scores in the order of the catalogue."""
    ids = np.flatnonzero(allowed)
    order = np.argsort(-scores[ids], kind="stable")
    return ids[order[:k]]
