"""The twins of the gradient methods: pooled training of the same model learns, and what it is told to leave stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fedrec.algorithms.registry import get
from fedrec.contract import Catalog, Interactions, Key
from fedrec.testing import worlds
from fedrec.twins import get_twin
from fedrec.twins.pooled_training import Training, _errors, train

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("fedmf", {"dim": 8, "rounds": 8}),
    ("fedmf", {"dim": 8, "rounds": 8, "loss": "bpr"}),
    ("pfedrec", {"dim": 8, "rounds": 8}),
]


@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_a_pooled_twin_puts_what_people_have_above_the_rest(name: str, settings: dict[str, Any]) -> None:
    people = worlds.planted(200)
    algorithm, twin = get(name)(**settings), get_twin(name)
    assert twin is not None
    start = algorithm.shared(Catalog(people.n_items, people.n_users), 0)
    scores = twin(people, people, algorithm.config.model_dump(), start)
    assert scores.shape == (people.n_users, people.n_items)
    had = np.zeros(scores.shape, bool)
    had[np.repeat(np.arange(people.n_users), people.lengths()), people.items] = True
    above = [(scores[u][had[u]][:, None] > scores[u][~had[u]]).mean() for u in range(len(had)) if had[u].sum() > 0]
    assert np.mean(above) > 0.7  # 0.5 is a guess


@pytest.mark.parametrize("pairwise", [False, True])
def test_errors_are_the_derivative_of_the_loss(pairwise: bool) -> None:
    scores = np.array([[0.3, -0.2, 1.1], [-1.0, 0.4, 0.0]], np.float32)

    def loss(s: np.ndarray) -> float:
        if pairwise:
            return float(np.log1p(np.exp(s[:, 1:] - s[:, :1])).sum())
        signs = np.where(np.arange(s.shape[1]) == 0, -1.0, 1.0)
        return float(np.log1p(np.exp(signs * s)).sum())

    for place in np.ndindex(*scores.shape):
        step = np.zeros(scores.shape)
        step[place] = 1e-4
        numeric = (loss(scores + step) - loss(scores - step)) / 2e-4
        assert _errors(scores, pairwise)[place] == pytest.approx(numeric, abs=1e-4)


@pytest.mark.parametrize("learned", [0, 2, 3])
def test_only_the_learned_columns_and_touched_rows_move(learned: int) -> None:
    data = Interactions.from_lists(6, [[0, 1], []])
    users, items = np.ones((2, 3), np.float32), np.full((6, 3), 0.5, np.float32)
    draw = Key(1, 0, "pooled twin").generator()
    after, moved = train(users, items, data, Training(2, 2), draw, learned)
    np.testing.assert_array_equal(moved[:, learned:], items[:, learned:])
    assert (moved[:2, :learned] != items[:2, :learned]).all()
    np.testing.assert_array_equal(after[1], users[1])
    assert not np.array_equal(after[0], users[0])
