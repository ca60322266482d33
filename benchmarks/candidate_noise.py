"""How much of a sampled metric is the draw of its 99 candidates: pfedrec-honest, the same models, 50 other draws.

    python benchmarks/candidate_noise.py FOLDER

FOLDER holds ml-100k and amazon-video. The protocol draws each user's candidates once (key 0); here keys 1 to 50 draw
them anew while split, model and settings (those that validation chose, see figures.json and ials_figures.json) stay.
"inside": the asked figure lies within two standard deviations of the draws' mean. No draw is chosen: tables keep
key 0. The protocol counts ties against the held-out item; "ties halved" is the mean where half of them count, which
matters where scores are small counts. Writes benchmarks/results/candidate_noise.json.
"""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fedrec.contract import Key
from fedrec.data.split_pfedrec import SAMPLED, draw_candidates
from fedrec.experiment import run
from fedrec.experiment.config import RunConfig
from fedrec.experiment.machine import environment
from fedrec.metrics.ranking import per_user

RESULT = Path(__file__).parent / "results" / "candidate_noise.json"
DRAWS = range(1, 51)
METRICS = ("hr", "ndcg")
ROWS: list[tuple[str, str, dict[str, Any], tuple[float, float] | None]] = [
    ("ml-100k", "popularity", {}, (0.405, 0.220)),
    ("ml-100k", "ease", {"reg": 300}, (0.655, 0.376)),
    ("ml-100k", "ials", {"dim": 128, "alpha0": 0.3, "reg": 0.01}, (0.658, 0.379)),
    ("amazon-video/ratings.csv.gz", "popularity", {}, (0.608, 0.392)),
]


def row(folder: Path, name: str, algorithm: str, settings: dict[str, Any], asked: Any) -> dict[str, Any]:
    config = RunConfig(algorithm=algorithm, data=str(folder / name), protocol="pfedrec-honest", settings=settings)
    data = run.load_data(config)
    outcome = run.execute(run.prepare(config, data))
    task = outcome.prepared.split.test
    assert task is not None
    people, targets = task.histories.users, task.targets
    values: dict[str, list[float]] = {m: [] for m in METRICS}
    halved: dict[str, list[float]] = {m: [] for m in METRICS}
    for draw in DRAWS:
        sampled, _ = draw_candidates(data.interactions, people, Key(draw, 0, "pfedrec candidates"))
        other = replace(task, candidates=np.column_stack([sampled[:, SAMPLED:], targets]).astype(np.int32))
        for found, pessimistic in ((values, True), (halved, False)):
            ranks = outcome.model.rank(replace(other, pessimistic=pessimistic))
            for m in METRICS:
                found[m].append(float(per_user(ranks, m, 10).mean()))
    out: dict[str, Any] = {"set": name.split("/", maxsplit=1)[0], "model": algorithm, "model settings": settings}
    for m, want in zip(METRICS, asked, strict=True):
        mean, sd = statistics.mean(values[m]), statistics.stdev(values[m])
        out[f"{m}, key 0"] = round(outcome.metrics["test"][f"{m}@10[99]"], 4)
        out |= {f"{m}, mean of draws": round(mean, 4), f"{m}, sd of draws": round(sd, 4), f"{m}, asked": want}
        out[f"{m}, ties halved"] = round(statistics.mean(halved[m]), 4)
        out[f"{m}, inside"] = abs(want - mean) <= 2 * sd
    return out


def main(folder: Path) -> None:
    rows = []
    for each in ROWS:
        rows.append(row(folder, *each))
        print(json.dumps(rows[-1]), flush=True)
    document = {"command": "python benchmarks/candidate_noise.py FOLDER", "environment": environment(), "rows": rows}
    RESULT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
