"""Choice of settings: one grid an algorithm for all data sets, judged on validation alone.

The test part is not passed in, so it cannot be read here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.algorithms import registry
from fedrec.contract import Algorithm, Arrays, Catalog, FedrecError, Interactions, Phase
from fedrec.data.task import Task
from fedrec.experiment.config import make_algorithm
from fedrec.experiment.evaluate import metrics
from fedrec.experiment.fit import Model, Options, chooses_round, fit
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import RoundResult, schedule

Grid = dict[str, list[Any]]
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


class OneSum(LocalRuntime):
    """A runtime that keeps the sum of a one-round plan, so that settings of the server step cost no new round."""

    kept: RoundResult | None = None

    def round(self, phase: Phase, broadcast: Arrays, cohort: NDArray[np.int64], round: int, seed: int) -> RoundResult:
        """See fedrec.server.rounds.Runtime."""
        if self.kept is None:
            self.kept = super().round(phase, broadcast, cohort, round, seed)
        return self.kept


def grids(kind: type[Algorithm]) -> list[Grid]:
    """Return the algorithm's grids: one dictionary, or several where settings depend on each other."""
    return list(kind.grid) if isinstance(kind.grid, list) else [kind.grid]


def points(grid: Grid) -> Iterator[dict[str, Any]]:
    """Yield every combination of a grid; what the server alone uses varies fastest."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


@dataclass
class Tuner:
    """Tries settings of one algorithm (those in ``fixed`` stay) and scores each on validation."""

    name: str
    fixed: dict[str, Any]
    catalog: Catalog
    train: Interactions
    validation: Task
    options: Options
    rounds: int | None = None
    on_broadcast: bool = False
    _sums: dict[str, OneSum] = field(default_factory=dict)

    def attempt(self, settings: dict[str, Any]) -> Trial:
        """Train one point; one that cannot be computed is a line of the search, not its end."""
        try:
            algorithm = make_algorithm(self.name, self.fixed | settings, self.rounds)
            model = self._train(algorithm, settings)
            return Trial(settings, metrics(model.rank(self.validation), self.validation), model.round)
        except FedrecError as error:
            return Trial(settings, {}, 0, str(error))

    def _train(self, algorithm: Algorithm, settings: dict[str, Any]) -> Model:
        plan = schedule(algorithm.plan(self.catalog))
        validation = self.validation if chooses_round(algorithm, len(plan)) else None
        runtime = None if len(plan) != 1 or plan[0][0].broadcast else self._sum(algorithm, settings)
        return fit(
            algorithm,
            self.catalog,
            self.train,
            validation,
            self.options,
            on_broadcast=self.on_broadcast,
            runtime=runtime,
        )[0]

    def _sum(self, algorithm: Algorithm, settings: dict[str, Any]) -> OneSum:
        """Return the clients with the sum they sent before, where only settings of the server step differ."""
        client = sorted((k, v) for k, v in settings.items() if k not in algorithm.server_only)
        label = repr((client, algorithm.plan(self.catalog)))
        if label not in self._sums:
            self._sums.clear()  # one sum at a time is enough, and n x n sums are large
            options = self.options
            self._sums[label] = OneSum(
                algorithm, self.catalog, self.train, options.seed, options.client_of, options.faults, options.chunk
            )
        return self._sums[label]


def search(tuner: Tuner, metric: str = "ndcg@10", watch: Callable[[Trial], None] | None = None) -> Search:
    """Try every point of the algorithm's grid, widen where an edge wins, and return all trials with the best."""
    kind = registry.get(tuner.name)
    trials: dict[str, Trial] = {}

    def score(trial: Trial) -> float:
        found = [v for m, v in trial.validation.items() if m == metric or m.startswith(metric + "[")]
        return found[0] if found else -1.0

    def visit(grid: Grid) -> Trial:
        """Try what was not tried yet and return the best point of this grid."""
        mine = []
        for settings in points(grid):
            label = repr(sorted(settings.items()))
            if label not in trials:
                trials[label] = tuner.attempt(settings)
                if watch is not None:
                    watch(trials[label])
            mine.append(trials[label])
        return max(mine, key=score)

    for declared in grids(kind):
        grid = {k: v for k, v in _server_last(declared, kind).items() if k not in tuner.fixed}
        winner = visit(grid)
        for _ in range(WIDENINGS):
            wider = _widened(grid, winner.settings, kind)
            if wider is None:
                break
            grid, winner = wider, visit(wider)
    best = max(trials.values(), key=score)
    if score(best) < 0:
        raise FedrecError(f"no setting of {tuner.name} could be trained: {best.error}")
    return Search(tuner.name, metric, list(trials.values()), best)


def _server_last(grid: Grid, kind: type[Algorithm]) -> Grid:
    return dict(sorted(grid.items(), key=lambda kv: kv[0] in kind.server_only))


def _widened(grid: Grid, best: dict[str, Any], kind: type[Algorithm]) -> Grid | None:
    """Return the grid extended by one step where the best point lies on an edge of a numeric axis, else None."""
    steps = {name: _beyond(values, best[name]) for name, values in grid.items()}
    allowed = {name: step for name, step in steps.items() if step is not None and _allowed(kind, name, step)}
    if not allowed:
        return None
    return {name: [*values, allowed[name]] if name in allowed else values for name, values in grid.items()}


def _beyond(values: list[Any], best: Any) -> float | int | None:
    """Return the next value beyond the edge that ``best`` lies on, in the same ratio as the last two; None: no edge.

    An axis of fewer than three values, or of anything but numbers, is a choice and has no edge.
    """
    if len(values) < 3 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        return None
    ordered = sorted(values)
    edge, inner = (ordered[-1], ordered[-2]) if best == ordered[-1] else (ordered[0], ordered[1])
    if best != edge or edge <= 0 or inner <= 0:
        return None
    step = float(f"{edge * edge / inner:.3g}")
    whole = all(isinstance(v, int) for v in values) and step >= 1
    return round(step) if whole else step


def _allowed(kind: type[Algorithm], name: str, value: Any) -> bool:
    try:
        kind.Config(**{name: value})
    except ValueError:
        return False
    return True
