"""From ranks to the numbers of metrics.json: metrics, groups, coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.data.task import Task
from fedrec.metrics.ranking import per_user, summary
from fedrec.metrics.ranks import Ranks

KS = (10, 20)


def metrics(ranks: Ranks, task: Task) -> dict[str, float]:
    """Return {"ndcg@10": .., "hr@10": .., ...}; sampled candidates are named ``hr@10[99]``."""
    tag = "" if task.candidates is None else f"[{task.candidates.shape[1] - 1}]"
    return summary(ranks, KS, tag=tag)


def coverage(ranks: Ranks, n_items: int) -> float:
    """Return the share of the catalogue that stands in somebody's top 10."""
    if ranks.top is None:
        return 0.0
    shown = np.unique(ranks.top[:, :10])
    return float((shown >= 0).sum() / n_items)


def groups(
    ranks: Ranks, task: Task, train: Interactions, clients: NDArray[np.int64] | None, labels: list[str]
) -> dict[str, Any]:
    """Return ndcg@10 by history length, by head and tail items, and by client (spread and worst)."""
    ndcg = per_user(ranks, "ndcg", 10)
    out: dict[str, Any] = {
        "history length": _by_length(ndcg, task),
        "items": _head_and_tail(ranks, train),
        "spread": _spread(ndcg),
    }
    if clients is not None:
        mine = clients[ranks.users]
        rows: list[dict[str, Any]] = [
            {"client": labels[c], "users": int((mine == c).sum()), "ndcg@10": float(ndcg[mine == c].mean())}
            for c in range(len(labels))
            if (mine == c).any()
        ]
        out["client"] = rows
        out["worst client"] = min(rows, key=lambda row: row["ndcg@10"])
    return out


def _by_length(ndcg: NDArray[np.float64], task: Task) -> list[dict[str, Any]]:
    lengths = task.histories.lengths()
    cuts = np.unique(np.quantile(lengths, [0.25, 0.5, 0.75]).astype(int) + 1)  # first length of the next group
    number = np.searchsorted(cuts, lengths, side="right")
    rows = []
    for group in np.unique(number):
        mine = number == group
        low, high = int(lengths[mine].min()), int(lengths[mine].max())
        name = f"{low}-{high}" if high > low else f"{low}"
        rows.append({"group": name, "users": int(mine.sum()), "ndcg@10": float(ndcg[mine].mean())})
    return rows


def _head_and_tail(ranks: Ranks, train: Interactions) -> list[dict[str, Any]]:
    counts = np.bincount(train.items, minlength=train.n_items)
    order = np.argsort(-counts, kind="stable")
    head = np.zeros(train.n_items, bool)
    head[order[: max(1, train.n_items // 5)]] = True
    rows = []
    for name, mask in (("head (most popular 20 % of items)", head), ("tail (the other 80 %)", ~head)):
        mine = mask[ranks.items]
        if mine.any():
            rows.append({"group": name, "held-out": int(mine.sum()), "hr@10": float((ranks.rank[mine] <= 10).mean())})
    return rows


def _spread(ndcg: NDArray[np.float64]) -> dict[str, float]:
    p10, p50, p90 = np.quantile(ndcg, [0.1, 0.5, 0.9])
    worst = np.sort(ndcg)[: max(1, len(ndcg) // 10)]
    return {"p10": float(p10), "p50": float(p50), "p90": float(p90), "worst decile": float(worst.mean())}
