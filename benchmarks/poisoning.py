"""Poisoning on ML-1M: seven attacks, 0.1 / 1 / 5 % fakes, with and without bounds; ER@10 and NDCG@20 of honest people.

    python benchmarks/poisoning.py [--data FOLDER] [--only fedmf,dpals] [--minutes 30]

Leave-last-out, test part, everybody in every round, last round (fedmf: the 30th), one seed; five targets drawn from
the least popular twentieth. Fakes come on top of the honest people and fill the declared bounds. What has been measured
is read back from benchmarks/results/poisoning.json, so the command can be stopped and called again; the most telling
cells come first. ``no bound``: the fakes' updates have 10 times the norm of the default clip (fedmf), or 100
times the declared bounds of items' rows (slist-private; dpals: 10 times, because much more works against the fakes: a
huge row in everybody's Gramian turns people's own vectors away from it).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fedrec import data as data_layer
from fedrec.algorithms.registry import BUILT_IN, get
from fedrec.audit.poisoning import ATTACKS, PROMOTING, cold_targets, cost_to_promote, poisoned
from fedrec.contract import Algorithm, Catalog, Phase, Stat
from fedrec.data.protocols import apply, describe_protocol
from fedrec.data.splits import Split
from fedrec.experiment.machine import environment

RESULT = Path(__file__).parent / "results" / "poisoning.json"


@dataclass(frozen=True)
class Subject:
    """One algorithm under one set of bounds."""

    algorithm: str
    bounds: str
    settings: dict[str, Any] = field(default_factory=dict)
    size: float | None = None
    epsilon: float | None = None
    loose: float = 1.0

    @property
    def label(self) -> str:
        return f"{self.algorithm}, {self.bounds}"


SUBJECTS = (
    Subject("dpals", "declared bounds"),
    Subject("dpals", "declared bounds + weights of 0.5 at most", {"row_weight": 0.5}),
    Subject("dpals", "declared bounds, epsilon 8", epsilon=8.0),
    Subject("dpals", "declared bounds + weights of 0.5 at most, epsilon 8", {"row_weight": 0.5}, epsilon=8.0),
    Subject("dpals", "no bound", {"bits": 64}, loose=10.0),
    Subject("slist-private", "declared bounds"),
    Subject("slist-private", "declared bounds + weights of 0.05 at most", {"row_weight": 0.05}),
    Subject("slist-private", "declared bounds, epsilon 8", epsilon=8.0),
    Subject("slist-private", "declared bounds + weights of 0.05 at most, epsilon 8", {"row_weight": 0.05}, epsilon=8.0),
    Subject("slist-private", "no bound", loose=100.0),
    Subject("fedmf", "L2 clip 10 + row clip 0.5", {"rounds": 30, "row_clip": 0.5}),
    Subject("fedmf", "L2 clip 10", {"rounds": 30}),
    Subject("fedmf", "no bound", {"rounds": 30, "clip": 1000.0, "bits": 64}, size=100.0),
    Subject("slist-lowrank", "no L2 bound"),
    Subject("ease", "declared bounds (user_power 1)", {"user_power": 1.0, "reg": 5.0}),
    Subject("ease", "no bound on a person (user_power 0)"),
)


def loosened(kind: type[Algorithm], times: float) -> type[Algorithm]:
    """Return the algorithm with wider bounds on items' rows; honest people send what they always send."""

    def loose(stat: Stat) -> Stat:
        if stat.symmetric or len(stat.shape) == 1:
            return stat  # more than the bound in counts and second moments would work against the fakes
        return replace(stat, linf=stat.linf * times, l2=None if stat.l2 is None else stat.l2 * times, bits=64)

    class Loose(kind):  # type: ignore[misc, valid-type]
        def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
            phases = super().plan(catalog)
            return tuple(replace(p, stats={n: loose(s) for n, s in p.stats.items()}) for p in phases)

    return Loose


def made(subject: Subject) -> Algorithm:
    kind = get(subject.algorithm)
    return (loosened(kind, subject.loose) if subject.loose > 1.0 else kind)(**subject.settings)


def cells(only: list[str]) -> Iterator[tuple[Subject, str, float]]:
    able = [s for s in SUBJECTS if s.algorithm in BUILT_IN and (not only or s.algorithm in only)]
    rest = [a for a in ATTACKS if a != "oracle boost"]
    orders: list[list[tuple[str, float]]] = [
        [("none", 0.0), ("oracle boost", 0.01)],
        [("oracle boost", 0.05), ("oracle boost", 0.001)],
        [(a, 0.01) for a in rest],
        [(a, 0.001) for a in PROMOTING[1:]],
        [(a, 0.05) for a in rest],
        [(a, 0.001) for a in rest if a not in PROMOTING],
    ]
    for wave in orders:
        for subject in able:
            for attack, share in wave if subject.epsilon is None or wave in orders[:2] else ():
                yield subject, attack, share


def features_of(data: Any, kind: type[Algorithm]) -> Any:
    if not getattr(kind, "uses_features", False):
        return None
    from fedrec.data.features import public_features

    return public_features(data)


def measured(subject: Subject, attack: str, share: float, data: Any, split: Split) -> dict[str, Any]:
    fakes = round(share * split.final.n_users)
    began = time.perf_counter()
    assert split.test is not None
    out = poisoned(
        made(subject), split.final, split.test, None if attack == "none" else ATTACKS[attack], fakes, 0, subject.size,
        features_of(data, get(subject.algorithm)), subject.epsilon,
    )  # fmt: skip
    er = None if np.isnan(out.er) else round(out.er, 5)
    row = {
        "er@10": er,
        "ndcg@20": round(out.ndcg, 5),
        "destroyed": out.destroyed,
        "refused": sum(out.failures.values()),
    }
    return {"fakes": fakes, **row, "seconds": round(time.perf_counter() - began, 1)}


def load_result() -> dict[str, Any]:
    return json.loads(RESULT.read_text()) if RESULT.exists() else {"cells": {}, "cost": {}}


def save(result: dict[str, Any]) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--data", default="../shared/data/ml-1m")
    asked.add_argument("--only", default="")
    asked.add_argument("--minutes", type=float, default=1e9)
    asked.add_argument("--cost", action="store_true", help="fakes needed for ER@10 >= 0.1, by doubling")
    args = asked.parse_args()
    data = data_layer.load(args.data)
    split, until = apply("leave-last-out", data), time.monotonic() + 60 * args.minutes
    only = [name for name in args.only.split(",") if name]
    result = load_result()
    counts = np.bincount(split.final.items, minlength=split.final.n_items)
    targets = cold_targets(split.final)
    result |= {
        "command": "python benchmarks/poisoning.py",
        "data": {"name": data.name, "fingerprint": data.fingerprint(), "honest people": split.final.n_users},
        "targets": {"items": targets.tolist(), "people who have them": counts[targets].tolist()},
        "protocol": describe_protocol(split),
        "environment": environment(),
    }
    for subject, attack, share in cells(only):
        if args.cost or time.monotonic() > until:
            break
        name = f"{subject.label} | {attack} | {share:.1%}"
        if name in result["cells"]:
            continue
        result["cells"][name] = measured(subject, attack, share, data, split)
        print(name, result["cells"][name], flush=True)
        save(result)
    for subject in SUBJECTS if args.cost else ():
        if subject.label in result["cost"] or (only and subject.algorithm not in only) or time.monotonic() > until:
            continue
        if subject.algorithm in BUILT_IN:
            fakes, by = cost_to_promote(
                made(subject), split.final, split.test, size=subject.size, epsilon=subject.epsilon,
                features=features_of(data, get(subject.algorithm)),
            )  # fmt: skip
            result["cost"][subject.label] = {"fakes": fakes, "er@10 by fakes": by}
            print("cost", subject.label, result["cost"][subject.label], flush=True)
            save(result)


if __name__ == "__main__":
    main()
