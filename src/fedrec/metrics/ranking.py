"""Ranking metrics from ranks: hr, ndcg, recall, precision, mrr, map; each a mean over people.

| metric | definition |
| --- | --- |
| hr@k | 1 if any held-out item has rank <= k |
| recall@k | hits / held-out items |
| precision@k | hits / k |
| ndcg@k | gain 1, discount 1 / log2(rank + 1), ideal over min(held-out, k) |
| mrr@k | 1 / rank of the first hit within k, else 0 |
| map@k | sum of precision at the hits / min(held-out, k) |
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.metrics.ranks import Ranks

METRICS = ("hr", "ndcg", "recall", "precision", "mrr", "map")
FloatArray = NDArray[np.float64]


def per_user(ranks: Ranks, metric: str, k: int) -> FloatArray:
    """Return one value a person, (u,) float64."""
    held = np.diff(ranks.offsets)
    person = np.repeat(np.arange(len(held)), held)
    hit = ranks.rank <= k
    gain = np.zeros(len(ranks.rank))
    if metric == "ndcg":
        gain[hit] = 1.0 / np.log2(ranks.rank[hit] + 1.0)
        discounts = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
        ideal: FloatArray = np.maximum(discounts[np.minimum(held, k)], 1e-300)
        return _sum(person, gain, len(held)) / ideal
    if metric == "mrr":
        best = np.full(len(held), np.inf)
        np.minimum.at(best, person, np.where(hit, ranks.rank, np.inf))
        return 1.0 / best
    if metric == "map":
        order = np.lexsort((ranks.rank, person))
        sorted_hits = hit[order].astype(np.float64)
        nth = np.cumsum(sorted_hits) - np.repeat((np.cumsum(sorted_hits) - sorted_hits)[ranks.offsets[:-1]], held)
        gain = np.where(hit[order], nth / ranks.rank[order], 0.0)
        return np.asarray(_sum(person, gain, len(held)) / np.maximum(np.minimum(held, k), 1), np.float64)
    hits = _sum(person, hit.astype(np.float64), len(held))
    if metric == "hr":
        return (hits > 0).astype(np.float64)
    if metric == "recall":
        return np.asarray(hits / np.maximum(held, 1), np.float64)
    if metric == "precision":
        return hits / k
    raise ValueError(f"no metric is called {metric!r}; expected one of {', '.join(METRICS)}")


def _sum(person: NDArray[np.int64], values: FloatArray, n: int) -> FloatArray:
    return np.asarray(np.bincount(person, weights=values, minlength=n), np.float64)


def summary(
    ranks: Ranks, ks: tuple[int, ...] = (10, 20), metrics: tuple[str, ...] = METRICS, tag: str = ""
) -> dict[str, float]:
    """Return {"hr@10": mean, ...}; ``tag`` marks sampled metrics, as in ``hr@10[99]``."""
    return {f"{m}@{k}{tag}": float(per_user(ranks, m, k).mean()) for k in ks for m in metrics}
