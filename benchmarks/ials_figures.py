"""iALS on three data sets: settings from its one grid by validation ndcg@10 (seed 0), then five seeds on the test part.

    python benchmarks/ials_figures.py DATA_FOLDER [NAME ...]

DATA_FOLDER holds ml-100k/ and amazon-video/. Each row's test figures are means over the seeds; the twin (dense float64,
same start) is compared at seed 0. Rows are written as they are done, to benchmarks/results/ials_figures.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from fedrec.experiment import run
from fedrec.experiment.config import RunConfig
from fedrec.experiment.machine import environment
from fedrec.experiment.tune import Trial

RESULT = Path(__file__).parent / "results" / "ials_figures.json"
SEEDS = range(5)
ROWS: dict[str, tuple[str, str, dict[str, float]]] = {
    "gift-shop": ("quickstart", "leave-last-out", {"hr@10": 0.138, "ndcg@10": 0.068}),
    "ml-100k": ("{}/ml-100k", "leave-last-out", {"hr@10": 0.148, "ndcg@10": 0.075}),
    "ml-100k-honest": ("{}/ml-100k", "pfedrec-honest", {"hr@10[99]": 0.658, "ndcg@10[99]": 0.379}),
    "amazon-video": ("{}/amazon-video", "leave-last-out", {"hr@10": 0.124}),
}


def row(name: str, folder: str) -> dict[str, Any]:
    source, protocol, targets = ROWS[name]
    config = RunConfig(algorithm="ials", data=source.format(folder), protocol=protocol)
    data = run.load_data(config)
    began = time.perf_counter()

    def watch(trial: Trial) -> None:
        print(name, trial.settings, {k: v for k, v in trial.validation.items() if k.startswith("ndcg@10")}, flush=True)

    _, found = run.tune(run.prepare(config, data), watch)
    searched = time.perf_counter() - began
    tests = []
    for seed in SEEDS:
        chosen = config.model_copy(update={"settings": found.best.settings, "seed": seed})
        metrics = run.execute(run.prepare(chosen, data), twin=seed == SEEDS[0]).metrics
        tests.append(metrics)
        print(name, seed, {k: metrics["test"][k] for k in targets}, metrics["centralised"], flush=True)
    mean = {k: statistics.mean(t["test"][k] for t in tests) for k in targets}
    digits = {k: len(str(v).split(".")[1]) for k, v in targets.items()}
    return {
        "data": {"name": data.name, "users": data.n_users, "items": data.n_items, "fingerprint": data.fingerprint()},
        "protocol": tests[0]["protocol"],
        "settings": found.best.settings,
        "config": tests[0]["algorithm"]["config"],
        "validation": {k: v for k, v in found.best.validation.items() if k.startswith(("ndcg@10", "hr@10"))},
        "test": mean,
        "test by seed": [{k: t["test"][k] for k in targets} for t in tests],
        "target": targets,
        "reached": all(round(mean[k], digits[k]) >= v for k, v in targets.items()),
        "twin, seed 0": tests[0]["centralised"],
        "bytes": tests[0]["bytes"],
        "points searched": len(found.trials),
        "seconds": {"search": round(searched, 1), "one run": tests[0]["seconds"]},
        "peak_rss_bytes": tests[-1]["peak_rss_bytes"],
        "search": [
            {"settings": t.settings} | {k: v for k, v in t.validation.items() if k.startswith("ndcg@10")}
            for t in found.trials
        ],
    }


def main(folder: str, names: list[str]) -> None:
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"rows": {}}
    result |= {"command": "python benchmarks/ials_figures.py DATA_FOLDER", "environment": environment()}
    for name in names:
        result["rows"][name] = row(name, folder)
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 2 or set(sys.argv[2:]) - set(ROWS):
        sys.exit(f"{__doc__}\nNAME: {', '.join(ROWS)}")
    main(sys.argv[1], sys.argv[2:] or list(ROWS))
