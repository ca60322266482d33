"""All-item evaluation against its own matmul, in one run: score, mask, rank the held-out item, and the top 20.

    python benchmarks/speed_evaluate.py [DATA ...]

Target: at most 3.5 x the CPU time of the matmul with the top 20, at most 2 x rank only (random factors, d = 64,
float32, one BLAS thread in both). Writes benchmarks/results/speed_evaluate.json.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from timing import in_turn, report

from fedrec import data as data_layer
from fedrec.contract import Interactions
from fedrec.data.protocols import apply
from fedrec.kernels.lanes import one_blas_thread
from fedrec.metrics.ranks import BLOCK, rank_all

RESULT = Path(__file__).parent / "results" / "speed_evaluate.json"
DIM, REPEATS = 64, 7


def measure(spec: str) -> dict[str, Any]:
    data = data_layer.load(spec)
    split = apply("leave-last-out" if data.ordered else "given", data)
    task = split.test
    assert task is not None
    draw = np.random.Generator(np.random.Philox(key=1))
    users = draw.normal(size=(data.n_users, DIM)).astype(np.float32)
    items = draw.normal(size=(DIM, data.n_items)).astype(np.float32)
    blocks = [task.histories.users[a : a + BLOCK] for a in range(0, task.n_users, BLOCK)]

    def scorer(people: Interactions) -> np.ndarray:
        return users[people.users] @ items

    def matmul() -> None:
        for rows in blocks:
            users[rows] @ items

    jobs: dict[str, Callable[[], object]] = {
        "matmul": matmul,
        "rank": lambda: rank_all(scorer, task),
        "rank and top 20": lambda: rank_all(scorer, task, 20),
    }
    with one_blas_thread():
        best = {name: min(times) for name, times in in_turn(jobs, REPEATS).items()}
    return {
        "data": data.name, "users": task.n_users, "items": data.n_items, "cpu_seconds": best,
        "rank / matmul": best["rank"] / best["matmul"],
        "rank and top 20 / matmul": best["rank and top 20"] / best["matmul"],
    }  # fmt: skip


if __name__ == "__main__":
    rows = [measure(spec) for spec in sys.argv[1:] or ["quickstart"]]
    report(RESULT, "python benchmarks/speed_evaluate.py DATA/quickstart DATA/ml-1m", rows)
