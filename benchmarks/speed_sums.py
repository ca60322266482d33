"""The sums of ease and slist in one run: ease's X'X against scipy's sparse product, slist's G and C against ease's.

    python benchmarks/speed_sums.py [DATA ...]

CPU seconds after compilation, medians of several repeats taken in turns, all on the leave-last-out training part.
Ours is the cohort path as a run takes it: the integer ring is made, the sum is added to it. "first" also builds the
view by item and looks for repeats, which a run does once a data set; "again" adds to a ring that is there already: the
difference is what the operating system takes for fresh memory, which swings most from run to run. Scipy's product
starts from a ready CSR matrix, the faster of float32 and float64, and stays sparse; ``.toarray()`` stands beside.
Targets: ease at least 4 x faster than scipy, slist (one decay, 0.85) at most 3 x ease.
Writes benchmarks/results/speed_sums.json.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from timing import in_turn, report

from fedrec import data as data_layer
from fedrec.algorithms.ease import Ease
from fedrec.algorithms.slist import Slist
from fedrec.contract import Algorithm, Catalog, Interactions, Key
from fedrec.data.protocols import apply
from fedrec.privacy import RingSum

RESULT = Path(__file__).parent / "results" / "speed_sums.json"
REPEATS = 9


def summing(
    algorithm: Algorithm, users: Interactions, first: bool = False, again: bool = False
) -> Callable[[], RingSum]:
    """Return the one sum of an algorithm over all users.

    ``first``: nothing about the users is known yet; ``again``: added to a ring whose memory was touched before.
    """
    catalog = Catalog(users.n_items, users.n_users)
    phase, shared = algorithm.plan(catalog)[0], algorithm.shared(catalog, 0)
    kept = RingSum(phase, users.n_users * (REPEATS + 1))

    def work() -> RingSum:
        people = replace(users, _cache={}) if first else users
        total = kept if again else RingSum(phase, users.n_users)
        algorithm.cohort_update(phase, shared, {}, people, Key(0, 1, "update"), total)
        return total

    return work


def measure(spec: str) -> dict[str, Any]:
    data = data_layer.load(spec)
    users = apply("leave-last-out", data).train
    matrices = {
        kind: sparse.csr_matrix(
            (np.ones(users.n_interactions, kind), users.items, users.offsets), (users.n_users, users.n_items)
        )
        for kind in ("float32", "float64")
    }
    product = matrices["float32"].T @ matrices["float32"]
    ease, slist = Ease(), Slist(decay=(0.85,))
    jobs: dict[str, Callable[[], object]] = {
        "scipy float32": lambda: matrices["float32"].T @ matrices["float32"],
        "scipy float64": lambda: matrices["float64"].T @ matrices["float64"],
        "scipy toarray": product.toarray,
        "ease": summing(ease, users),
        "slist": summing(slist, users),
        "ease first": summing(ease, users, first=True),
        "slist first": summing(slist, users, first=True),
        "ease again": summing(ease, users, again=True),
        "slist again": summing(slist, users, again=True),
    }
    seconds = {name: float(np.median(times)) for name, times in in_turn(jobs, REPEATS).items()}
    scipys = min(seconds["scipy float32"], seconds["scipy float64"])
    faster, slower = scipys / seconds["ease"], seconds["slist"] / seconds["ease"]
    return {
        "data": data.name, "users": users.n_users, "items": users.n_items, "interactions": users.n_interactions,
        "cpu_seconds": seconds,
        "equal to scipy": bool(np.array_equal(product.toarray(), summing(ease, users)().ring["pairs"])),
        "scipy / ease": faster, "scipy / ease first": scipys / seconds["ease first"],
        "slist / ease": slower, "slist first / ease first": seconds["slist first"] / seconds["ease first"],
        "slist again / ease again": seconds["slist again"] / seconds["ease again"],
        "reached": {
            "scipy / ease": faster >= 4,
            "slist / ease": slower <= 3,
            "slist again / ease again": seconds["slist again"] <= 3 * seconds["ease again"],
        },
    }  # fmt: skip


if __name__ == "__main__":
    rows = [measure(spec) for spec in sys.argv[1:] or ["quickstart"]]
    report(RESULT, "python benchmarks/speed_sums.py DATA/quickstart DATA/ml-1m", rows)
