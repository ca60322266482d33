"""The controls' rows of a comparison, and what they mean in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions, Key
from fedrec.data.splits import Split
from fedrec.data.task import Task
from fedrec.experiment import run
from fedrec.experiment.alone import alone_scores
from fedrec.experiment.controls import against_chance, leaky, permuted
from fedrec.experiment.run import Outcome
from fedrec.metrics.bootstrap import interval
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import Ranks, rank_all

Rows = list[dict[str, Any]]


def control_rows(
    outcome: Outcome,
    row: dict[str, Any],
    names: tuple[tuple[str, int], ...],
    say: Callable[[str], None],
    at_most: int | None = None,
) -> tuple[Rows, Rows]:
    """Return (rows of the table, sentences) of one algorithm's controls; flags the row where a control reaches it.

    ``at_most``: federation off is run for that many people, drawn by the seed (None: for everybody).
    """
    algorithm = outcome.prepared.algorithm
    split = outcome.prepared.split
    if algorithm.baseline or split.test is None:
        return [], []
    people = drawn(split.test, outcome.prepared.config.seed, at_most)
    off = alone_ranks(outcome, split, people)
    rows = [_row(row, "federation off", off, names)]
    say(f"{row['protocol']}  {row['algorithm']:<11} federation off  {_text(rows[-1])}")
    words = [_off_words(row, off, outcome, people)]
    if words[0]["ok"] is False:
        row["flag"] = "reached with federation off: this number does not show that federating helps"
    if algorithm.random and not row["protocol"].startswith("pfedrec"):
        told = alone_ranks(outcome, leaky(split), people)
        if not np.array_equal(told.rank, off.rank):  # the same: a method that draws no negatives has no such leak
            rows.append(_row(row, "federation off, leaky negatives", told, names))
            say(f"{row['protocol']}  {row['algorithm']:<11} federation off, leaky negatives  {_text(rows[-1])}")
    words.append(_permuted_words(row, outcome))
    return rows, words


def drawn(task: Task, seed: int, at_most: int | None) -> NDArray[np.int64]:
    """Return the rows of the people a control is run for, ascending."""
    if at_most is None or at_most >= task.n_users:
        return np.arange(task.n_users, dtype=np.int64)
    order = Key(seed, 0, "people of the controls").generator().permutation(task.n_users)
    return np.sort(order[:at_most]).astype(np.int64)


def alone_ranks(outcome: Outcome, split: Split, people: NDArray[np.int64]) -> Ranks:
    """Return the test ranks with federation off: every client trains by itself, for as many rounds."""
    prepared = outcome.prepared
    assert split.test is not None
    scorer = alone_scores(
        prepared.algorithm, prepared.catalog, split.final, prepared.config.seed, rounds=max(outcome.model.round, 1)
    )
    return rank_all(scorer, split.test.take(people))


def permuted_ranks(outcome: Outcome) -> tuple[Ranks, Task]:
    """Return the test ranks after training and testing on permuted labels."""
    prepared = outcome.prepared
    data = replace(prepared.data, interactions=permuted(prepared.data.interactions, prepared.config.seed))
    again = run.prepare(prepared.config, data)
    task = again.split.test
    assert task is not None
    result = run.execute(again)
    assert result.ranks is not None
    return result.ranks, task


def _row(row: dict[str, Any], control: str, ranks: Ranks, names: tuple[tuple[str, int], ...]) -> dict[str, Any]:
    metrics = {}
    for metric, k in names:
        around = interval(per_user(ranks, metric, k))
        metrics[f"{metric}@{k}"] = {"value": around.mean, "low": around.low, "high": around.high}
    return {
        "algorithm": f"{row['algorithm']}, {control}",
        "role": "control",
        "twin_of": row["algorithm"],
        "data": row["data"],
        "protocol": row["protocol"],
        "metrics": metrics,
        "users": len(ranks.users),
        "seeds": 1,
    }


def _text(row: dict[str, Any]) -> str:
    return "  ".join(f"{name} {e['value']:.3f}" for name, e in list(row["metrics"].items())[:2])


def _off_words(row: dict[str, Any], off: Ranks, outcome: Outcome, people: NDArray[np.int64]) -> dict[str, Any]:
    assert outcome.ranks is not None
    mine, alone = per_user(outcome.ranks, "ndcg", 10)[people], per_user(off, "ndcg", 10)
    reached = float(alone.mean()) >= float(mine.mean())
    return {
        "name": f"{row['algorithm']}, {row['protocol']}: federation off",
        "text": f"Every client alone scores ndcg@10 {alone.mean():.3f}; federated it is {mine.mean():.3f} "
        f"(the same {len(people):,} people).",
        "ok": not reached,
    }


def _permuted_words(row: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    ranks, task = permuted_ranks(outcome)
    found = against_chance(ranks, _candidates(task.histories, task))
    return {
        "name": f"{row['algorithm']}, {row['protocol']}: permuted labels",
        "text": f"With every user's items renamed at random, ndcg@10 is {found.measured:.4f}; guessing gives "
        f"{found.chance:.4f} ({found.standard_errors:+.1f} standard errors).",
        "ok": found.ok,
    }


def _candidates(histories: Interactions, task: Task) -> Any:
    if task.candidates is not None:
        return np.full(task.n_users, task.candidates.shape[1])
    return histories.n_items - histories.lengths()
