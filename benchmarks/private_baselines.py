"""What Gaussian noise costs the bounded forms: NDCG@10 on the bundled purchases at several epsilons.

    python benchmarks/private_baselines.py [--out benchmarks/results/private_baselines.json]

Continuous noise from a seeded generator, because this measures quality and protects nobody: the mechanism that does is
fedrec.privacy. Every person takes part in every round; settings are chosen on validation (which is not charged to
epsilon), for each epsilon on the mean of the noise seeds, and the test is that of the chosen ones.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.algorithms.registry import get
from fedrec.contract import Algorithm, Arrays, Catalog, Interactions, Key, Phase, Stat, Total, rows_of
from fedrec.data.sources import load
from fedrec.data.splits import Split, leave_last_out
from fedrec.data.task import Task
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import rank_all
from fedrec.privacy.accountant import gaussian_mu
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import RoundResult, start, train

DELTA = 1e-5
EPSILONS = (None, 8.0, 4.0, 2.0)
SEEDS = (0, 1, 2)
GRIDS: dict[str, dict[str, list[Any]]] = {
    "popularity": {},
    "itemknn": {
        "shrink": [1.0, 3.0, 10.0],
        "alpha": [0.5, 0.7],
        "threshold": [0.0, 1.0, 2.0, 3.0],
        "neighbours": [50, 500],
    },
    "ease": {"reg": [1.0, 5.0, 10.0, 20.0, 50.0], "threshold": [0.3, 0.5, 0.7]},
    "lowpass": {"iterations": [3, 4], "rank": [8, 16, 32], "least_degree": [30.0, 100.0]},
    "fedmf": {"rounds": [40, 80], "server_lr": [2.5, 5.0]},
}

HEAD = {
    "title": "Bounded forms with continuous Gaussian noise, delta 1e-5, everybody in every round",
    "command": "python benchmarks/private_baselines.py --out benchmarks/results/private_baselines.json",
    "notes": [
        "Settings are chosen on validation for each epsilon; that is not charged to epsilon.",
        '"no noise" is the bounded form itself, best of the same grid; the forms as published stand above.',
    ],
}


def sigmas(plan: tuple[Phase, ...], epsilon: float | None) -> dict[tuple[str, str], float]:
    """Return the deviation for each (phase, statistic): the budget mu^2 divided by the shares of all releases."""
    if epsilon is None:
        return {}
    whole = sum(p.rounds * s.share for p in plan for s in p.stats.values())
    mu = gaussian_mu(epsilon, DELTA)
    return {(p.name, n): bound(p, s) / (mu * float(np.sqrt(s.share / whole))) for p in plan for n, s in p.stats.items()}


def bound(phase: Phase, stat: Stat) -> float:
    """Return one person's L2."""
    value = stat.l2 if stat.l2 is not None else phase.clip
    assert value is not None
    return value


def with_noise(stat: Stat, value: NDArray[Any], sigma: float, draw: np.random.Generator) -> NDArray[np.float64]:
    """Return the statistic with noise; for a symmetric one half of the numbers is drawn."""
    noise = draw.normal(0.0, sigma, stat.shape)
    return np.asarray(value + ((noise + noise.T) / 2.0 if stat.symmetric else noise))


class Noisy(LocalRuntime):
    """Everybody on one machine, with noise in each round's sum."""

    def __init__(self, algorithm: Algorithm, catalog: Catalog, users: Interactions, seed: int, epsilon: float | None):
        super().__init__(algorithm, catalog, users, seed)
        self.deviation = sigmas(algorithm.plan(catalog), epsilon)

    def round(self, phase: Phase, broadcast: Arrays, cohort: NDArray[np.int64], round: int, seed: int) -> RoundResult:
        """Return the round's result with noise."""
        result = super().round(phase, broadcast, cohort, round, seed)
        if result.total is None or not self.deviation:
            return result
        draw = Key(seed, round, "private baselines").generator()
        here = {n: self.deviation[phase.name, n] for n in phase.stats}
        stats = {n: with_noise(s, result.total[n], here[n], draw) for n, s in phase.stats.items()}
        return replace(result, total=Total(stats, result.total.users, here))


class Totals(LocalRuntime):
    """Gives a total that was made before."""

    def __init__(self, result: RoundResult, n_clients: int) -> None:
        self.result, self.n_clients, self.private = result, n_clients, {}

    def round(self, phase: Phase, broadcast: Arrays, cohort: NDArray[np.int64], round: int, seed: int) -> RoundResult:
        """Return it."""
        return self.result


def candidates(name: str) -> Iterator[dict[str, Any]]:
    """Yield the settings of one algorithm: those for release with noise, and the grid."""
    for values in itertools.product(*GRIDS[name].values()):
        yield {**dict(get(name).dp or {}), **dict(zip(GRIDS[name], values, strict=True))}


def score(algorithm: Algorithm, split: Split, runtime: LocalRuntime, seed: int) -> tuple[float, float]:
    """Train and return NDCG@10 (validation, test)."""
    catalog = Catalog(split.train.n_items, split.train.n_users)
    state = start(algorithm, catalog, seed)
    for step in train(algorithm, catalog, runtime, seed, state):
        state = step.after
    return tuple(_ndcg(algorithm, state.shared, runtime.private, t, Key(seed, state.round, "adapt"))
                 for t in (split.validation, split.test))  # type: ignore[return-value]  # fmt: skip


def _ndcg(algorithm: Algorithm, shared: Arrays, private: Arrays, task: Task | None, key: Key) -> float:
    assert task is not None

    def scorer(people: Interactions) -> NDArray[np.float32]:
        return algorithm.cohort_scores(shared, rows_of(private, people.users), people, key)

    return float(per_user(rank_all(scorer, task), "ndcg", 10).mean())


def best(name: str, epsilon: float | None, split: Split, settings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of the settings that are best on validation."""
    catalog = Catalog(split.train.n_items, split.train.n_users)
    seeds = SEEDS if epsilon is not None or get(name).random else SEEDS[:1]
    made: dict[Any, RoundResult] = {}  # one-round sums serve all settings of the server
    rows = []
    for chosen in settings:
        outcomes = []
        for seed in seeds:
            algorithm = get(name)(**chosen)
            runtime: LocalRuntime = Noisy(algorithm, catalog, split.train, seed, epsilon)
            plan = algorithm.plan(catalog)
            if name in ("popularity", "itemknn", "ease"):
                if seed not in made:
                    made[seed] = runtime.round(plan[0], {}, np.arange(runtime.n_clients), 0, seed)
                runtime = Totals(made[seed], runtime.n_clients)
            outcomes.append(score(algorithm, split, runtime, seed))
        mean, spread = np.mean(outcomes, axis=0), np.std(outcomes, axis=0)
        rows.append((float(mean[0]), float(mean[1]), float(spread[1]), chosen))
    validation, test, deviation, chosen = max(rows, key=lambda row: row[0])
    return {
        "data": "quickstart", "protocol": "leave-last-out", "algorithm": name,
        "epsilon": "no noise" if epsilon is None else epsilon, "validation": {"ndcg@10": validation},
        "held out": {"ndcg@10": test, "sd": deviation}, "seeds": len(seeds), "settings": chosen,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--algorithms", default=",".join(GRIDS))
    options = parser.parse_args()
    split = leave_last_out(load("quickstart").interactions)
    rows = []
    for name in options.algorithms.split(","):
        for epsilon in EPSILONS:
            rows.append(best(name, epsilon, split, list(candidates(name))))
            print(json.dumps(rows[-1]), flush=True)
        if options.out:  # after each algorithm: the last takes longest
            options.out.write_text(json.dumps({**HEAD, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
