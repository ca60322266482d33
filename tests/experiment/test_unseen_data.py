"""A file nobody has seen: ease and slist by --tune against dense NumPy written here from the formulas alone.

The other side shares nothing with fedrec: it reads the file, splits it, sums step by step, solves, ranks and chooses
by itself, over the points that the tuner tried.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.experiment import run
from fedrec.experiment.config import run_config

USERS, ITEMS = 500, 90
Model = Callable[[list[list[int]], dict[str, Any]], Callable[[list[int]], np.ndarray]]


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People who walk through the items along hidden paths, with detours; rows in no order, ids as text."""
    draw = np.random.Generator(np.random.Philox(key=77))
    follows = draw.dirichlet(np.full(ITEMS, 0.03), ITEMS)
    popular = draw.dirichlet(np.full(ITEMS, 0.5))
    rows = []
    for user in range(USERS):
        at, when = int(draw.choice(ITEMS, p=popular)), 1_600_000_000 + int(draw.integers(0, 10**7))
        for _ in range(int(draw.integers(2, 30))):
            rows.append((f"person {user}", f"thing-{at}", when))
            at = int(draw.choice(ITEMS, p=follows[at] if draw.random() < 0.7 else popular))
            when += int(draw.integers(1, 90_000))
    path = tmp_path_factory.mktemp("unseen") / "clicks.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "item_id", "timestamp"])
        writer.writerows(rows[i] for i in draw.permutation(len(rows)))
    return path


def read(path: Path) -> list[list[int]]:
    """Return the items of each user by time, the first of repeats; items numbered as they appear."""
    with open(path) as file:
        rows = [(r["user_id"], r["item_id"], int(r["timestamp"])) for r in csv.DictReader(file)]
    number: dict[str, int] = {}
    users: dict[str, list[int]] = {}
    for _, item, _ in rows:
        number.setdefault(item, len(number))
    for user, item, _ in sorted(rows, key=lambda r: r[2]):
        mine = users.setdefault(user, [])
        if number[item] not in mine:
            mine.append(number[item])
    return list(users.values())


def dense_ease(train: list[list[int]], settings: dict[str, Any]) -> Callable[[list[int]], np.ndarray]:
    x = np.zeros((len(train), ITEMS))
    for user, items in enumerate(train):
        x[user, items] = 1.0
    precision = np.linalg.inv(x.T @ x + settings["reg"] * np.eye(ITEMS))
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    return lambda history: weights[history].sum(axis=0)


def dense_slist(train: list[list[int]], settings: dict[str, Any]) -> Callable[[list[int]], np.ndarray]:
    """Ridge regression of every next item on the decayed states before it, one step after the other."""
    plain = {"decay", "reg", "joint", "steps", "rank"}
    assert settings.keys() <= plain, f"settings that this test does not know: {settings.keys() - plain}"
    assert settings.get("steps", "item") == "item"
    assert not settings.get("rank")
    decays, joint = settings["decay"], settings.get("joint", 0.0)
    n = len(decays) * ITEMS
    gram, cross, together = np.zeros((n, n)), np.zeros((n, ITEMS)), np.zeros((ITEMS, ITEMS))
    for items in train:
        state = np.zeros((len(decays), ITEMS))
        for place, item in enumerate(items):
            if place:
                source = state.ravel()
                gram += np.outer(source, source)
                cross[:, item] += source
            state *= np.array(decays)[:, None]
            state[:, item] += 1.0
        together[np.ix_(items, items)] += 1.0
    gram += joint * np.tile(together, (len(decays), len(decays)))
    cross += joint * np.tile(together, (len(decays), 1))
    gram += settings["reg"] * np.eye(n)
    weights = np.linalg.solve(gram, cross)
    if joint:
        weights = without_themselves(gram, weights)

    def score(history: list[int]) -> np.ndarray:
        state = np.zeros((len(decays), ITEMS))
        for item in history:
            state *= np.array(decays)[:, None]
            state[:, item] += 1.0
        return np.asarray(state.ravel() @ weights)

    return score


def without_themselves(gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Solve again, column by column, with the weights from an item to itself held at zero (Lagrange)."""
    precision = np.linalg.inv(gram)
    out = weights.copy()
    for j in range(ITEMS):
        own = np.arange(j, len(gram), ITEMS)
        out[:, j] -= precision[:, own] @ np.linalg.solve(precision[np.ix_(own, own)], weights[own, j])
    return out


def figures(score: Callable[[list[int]], np.ndarray], cases: list[tuple[list[int], int]]) -> dict[str, float]:
    hits, gains = [], []
    for history, target in cases:
        scores = score(history)
        rest = np.setdiff1d(np.arange(ITEMS), [*history, target])
        rank = 1.0 + (scores[rest] > scores[target]).sum() + (scores[rest] == scores[target]).sum() / 2
        hits.append(rank <= 10)
        gains.append(1 / np.log2(rank + 1) if rank <= 10 else 0.0)
    return {"hr@10": float(np.mean(hits)), "ndcg@10": float(np.mean(gains))}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "model", "given"),
    [
        ("ease", dense_ease, {}),
        ("slist", dense_slist, {"steps": "item"}),
    ],
)
def test_tuned_run_equals_an_independent_dense_one(
    unseen: Path, algorithm: str, model: Model, given: dict[str, Any]
) -> None:
    config = run_config({"algorithm": algorithm, "data": str(unseen), "settings": given})
    chosen, found = run.tune(run.prepare(config))
    ours = run.execute(chosen).metrics

    users = read(unseen)
    long = [u for u in users if len(u) >= 3]
    train = [u[:-2] if len(u) >= 3 else u for u in users]
    defaults = chosen.algorithm.config.model_dump()
    tried = []
    for trial in found.trials:
        settings = defaults | given | trial.settings
        score = model(train, settings)
        validation = figures(score, [(u[:-2], u[-2]) for u in long])["ndcg@10"]
        assert validation == pytest.approx(trial.validation["ndcg@10"], abs=0.002), trial.settings
        tried.append((validation, score))
    best = max(tried, key=lambda t: t[0])[1]
    theirs = figures(best, [(u[:-1], u[-1]) for u in long])
    assert ours["test"]["users"] == len(long)
    for name, value in theirs.items():
        assert abs(ours["test"][name] - value) <= 0.002, (name, ours["test"][name], value, chosen.config.settings)
    assert theirs["ndcg@10"] > 0.1  # there is something to learn
