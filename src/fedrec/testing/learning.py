"""Laws about learning: 7 it recommends, 8 it does not cheat. Not generated for baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.algorithms.popularity import Popularity
from fedrec.contract import Algorithm, Interactions, Key, Scores
from fedrec.data.splits import Split, leave_last_out
from fedrec.data.task import Task
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import rank_all
from fedrec.testing import worlds
from fedrec.testing.base import Laws
from fedrec.testing.subject import SEED, Subject, fitted_scores

K = 10
ALONE = 60  # clients that are trained alone, one literal run each
FloatArray = NDArray[np.float64]


class LearningLaws(Laws):
    """What an algorithm that recommends personally must show."""

    def test_law_7_checkerboard(self) -> None:
        """Even users like even items: each user's one withheld item comes first."""
        subject = self.subject("checkerboard")
        users = subject.users
        scores = fitted_scores(subject, users)
        for row, (user, history) in enumerate(users.histories()):
            mine = scores[row].copy()
            mine[history.items] = -np.inf
            others = np.delete(mine, user)
            assert mine[user] > others.max(), (
                f"user {user} lacks item {user}, but item {int(mine.argmax())} comes first"
            )

    def test_law_7_the_bundled_sample(self) -> None:
        """On the gift-shop purchases, leave-last-out: ndcg@10 above popularity and above the stored floor."""
        data = bundled()
        split = leave_last_out(data)
        ours = _ndcg(Subject(self.make(**self.sample), split.final), split)
        popularity = _ndcg(Subject(Popularity(), split.final), split)
        assert ours > popularity, f"ndcg@10 {ours:.4f}, popularity {popularity:.4f}"
        assert ours >= self.floor, f"ndcg@10 {ours:.4f}, floor {self.floor}"

    def test_law_8_it_learns_where_there_is_something_to_learn(self) -> None:
        """The positive control: with the labels as they are, well above chance on the world of the controls below."""
        outcome = self._held_out(worlds.planted())
        assert outcome.errors > 4, outcome.sentence("planted tastes")

    def test_law_8_permuted_labels_are_chance(self) -> None:
        """Each user's items through that user's own random permutation: chance within 4 standard errors."""
        outcome = self._held_out(worlds.permuted(worlds.planted()))
        assert abs(outcome.errors) <= 4, outcome.sentence("permuted labels")

    def test_law_8_alone_is_chance(self) -> None:
        """Federation off, literally: each client trains by itself and ranks its held-out item by chance."""
        split = leave_last_out(worlds.planted())
        outcome = alone(lambda: self.make(**self.tastes), split.final, _test_task(split))
        assert abs(outcome.errors) <= 4, outcome.sentence("federation off")

    @classmethod
    def _held_out(cls, data: Interactions) -> Outcome:
        split = leave_last_out(data)
        task = _test_task(split)
        return against_chance(fitted_scores(Subject(cls.make(**cls.tastes), split.final), task.histories), task)


@dataclass(frozen=True)
class Outcome:
    """One ndcg@10 a person beside its expectation and variance under a uniformly random target, each (u,) float64."""

    gain: FloatArray
    chance: FloatArray
    variance: FloatArray

    @property
    def errors(self) -> float:
        """Return how many standard errors the mean lies above chance."""
        error = float(np.sqrt(self.variance.sum()))
        gap = float((self.gain - self.chance).sum())
        return gap / error if error > 0 else (0.0 if abs(gap) < 1e-9 else float("inf") * np.sign(gap))

    def sentence(self, what: str) -> str:
        """Return the outcome in words."""
        return (
            f"{what}: ndcg@{K} {self.gain.mean():.4f}, chance {self.chance.mean():.4f}, "
            f"{self.errors:+.1f} standard errors over {len(self.gain)} people"
        )


def alone(make: Callable[[], Algorithm], train: Interactions, task: Task, clients: int = ALONE) -> Outcome:
    """Train each of some clients by itself, literally, with a seed of its own, and let it rank its held-out item."""
    nobody = np.zeros(1, np.int64)
    outcomes = []
    for row in range(0, task.n_users, max(1, task.n_users // clients)):
        own = _row(task, row)
        user = int(own.histories.users[0])
        history = replace(train.take(np.array([user], np.int64)), users=nobody, _cache={})
        people = replace(own.histories, users=nobody, _cache={})
        scores = fitted_scores(Subject(make(), history, SEED + user), people)
        outcomes.append(against_chance(scores, own))
    return Outcome(*(np.concatenate([getattr(o, name) for o in outcomes]) for name in ("gain", "chance", "variance")))


def against_chance(scores: Scores, task: Task) -> Outcome:
    """Compare each held-out item with a target drawn uniformly from the same candidates under the same scores.

    Conditioning on the scores makes the expectation exact whatever the ties: it is the mean gain of all candidates.
    """
    gain = per_user(rank_all(lambda people: scores, task, block=max(task.n_users, 1)), "ndcg", K)
    chance, variance = np.zeros(task.n_users), np.zeros(task.n_users)
    for row in range(task.n_users):
        seen = np.zeros(task.histories.n_items, bool)
        seen[task.histories.history(row).items] = True
        every = _gain(_mid_ranks(scores[row][~seen]))
        chance[row], variance[row] = every.mean(), every.var()
    return Outcome(gain, chance, variance)


def _mid_ranks(scores: Scores) -> FloatArray:
    """Return 1 + greater + half of the others tied, for every candidate."""
    ordered = np.sort(scores)
    below = np.searchsorted(ordered, scores, side="left")
    upto = np.searchsorted(ordered, scores, side="right")
    return np.asarray(1.0 + (len(scores) - upto) + 0.5 * (upto - below - 1), np.float64)


def _gain(rank: FloatArray) -> FloatArray:
    return np.where(rank <= K, 1.0 / np.log2(rank + 1.0), 0.0)


def _test_task(split: Split) -> Task:
    if split.test is None:
        raise AssertionError("the world holds nothing out")
    return split.test


def _row(task: Task, row: int) -> Task:
    a, b = task.target_offsets[row], task.target_offsets[row + 1]
    return Task(task.histories.slice(row, row + 1), np.array([0, b - a], np.int64), task.targets[a:b])


def _ndcg(subject: Subject, split: Split) -> float:
    state, private, _ = subject.trained()
    key = Key(subject.seed, state.round, "adapt")
    task = _test_task(split)

    def scorer(people: Interactions) -> Scores:
        mine: dict[str, Any] = {name: array[people.users] for name, array in private.items()}
        return subject.algorithm.cohort_scores(state.shared, mine, people, key)

    return float(per_user(rank_all(scorer, task), "ndcg", K).mean())


def bundled() -> Interactions:
    """Return the bundled gift-shop purchases."""
    from fedrec.data.sources import load

    return load("quickstart").interactions
