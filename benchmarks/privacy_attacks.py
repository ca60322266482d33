"""What attackers find, with protections off and on: the figures behind ``fedrec audit``.

    python benchmarks/privacy_attacks.py [--data FOLDER] [--again] [ROW ...]

FOLDER holds ml-1m; without it the rows that need it are skipped, and say so. A ROW is the start of a row's name; none:
all of them. A row that is in results/privacy_attacks.json is not run again unless --again. Attacks are seeded, noise
is not: noisy figures differ a little between runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fedrec.algorithms import registry  # noqa: E402
from fedrec.audit import canary, inference, inversion, linking  # noqa: E402
from fedrec.audit.setup import Setup  # noqa: E402
from fedrec.contract import ConfigError, Phase, Stat  # noqa: E402
from fedrec.experiment.config import run_config  # noqa: E402
from fedrec.experiment.machine import environment  # noqa: E402
from fedrec.privacy.mechanism import Mechanism, Target, calibrate  # noqa: E402
from fedrec.privacy.protection import Protection  # noqa: E402
from tests.audit.defects import DEFECTS  # noqa: E402

RESULT = Path(__file__).parent / "results" / "privacy_attacks.json"
Row = dict[str, Any]
PEOPLE = 300
EPSILON, DELTA = 4.0, 1e-5
SEEDS = 20
TRAININGS = {"quickstart": 5}  # with noise, each with noise of its own; otherwise 1
DRAWS = 10  # cohorts of each size


def setup(algorithm: str, data: str, people: int = PEOPLE, **more: Any) -> Setup:
    return Setup(run_config({"algorithm": algorithm, "data": data, "protocol": "none", **more}), None, people)


def invert(algorithm: str, data: str, **settings: Any) -> Row:
    """One client's raw update against its list; the popularity guess beside."""
    line = inversion.lines(setup(algorithm, data, settings=settings))[0]
    return {"f1": line.figure, "interval": line.interval, "popularity": line.baseline, "detail": line.detail}


def linked(algorithm: str, data: str, noise: bool, **settings: Any) -> Row:
    """Rows linked in sums of cohorts, as a share of the rows touched; noise of epsilon 4 for that very cohort."""
    bounded = registry.get(algorithm).dp or {}
    s = setup(algorithm, data, settings={**(bounded if noise else {}), **settings})
    moment, name = next((m, n) for m in s.moments if (n := linking.table_of(s, m)) is not None)
    rows = {}
    for cohort in linking.COHORTS:
        m = _noise(s, cohort) if noise else None
        share, (low, high), right, alone = linking.measured(s, moment, name, cohort, m, DRAWS)
        rows[cohort] = {"linked": share, "low": low, "high": high, "of one person": right, "one contributor": alone}
    return {"statistic": name, "draws": DRAWS, "epsilon": EPSILON if noise else None, "cohorts": rows}


def _noise(s: Setup, cohort: int) -> Mechanism:
    fewest = max(int(0.9 * cohort), 1)
    return calibrate(s.plan, cohort, Target(EPSILON, DELTA), fewest, cohort)


def inferred(algorithm: str, data: str, epsilon: float | None) -> Row:
    """Interactions and membership, by an outsider and an insider; with noise the mean and range of a few trainings."""
    more: Row = {} if epsilon is None else {"privacy": {"epsilon": epsilon}}
    if algorithm in ("ease", "itemknn") and data != "quickstart":
        more["settings"] = {"bits": 64}  # 32-bit rings are too coarse for noise on so many pairs
    many = 1 if epsilon is None else TRAININGS.get(data, 1)
    found = [inference.lines(setup(algorithm, data, **more)) for _ in range(many)]
    out: Row = {"trainings": many}
    for same in zip(*found, strict=True):
        figures = [line.figure for line in same if line.figure is not None]
        wide = (min(figures), max(figures)) if many > 1 and figures else same[0].interval
        out[same[0].name] = {
            "auc": float(np.mean(figures)) if figures else None,
            "interval": wide,
            "verdicts": [line.verdict for line in same],
            "popularity": same[0].baseline,
            "detail": same[0].detail,
        }
    return out


def canaries(epsilon: float, defect: str | None = None) -> Row:
    """1,000 canaries in 20,000 dimensions and 5 releases, 20 seeds: the pipeline that runs, or one with a defect."""
    plan = (Phase("train", 5, {"items": Stat((20_000,), 1.0)}, (), 2.0),)
    m = calibrate(plan, 1000, Target(epsilon, DELTA), 300, 1000)
    protect, ring = (Protection, canary.RingSum) if defect is None else DEFECTS[defect](m)
    found = [canary.run(plan, m, seed, 1000, protect, ring) for seed in range(SEEDS)]
    estimates = [f.epsilon() for f in found if f is not None]
    bounds = [f.bound for f in found if f is not None]
    verdicts = [canary.verdict(f, m.cost.epsilon, "").verdict for f in found if f is not None]
    mean = float(np.mean(estimates))
    return {
        "declared": m.cost.epsilon,
        "estimate_mean": mean,
        "estimate_low": min(estimates),
        "estimate_high": max(estimates),
        "within_35_percent": abs(mean / m.cost.epsilon - 1) <= 0.35,
        "lower_bound_mean": float(np.mean(bounds)),
        "lower_bound_high": max(bounds),
        "bounds_at_most_declared": sum(b <= m.cost.epsilon for b in bounds),
        "verdict_fail": verdicts.count("FAIL"),
        "seeds": SEEDS,
    }


def shown(name: str, found: Row) -> list[Row]:
    """Return one experiment as rows of one shape: a figure, its interval or range, and what stands beside it."""

    def row(what: str, figure: Any, low: Any = None, high: Any = None, beside: Any = None) -> Row:
        return {"experiment": name, "what": what, "figure": figure, "low": low, "high": high, "beside": beside}

    if "refused" in found:
        return [row(f"refused: {found['refused']}", None)]
    if "f1" in found:
        return [row("F1; beside: popularity", found["f1"], *found["interval"], found["popularity"])]
    if "cohorts" in found:
        what = "rows linked, range over cohorts; beside: of them of one person"
        return [
            row(f"{n} clients: {what}", c["linked"], c["low"], c["high"], c["of one person"])
            for n, c in found["cohorts"].items()
        ]
    if "declared" in found:
        kept = f"lower bounds at most the declared epsilon, of {found['seeds']}; beside: audits that FAIL"
        return [
            row(
                "estimated epsilon, mean and range of seeds; beside: declared",
                found["estimate_mean"], found["estimate_low"], found["estimate_high"], found["declared"],
            ),
            row(kept, found["bounds_at_most_declared"], beside=found["verdict_fail"]),
        ]  # fmt: skip
    return [
        row(
            f"{line}: AUC (interval, or range of {found.get('trainings', 1)} trainings); beside: popularity",
            f["auc"],
            *(f["interval"] or (None, None)),
            f["popularity"],
        )
        for line, f in found.items()
        if isinstance(f, dict)
    ]


def save(document: Row) -> None:
    document["rows"] = [row for name, found in document["experiments"].items() for row in shown(name, found)]
    RESULT.write_text(json.dumps(document, indent=1) + "\n")


def rows(ml1m: str | None) -> dict[str, tuple[bool, Callable[[], Row]]]:
    """Return each row's (needs ML-1M, what makes it)."""
    big = ml1m or ""
    out: dict[str, tuple[bool, Callable[[], Row]]] = {
        "raw fedmf, ML-1M, 1 local epoch": (True, lambda: invert("fedmf", big, rounds=3)),
        "raw fedmf, ML-1M, 5 local epochs": (True, lambda: invert("fedmf", big, rounds=3, epochs=5)),
        "raw fedmf, quickstart": (False, lambda: invert("fedmf", "quickstart", rounds=3)),
    }
    for name in ("popularity", "ease", "markov", "ials"):
        out[f"raw {name}, quickstart"] = (False, lambda n=name: invert(n, "quickstart"))
    out["linked ials, ML-1M, noise off"] = (True, lambda: linked("ials", big, False, dim=32))
    for name in ("lowpass", "ease", "dpals", "slist-private"):
        out[f"linked {name}, ML-1M, noise off"] = (True, lambda n=name: linked(n, big, False))
        out[f"linked {name}, ML-1M, noise on"] = (True, lambda n=name: linked(n, big, True))
    for name in ("popularity", "ease", "itemknn", "lowpass", "dpals", "slist-private"):
        for epsilon in (None, EPSILON):
            said = "noise off" if epsilon is None else f"epsilon {epsilon:g}"
            out[f"inference {name}, quickstart, {said}"] = (
                False, lambda n=name, e=epsilon: inferred(n, "quickstart", e),
            )  # fmt: skip
            out[f"inference {name}, ML-1M, {said}"] = (True, lambda n=name, e=epsilon: inferred(n, big, e))
    for epsilon in (1.0, 2.0, 4.0, 8.0):
        out[f"canaries, epsilon {epsilon:g}"] = (False, lambda e=epsilon: canaries(e))
    for defect in DEFECTS:
        out[f"canaries, epsilon 4, {defect}"] = (False, lambda d=defect: canaries(4.0, d))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="ROW")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--again", action="store_true")
    a = parser.parse_args()
    folder = a.data / "ml-1m"
    document = json.loads(RESULT.read_text()) if RESULT.exists() else {"experiments": {}}
    document |= {"command": "python benchmarks/privacy_attacks.py --data FOLDER", "environment": environment()}
    for name, (big, make) in rows(str(folder) if folder.is_dir() else None).items():
        if a.names and not any(name.startswith(n) for n in a.names):
            continue
        if name in document["experiments"] and not a.again:
            continue
        if big and not folder.is_dir():
            print(f"{name}: skipped, there is no {folder} (--data)")
            continue
        began = time.process_time()
        try:
            found = make()
        except ConfigError as reason:
            found = {"refused": str(reason)}
        found["cpu_seconds"] = round(time.process_time() - began, 1)
        document["experiments"][name] = found
        save(document)
        print(name, json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
