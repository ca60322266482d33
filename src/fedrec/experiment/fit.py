"""Train one algorithm under one split: rounds, validation on the way, the choice of the round, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Catalog, FedrecError, Interactions, Key, rows_of
from fedrec.data.task import Task
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import Ranks, Scorer, rank_all
from fedrec.privacy.protection import Protection
from fedrec.runtime.faults import Fault
from fedrec.runtime.local import LocalRuntime
from fedrec.runtime.secure import Members
from fedrec.server.rounds import Record, State, Step, schedule, start, train


@dataclass(frozen=True)
class Model:
    """A trained federation at one round: what the server holds, what the users keep, and the adapt key."""

    algorithm: Algorithm
    catalog: Catalog
    shared: Arrays
    private: Arrays
    key: Key
    round: int

    def scorer(self) -> Scorer:
        """Return a function from histories to scores; each person is scored with their own private state."""

        def score(people: Interactions) -> NDArray[np.float32]:
            mine = rows_of(self.private, people.users)
            return self.algorithm.cohort_scores(self.shared, mine, people, self.key)

        return score

    def rank(self, task: Task, top: int = 0) -> Ranks:
        """Rank a task's held-out items."""
        return rank_all(self.scorer(), task, top)


@dataclass(frozen=True)
class Options:
    """How to train, beside the algorithm's own settings."""

    seed: int = 0
    cohort: int | None = None
    client_of: NDArray[np.int64] | None = None
    faults: tuple[Fault, ...] = ()
    evaluate_every: int = 10
    select: tuple[str, int] = ("ndcg", 10)  # the validation metric that picks the round
    stop_after: int | None = None  # refit: stop at the round that was chosen
    chunk: int = 1 << 16


@dataclass
class Progress:
    """Where a training run stands; everything a checkpoint needs."""

    state: State
    private: Arrays
    records: list[Record] = field(default_factory=list)
    best: Model | None = None
    best_value: float = -1.0


Watcher = Callable[[Progress, int], None]


def chooses_round(algorithm: Algorithm, rounds: int) -> bool:
    """Return whether the round is chosen on validation: gradient methods overfit, closed forms do not."""
    return algorithm.selects_round and rounds > 1


def fit(
    algorithm: Algorithm,
    catalog: Catalog,
    users: Interactions,
    validation: Task | None,
    options: Options,
    progress: Progress | None = None,
    watch: Watcher | None = None,
    on_broadcast: bool = False,
    runtime: LocalRuntime | None = None,
    protection: Protection | None = None,
    members: Members | None = None,
) -> tuple[Model, Progress]:
    """Train to the end of the plan and return (the chosen model, how it went).

    ``progress``: where to go on (a checkpoint's); ``watch`` is called after every round with (progress, rounds in
    all); ``on_broadcast``: where the round is chosen, judge a round on its broadcast, with the private state before
    it and the round's own key, as the PFedRec protocol does; ``runtime``: where the clients are, if they exist already;
    ``protection`` and ``members``: noise and masks of a new runtime.
    """
    if runtime is None:
        runtime = LocalRuntime(
            algorithm,
            catalog,
            users,
            options.seed,
            options.client_of,
            options.faults,
            options.chunk,
            protection,
            members,
        )
    if progress is None:
        progress = Progress(start(algorithm, catalog, options.seed), runtime.private)
    runtime.private = progress.private
    rounds = len(schedule(algorithm.plan(catalog)))
    last = min(rounds, options.stop_after or rounds)
    choose = chooses_round(algorithm, rounds) and validation is not None and options.stop_after is None
    on_broadcast = on_broadcast and choose
    if progress.state.round >= last:  # a checkpoint of a run that had nothing left to train
        return _result(algorithm, catalog, progress, options.seed, choose), progress
    before = _copy(runtime.private) if on_broadcast else {}
    for step in train(algorithm, catalog, runtime, options.seed, progress.state, options.cohort):
        done, record = step.after.round, step.record
        due = done % options.evaluate_every == 0 or done == last
        if validation is not None and due and _complete(algorithm, step.before if on_broadcast else step.after):
            model = _judged(algorithm, catalog, step, runtime.private, before, options.seed, on_broadcast)
            record, value = _validated(record, model, validation, options.select)
            if choose and value >= progress.best_value:
                progress.best_value, progress.best = value, replace(model, private=_copy(model.private))
        progress.state, progress.private = step.after, runtime.private
        progress.records.append(record)
        if watch is not None:
            watch(progress, last)
        if done >= last:
            break
        if on_broadcast:
            before = _copy(runtime.private)
    return _result(algorithm, catalog, progress, options.seed, choose), progress


def _result(algorithm: Algorithm, catalog: Catalog, progress: Progress, seed: int, choose: bool) -> Model:
    done = progress.state.round
    nobody = bool(progress.records) and not any(record.survivors for record in progress.records)
    if nobody or not _complete(algorithm, progress.state):
        reasons = {reason for record in progress.records for reason in record.failures}
        raise FedrecError(
            f"nothing was learned in {done} round(s) of {algorithm.name}: too few clients survived "
            f"({', '.join(sorted(reasons)) or 'no reason given'}); lower the faults' shares or raise the cohort"
        )
    if choose and progress.best is not None:
        return progress.best
    return Model(algorithm, catalog, progress.state.shared, progress.private, Key(seed, done, "adapt"), done)


def _judged(
    algorithm: Algorithm, catalog: Catalog, step: Step, after: Arrays, before: Arrays, seed: int, on_broadcast: bool
) -> Model:
    done = step.after.round
    if on_broadcast:
        return Model(algorithm, catalog, step.before.shared, before, Key(seed, step.record.round, "update"), done)
    return Model(algorithm, catalog, step.after.shared, after, Key(seed, done, "adapt"), done)


def _complete(algorithm: Algorithm, state: State) -> bool:
    """Return whether the shared state can already recommend (multi-phase plans cannot before their last phase)."""
    return all(name in state.shared for name in algorithm.model)


def _validated(record: Record, model: Model, task: Task, select: tuple[str, int]) -> tuple[Record, float]:
    ranks = model.rank(task)
    tag = "" if task.candidates is None else f"[{task.candidates.shape[1] - 1}]"
    names = [("ndcg", 10), ("hr", 10), ("recall", 20), ("ndcg", 20)]
    values = {f"{m}@{k}{tag}": float(per_user(ranks, m, k).mean()) for m, k in names}
    return replace(record, validation=values), float(per_user(ranks, *select).mean())


def _copy(private: Arrays) -> Arrays:
    return {name: array.copy() for name, array in private.items()}
