"""The rank of every held-out item: 1 + greater + half of the others tied, among all items not in the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ContractError, Interactions
from fedrec.data.task import Task

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
    best = np.full((task.n_users, top), -1, np.int32) if top else None
    for first in range(0, task.n_users, block):
        last = min(first + block, task.n_users)
        people = task.histories.slice(first, last)
        scores = np.ascontiguousarray(scorer(people), np.float32)
        if scores.shape != (people.n_users, people.n_items):
            raise ContractError(
                f"scores have shape {scores.shape}, expected (users, items) = {(people.n_users, people.n_items)}"
            )
        if not np.isfinite(scores).all():
            raise ContractError("a score is not finite: the model diverged (lower the learning rate, raise reg)")
        a, b = task.target_offsets[first], task.target_offsets[last]
        offsets = task.target_offsets[first : last + 1] - a
        if task.candidates is not None:
            ranks[a:b] = _rank_candidates(scores, task.candidates[first:last], task.pessimistic)
            continue
        _rank_block(scores, people.offsets, people.items, offsets, task.targets[a:b], ranks[a:b])
        if best is not None:
            _top_block(scores, people.offsets, people.items, best[first:last])
    return Ranks(task.histories.users, task.target_offsets, task.targets, ranks, best)


def _rank_candidates(
    scores: NDArray[np.float32], candidates: NDArray[np.int32], pessimistic: bool
) -> NDArray[np.float64]:
    mine = np.take_along_axis(scores, candidates.astype(np.int64), axis=1)
    own, others = mine[:, -1:], mine[:, :-1]
    greater = (others > own).sum(axis=1)
    tied = (others == own).sum(axis=1)
    return 1.0 + greater + tied * (1.0 if pessimistic else 0.5)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _rank_block(scores, offsets, items, target_offsets, targets, out):  # type: ignore[no-untyped-def]
    n = scores.shape[1]
    for u in range(scores.shape[0]):
        row = scores[u]
        for t in range(target_offsets[u], target_offsets[u + 1]):
            own = row[targets[t]]
            greater = 0
            tied = 0
            for j in range(n):
                greater += row[j] > own
                tied += row[j] == own
            for e in range(offsets[u], offsets[u + 1]):
                seen = False
                for f in range(offsets[u], e):
                    if items[f] == items[e]:
                        seen = True
                        break
                if not seen and items[e] != targets[t]:
                    greater -= row[items[e]] > own
                    tied -= row[items[e]] == own
            out[t] = 1.0 + greater + 0.5 * (tied - 1)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _top_block(scores, offsets, items, best):  # type: ignore[no-untyped-def]
    n, k = scores.shape[1], best.shape[1]
    value = np.empty(k, np.float32)
    seen = np.zeros(n, np.bool_)
    for u in range(scores.shape[0]):
        for e in range(offsets[u], offsets[u + 1]):
            seen[items[e]] = True
        held = 0
        for j in range(n):
            if seen[j]:
                continue
            s = scores[u, j]
            if held == k and not s > value[k - 1]:
                continue
            p = held if held < k else k - 1
            while p > 0 and s > value[p - 1]:
                value[p] = value[p - 1]
                best[u, p] = best[u, p - 1]
                p -= 1
            value[p] = s
            best[u, p] = j
            if held < k:
                held += 1
        for e in range(offsets[u], offsets[u + 1]):
            seen[items[e]] = False


def top_items(scores: NDArray[np.float32], allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """Return the ids of the k best allowed items, best first; equal scores in the order of the catalogue."""
    ids = np.flatnonzero(allowed)
    order = np.argsort(-scores[ids], kind="stable")
    return ids[order[:k]]
