"""Every metric equals ranx's on untied random scores (test extra; it compiles for a while)."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fedrec.contract import Interactions
from fedrec.data.task import Task
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import rank_all

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ranx = pytest.importorskip("ranx")

ITEMS, PEOPLE = 60, 12
NAMES = {"hr": "hit_rate", "ndcg": "ndcg", "recall": "recall", "precision": "precision", "mrr": "mrr", "map": "map"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # numba's and ir_datasets' own, while ranx compiles
def test_metrics_equal_ranx_to_1e_12() -> None:
    draw = np.random.Generator(np.random.Philox(key=3))
    scores = draw.permuted(np.tile(np.arange(ITEMS), (PEOPLE, 1)), axis=1).astype(np.float32)  # untied
    orders = [draw.permutation(ITEMS) for _ in range(PEOPLE)]
    known, held = [o[:8].tolist() for o in orders], [o[8 : 9 + n].tolist() for n, o in enumerate(orders)]
    offsets = np.concatenate([[0], np.cumsum([len(h) for h in held])]).astype(np.int64)
    task = Task(Interactions.from_lists(ITEMS, known), offsets, np.array([i for h in held for i in h], np.int32))
    ranks = rank_all(lambda people: scores[people.users], task)
    qrels = ranx.Qrels({f"u{u}": {f"i{i}": 1 for i in h} for u, h in enumerate(held)})
    run = ranx.Run(
        {f"u{u}": {f"i{i}": float(scores[u, i]) for i in range(ITEMS) if i not in known[u]} for u in range(PEOPLE)}
    )
    order = [int(name[1:]) for name in qrels.keys()]  # noqa: SIM118  (ranx' own mapping)
    for k in (5, 10, 20):
        for ours, theirs in NAMES.items():
            expected = np.empty(PEOPLE)
            expected[order] = ranx.evaluate(qrels, run, f"{theirs}@{k}", return_mean=False)
            if ours == "map":  # ranx divides by the held-out items, we by min(held-out, k)
                sizes = np.array([len(h) for h in held])
                expected *= sizes / np.minimum(sizes, k)
            assert np.abs(per_user(ranks, ours, k) - expected).max() <= 1e-12, (ours, k)
