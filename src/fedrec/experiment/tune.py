"""Choice of settings: one grid an algorithm for all data sets, judged on validation alone.

The test part is not passed in, so it cannot be read here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.algorithms import registry
from fedrec.contract import Algorithm, Arrays, Catalog, FedrecError, Interactions, Key, Phase
from fedrec.data.task import Task
from fedrec.experiment.config import make_algorithm
from fedrec.experiment.evaluate import metrics
from fedrec.experiment.fit import Model, Options, fit
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import RoundResult, schedule, start

WIDENINGS = 3  # how often a grid may be extended where its edge wins


@dataclass(frozen=True)
class Trial:
    """One line of search.jsonl: settings and what they scored on validation."""

    settings: dict[str, Any]
    validation: dict[str, float]
    round: int
    error: str = ""


@dataclass(frozen=True)
class Search:
    """All trials of one algorithm, and the winner by the metric."""

    algorithm: str
    metric: str
    trials: list[Trial]
    best: Trial

    def lines(self) -> list[dict[str, Any]]:
        """Return one JSON-ready line a trial."""
        return [
            {"algorithm": self.algorithm, "metric": self.metric, "chosen": trial is self.best, **asdict(trial)}
            for trial in self.trials
        ]


class OneSum:
    """A runtime that keeps the sum of a one-round plan, so that settings of the server step cost no new round."""

    def __init__(self, inner: LocalRuntime) -> None:
        self.inner = inner
        self.n_clients = inner.n_clients
        self.kept: RoundResult | None = None

    def round(self, phase: Phase, broadcast: Arrays, cohort: NDArray[np.int64], round: int, seed: int) -> RoundResult:
        """See fedrec.server.rounds.Runtime."""
        if self.kept is None:
            self.kept = self.inner.round(phase, broadcast, cohort, round, seed)
        return self.kept


def grids(kind: type[Algorithm]) -> list[dict[str, list[Any]]]:
    """Return the algorithm's grids: one dictionary, or several where settings depend on each other."""
    return list(kind.grid) if isinstance(kind.grid, list) else [kind.grid]


def points(grid: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every combination of a grid; what the server alone uses varies fastest."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def search(
    name: str,
    fixed: dict[str, Any],
    catalog: Catalog,
    train: Interactions,
    validation: Task,
    options: Options,
    metric: str = "ndcg@10",
    rounds: int | None = None,
    on_broadcast: bool = False,
    watch: Callable[[Trial], None] | None = None,
) -> Search:
    """Try every point of the grid (settings in ``fixed`` stay), widen where an edge wins, and return the best."""
    kind = registry.get(name)
    trials: dict[str, Trial] = {}
    sums: dict[str, OneSum] = {}

    def attempt(settings: dict[str, Any]) -> Trial:
        algorithm = make_algorithm(name, fixed | settings, rounds)
        try:
            model = _train(algorithm, catalog, train, validation, options, sums, settings, on_broadcast)
            values = metrics(model.rank(validation), validation)
            return Trial(settings, values, model.round)
        except FedrecError as error:  # a point that cannot be computed is a line of the search, not its end
            return Trial(settings, {}, 0, str(error))

    def visit(grid: dict[str, list[Any]]) -> None:
        for settings in points(grid):
            label = repr(sorted(settings.items(), key=lambda kv: kv[0]))
            if label not in trials:
                trials[label] = attempt(settings)
                if watch is not None:
                    watch(trials[label])

    def score(trial: Trial) -> float:
        found = [v for m, v in trial.validation.items() if m == metric or m.startswith(metric + "[")]
        return found[0] if found else -1.0

    for grid in grids(kind):
        grid = {k: v for k, v in _server_last(grid, kind).items() if k not in fixed}
        visit(grid)
        for _ in range(WIDENINGS):
            best = max(trials.values(), key=score)
            wider = _widened(grid, best.settings, kind)
            if wider is None:
                break
            grid = wider
            visit(grid)
    best = max(trials.values(), key=score)
    if score(best) < 0:
        raise FedrecError(f"no setting of {name} could be trained: {best.error}")
    return Search(name, metric, list(trials.values()), best)


def _train(
    algorithm: Algorithm,
    catalog: Catalog,
    train: Interactions,
    validation: Task,
    options: Options,
    sums: dict[str, OneSum],
    settings: dict[str, Any],
    on_broadcast: bool,
) -> Model:
    plan = schedule(algorithm.plan(catalog))
    if len(plan) != 1 or plan[0][0].broadcast:
        return fit(algorithm, catalog, train, validation, options, on_broadcast=on_broadcast)[0]
    label = repr(sorted((k, v) for k, v in settings.items() if k not in algorithm.server_only))
    if label not in sums:
        sums.clear()  # one sum at a time is enough, and n x n sums are large
        sums[label] = OneSum(LocalRuntime(algorithm, catalog, train, options.seed, options.client_of))
    runtime = sums[label]
    cohort = np.arange(runtime.n_clients, dtype=np.int64)
    state = start(algorithm, catalog, options.seed)
    result = runtime.round(plan[0][0], {}, cohort, 0, options.seed)
    if result.total is None:
        raise FedrecError("no client survived the round")
    shared = algorithm.server_update(plan[0][0], state.shared, result.total, 0)
    return Model(algorithm, catalog, shared, runtime.inner.private, Key(options.seed, 1, "adapt"), 1)


def _server_last(grid: dict[str, list[Any]], kind: type[Algorithm]) -> dict[str, list[Any]]:
    return dict(sorted(grid.items(), key=lambda kv: kv[0] in kind.server_only))


def _widened(grid: dict[str, list[Any]], best: dict[str, Any], kind: type[Algorithm]) -> dict[str, list[Any]] | None:
    """Return the grid extended by one step where the best point lies on an edge of a numeric axis, else None."""
    out: dict[str, list[Any]] = {}
    grew = False
    for name, values in grid.items():
        numeric = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        out[name] = list(values)
        if len(numeric) != len(values) or len(values) < 3 or name not in best:
            continue
        ordered = sorted(numeric)
        step = None
        if best[name] == ordered[-1] and ordered[-2] > 0:
            step = ordered[-1] * ordered[-1] / ordered[-2]
        elif best[name] == ordered[0] and ordered[0] > 0:
            step = ordered[0] * ordered[0] / ordered[1]
        if step is None:
            continue
        step = type(ordered[-1])(step) if isinstance(ordered[-1], float) else round(step)
        if step in ordered or not _allowed(kind, name, step):
            continue
        out[name] = [*ordered, step]
        grew = True
    return out if grew else None


def _allowed(kind: type[Algorithm], name: str, value: Any) -> bool:
    try:
        kind.Config(**{name: value})
    except ValueError:
        return False
    return True

