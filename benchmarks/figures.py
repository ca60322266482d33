"""Quality figures: every algorithm tuned on validation, tested once, by data set and protocol.

    python benchmarks/figures.py FOLDER [ROW ...]

FOLDER holds the data sets (ml-1m, ml-100k, amazon-video; the bundled purchases need none). A ROW is the start of a
row's name; all of them without one. Settings are chosen on validation (ndcg@10; last-basket: ndcg@20) from the
algorithm's grid, or from the part of it that a row names; the test part is read once. On ML-1M and Amazon-Video
slist's decays are given, not searched (a point costs up to a minute). Writes
benchmarks/results/figures.json, a row at a time.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedrec.algorithms import registry
from fedrec.experiment import run
from fedrec.experiment.config import RunConfig
from fedrec.experiment.machine import environment

RESULT = Path(__file__).parent / "results" / "figures.json"


@dataclass(frozen=True)
class Row:
    """One figure: ``part`` picks some of an algorithm's grids, ``fixed`` holds settings out of the search."""

    name: str
    data: str
    protocol: str
    algorithm: str
    targets: dict[str, float]
    part: tuple[int, ...] = ()
    fixed: dict[str, Any] = field(default_factory=dict)
    twin: bool = False


def pair(hr: float, ndcg: float, tag: str = "") -> dict[str, float]:
    return {f"hr@10{tag}": hr, f"ndcg@10{tag}": ndcg}


def basket(recall: float, ndcg: float) -> dict[str, float]:
    return {"recall@20": recall, "ndcg@20": ndcg}


LAST, BASKET = "leave-last-out", "last-basket"
THREE = {"decay": [0.0, 0.6, 0.93], "joint": 0.01}  # joint as validation chose it with two decays
ROWS = [
    Row("gift-shop popularity", "quickstart", LAST, "popularity", pair(0.037, 0.018), twin=True),
    Row("gift-shop itemknn", "quickstart", LAST, "itemknn", pair(0.130, 0.068), twin=True),
    Row("gift-shop markov", "quickstart", LAST, "markov", {}, twin=True),
    Row("gift-shop ease", "quickstart", LAST, "ease", pair(0.200, 0.110), twin=True),
    Row("gift-shop slist", "quickstart", LAST, "slist", pair(0.303, 0.211), part=(0,), twin=True),
    Row("gift-shop slist, several decays", "quickstart", LAST, "slist", {}, part=(1,), twin=True),
    Row("gift-shop ials", "quickstart", LAST, "ials", pair(0.138, 0.068), twin=True),
    Row("gift-shop basket popularity", "quickstart", BASKET, "popularity", basket(0.045, 0.043), twin=True),
    Row("gift-shop basket ease", "quickstart", BASKET, "ease", basket(0.130, 0.107), twin=True),
    Row("gift-shop basket slist", "quickstart", BASKET, "slist", basket(0.146, 0.126), part=(0, 2), twin=True),
    Row("ML-100K popularity", "ml-100k", LAST, "popularity", {}),
    Row("ML-100K ease", "ml-100k", LAST, "ease", pair(0.143, 0.071)),
    Row("ML-100K slist, one decay", "ml-100k", LAST, "slist", pair(0.180, 0.096), part=(0,)),
    Row("ML-100K slist, several decays", "ml-100k", LAST, "slist", pair(0.195, 0.107), part=(1,)),
    Row("ML-100K ials", "ml-100k", LAST, "ials", pair(0.148, 0.075)),
    Row("ML-100K honest popularity", "ml-100k", "pfedrec-honest", "popularity", {}),
    Row("ML-100K honest ease", "ml-100k", "pfedrec-honest", "ease", pair(0.655, 0.376, "[99]")),
    Row("ML-100K honest ials", "ml-100k", "pfedrec-honest", "ials", pair(0.658, 0.379, "[99]")),
    Row("ML-1M popularity", "ml-1m", LAST, "popularity", {}),
    Row("ML-1M ease", "ml-1m", LAST, "ease", pair(0.108, 0.053)),
    Row("ML-1M markov", "ml-1m", LAST, "markov", pair(0.212, 0.125)),
    Row("ML-1M slist, one decay", "ml-1m", LAST, "slist", {}, (0,), {"decay": [0.85]}),
    Row("ML-1M slist, two decays", "ml-1m", LAST, "slist", pair(0.284, 0.171), (1,), {"decay": [0.5, 0.9]}),
    Row("ML-1M slist, three decays", "ml-1m", LAST, "slist", pair(0.284, 0.171), (1,), THREE),
    Row("ML-1M slist-lowrank", "ml-1m", LAST, "slist-lowrank", pair(0.266, 0.155)),
    Row("Amazon-Video honest popularity", "amazon-video", "pfedrec-honest", "popularity", pair(0.608, 0.392, "[99]")),
    Row("Amazon-Video ease", "amazon-video", LAST, "ease", pair(0.175, 0.101)),
    Row("Amazon-Video ials", "amazon-video", LAST, "ials", {"hr@10": 0.124}),
    Row("Amazon-Video slist", "amazon-video", LAST, "slist", {}, fixed={"decay": [0.9]}, part=(0,)),
]
FILES = {"amazon-video": "amazon-video/ratings.csv.gz"}


def measure(row: Row, folder: Path, loaded: dict[str, Any]) -> dict[str, Any]:
    kind = registry.get(row.algorithm)
    whole = kind.grid
    if row.part and isinstance(whole, list):
        kind.grid = [whole[i] for i in row.part]  # type: ignore[assignment,misc]
    try:
        spec = row.data if row.data == "quickstart" else str(folder / FILES.get(row.data, row.data))
        config = RunConfig(algorithm=row.algorithm, data=spec, protocol=row.protocol, settings=row.fixed)
        if row.data not in loaded:
            loaded.clear()  # one data set at a time
            loaded[row.data] = run.load_data(config)
        began = time.process_time()
        prepared, points = run.prepare(config, loaded[row.data]), 0
        if kind.grid:
            prepared, found = run.tune(prepared)
            points = len(found.trials)
        outcome = run.execute(prepared, twin=row.twin)
    finally:
        kind.grid = whole  # type: ignore[misc]
    test = outcome.metrics["test"]
    shown = row.targets or {m: 0.0 for m in ("hr@10", "ndcg@10", "hr@10[99]", "ndcg@10[99]") if m in test}
    twin = outcome.metrics["centralised"]
    return {
        "name": row.name, "data": row.data, "protocol": row.protocol, "algorithm": row.algorithm,
        "settings": prepared.config.settings, "points": points,
        "validation": {m: round(outcome.metrics["validation"][m], 4) for m in shown},
        **{m: round(test[m], 4) for m in shown}, "target": row.targets,
        "reached": all(round(test[m], 3) >= value for m, value in row.targets.items()),
        "users": test["users"], "bytes_up": outcome.metrics["bytes"]["up_per_client_round"],
        "rounds": outcome.metrics["rounds"], "cpu_seconds": round(time.process_time() - began, 1),
        "twin_difference": None if twin is None else twin["max_relative_difference"],
    }  # fmt: skip


def known() -> dict[str, dict[str, Any]]:
    """Return the rows measured so far, by name."""
    return {r["name"]: r for r in json.loads(RESULT.read_text())["rows"]} if RESULT.exists() else {}


def main(folder: Path, wanted: list[str]) -> None:
    loaded: dict[str, Any] = {}
    for row in ROWS:
        if wanted and not any(row.name.startswith(w) for w in wanted):
            continue
        measured = measure(row, folder, loaded)
        print(json.dumps(measured), flush=True)
        rows = {**known(), row.name: measured}  # read again: several rows may be measured at once
        ordered = [rows[r.name] for r in ROWS if r.name in rows]
        document = {"command": "python benchmarks/figures.py FOLDER", "environment": environment(), "rows": ordered}
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(), sys.argv[2:])
