"""A file nobody has seen: ease and slist by --tune against dense NumPy written here from the formulas alone.

The other side shares nothing with fedrec: it reads the file, splits it, sums step by step, solves, ranks and chooses
by itself, over the points that the tuner tried.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.experiment import run
from fedrec.experiment.config import run_config

USERS, ITEMS = 500, 90
Visit = tuple[int, int]  # item, time


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


def read(path: Path) -> list[list[Visit]]:
    """Return each user's items by time, the first of repeats; items numbered as they appear in the file."""
    with open(path) as file:
        rows = [(r["user_id"], r["item_id"], int(r["timestamp"])) for r in csv.DictReader(file)]
    number: dict[str, int] = {}
    users: dict[str, list[Visit]] = {}
    for _, item, _ in rows:
        number.setdefault(item, len(number))
    for user, item, when in sorted(rows, key=lambda r: r[2]):
        mine = users.setdefault(user, [])
        if number[item] not in [i for i, _ in mine]:
            mine.append((number[item], when))
    return list(users.values())


def baskets(history: list[Visit], steps: str) -> list[list[int]]:
    """Cut a history into what counts as one step."""
    marks = {"item": lambda n, _: n, "day": lambda _, t: t // 86_400, "timestamp": lambda _, t: t}
    out: dict[int, list[int]] = {}
    for place, (item, when) in enumerate(history):
        out.setdefault(marks[steps](place, when), []).append(item)
    return list(out.values())


def one(items: list[int]) -> np.ndarray:
    x = np.zeros(ITEMS)
    x[items] = 1.0
    return x


def walk(history: list[Visit], steps: str, decays: tuple[float, ...]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return (state before each step and after the last, what each step brought): s <- g s + x, from nothing."""
    states, brought = [np.zeros((len(decays), ITEMS))], []
    for items in baskets(history, steps):
        brought.append(one(items))
        states.append(np.array(decays)[:, None] * states[-1] + brought[-1])
    return [s.ravel() for s in states], brought


@dataclass
class Dense:
    """Models of one training part and their figures; sums and states are kept for the settings that share them."""

    train: list[list[Visit]]
    kept: dict[Any, Any] = field(default_factory=dict)

    def once(self, name: Any, make: Callable[[], Any]) -> Any:
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def together(self) -> np.ndarray:
        def add() -> np.ndarray:
            x = np.array([one([i for i, _ in history]) for history in self.train])
            return np.asarray(x.T @ x)

        return np.asarray(self.once("together", add))

    def ease(self, settings: dict[str, Any]) -> np.ndarray:
        precision = np.linalg.inv(self.together() + settings["reg"] * np.eye(ITEMS))
        weights = -precision / np.diag(precision)
        np.fill_diagonal(weights, 0.0)
        return weights

    def sums(self, steps: str, decays: tuple[float, ...], power: float) -> tuple[np.ndarray, np.ndarray]:
        """Return G = sum of s s' and C = sum of s x' over every step of everybody, a history of T items T^-p times."""
        walked = [walk(history, steps, decays) for history in self.train]
        before = np.array([s for states, _ in walked for s in states[:-1]])
        then = np.array([x for _, brought in walked for x in brought])
        each = [len(h) ** -power for h, (_, brought) in zip(self.train, walked, strict=True) for _ in brought]
        weighed = before * np.array(each)[:, None]
        return weighed.T @ before, weighed.T @ then

    def slist(self, settings: dict[str, Any]) -> np.ndarray:
        known = {"decay", "reg", "joint", "steps", "user_power"}
        assert settings.keys() <= known, f"settings that this test does not know: {settings.keys() - known}"
        steps, decays, joint = settings["steps"], tuple(settings["decay"]), settings["joint"]
        power = settings["user_power"]
        gram, cross = self.once((steps, decays, power), lambda: self.sums(steps, decays, power))
        both = joint * self.together()
        gram = gram + np.tile(both, (len(decays), len(decays))) + settings["reg"] * np.eye(len(gram))
        cross = cross + np.tile(both, (len(decays), 1))
        weights = np.linalg.solve(gram, cross)
        return without_themselves(gram, weights) if joint else weights

    def figures(self, algorithm: str, settings: dict[str, Any], cases: list[list[Visit]]) -> dict[str, float]:
        """Return hr@10 and ndcg@10 where everybody's last item is held out."""
        weights = getattr(self, algorithm)(settings)
        steps, decays = settings.get("steps", "item"), tuple(settings.get("decay", (1.0,)))
        part = sum(map(len, cases))  # validation or test
        states = self.once((steps, decays, part), lambda: np.array([walk(h[:-1], steps, decays)[0][-1] for h in cases]))
        scores = states @ weights
        target = [history[-1][0] for history in cases]
        own = scores[np.arange(len(cases)), target][:, None]
        for row, history in enumerate(cases):
            scores[row, [i for i, _ in history]] = np.nan
        rank = 1.0 + (scores > own).sum(axis=1) + (scores == own).sum(axis=1) / 2
        gain = np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0)
        return {"hr@10": float((rank <= 10).mean()), "ndcg@10": float(gain.mean())}


def without_themselves(gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Solve again, column by column, with the weights from an item to itself held at zero (Lagrange)."""
    precision = np.linalg.inv(gram)
    out = weights.copy()
    for j in range(ITEMS):
        own = np.arange(j, len(gram), ITEMS)
        out[:, j] -= precision[:, own] @ np.linalg.solve(precision[np.ix_(own, own)], weights[own, j])
    return out


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ease", "slist"])
def test_tuned_run_equals_an_independent_dense_one(unseen: Path, algorithm: str) -> None:
    chosen, found = run.tune(run.prepare(run_config({"algorithm": algorithm, "data": str(unseen)})))
    ours = run.execute(chosen).metrics["test"]

    users = read(unseen)
    long = [u for u in users if len(u) >= 3]
    dense = Dense([u[:-2] if len(u) >= 3 else u for u in users])
    defaults = type(chosen.algorithm)().config.model_dump()
    tried = []
    for trial in found.trials:
        settings = defaults | trial.settings
        validation = dense.figures(algorithm, settings, [u[:-1] for u in long])["ndcg@10"]
        assert validation == pytest.approx(trial.validation["ndcg@10"], abs=0.002), trial.settings
        tried.append((validation, settings))
    best = max(tried, key=lambda t: t[0])[1]
    theirs = dense.figures(algorithm, best, long)
    assert ours["users"] == len(long)
    for name, value in theirs.items():
        assert abs(ours[name] - value) <= 0.002, (name, ours[name], value, chosen.config.settings)
    assert theirs["ndcg@10"] > 0.1  # there is something to learn
    print(f"{algorithm}: {len(tried)} points, chosen {best}, ours {ours['hr@10']:.4f}/{ours['ndcg@10']:.4f}, {theirs}")
