"""Shops: a shop's own range and one stand-in give the scores that the whole catalogue gives."""

from __future__ import annotations

import numpy as np
import pytest

from fedrec.experiment.config import make_algorithm
from fedrec.experiment.shops import _shop_scorers
from fedrec.testing.subject import Subject, fitted_scores
from tests.experiment.cases import prepared, purchases


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ease", {}),
        ("slist", {"decay": [0.8]}),
        ("slist", {"decay": [0.8, 0.3], "joint": 0.5}),
        ("slist", {"decay": [0.5, 1.0], "steps": "day", "joint": 1.0}),
    ],
)
@pytest.mark.parametrize("members", [1, 2, 30])
def test_a_small_shop_is_solved_on_what_it_sold(name: str, settings: dict[str, object], members: int) -> None:
    found = prepared(purchases(), algorithm=name, settings=settings)
    users = found.split.final
    mine = np.arange(users.n_users) < members
    own = users.take(np.flatnonzero(mine).astype(np.int64))
    assert (len(np.unique(own.items)) == users.n_items) == (members == 30)
    for reg, scorer in zip((2.0, 30.0), _shop_scorers(found, users, mine, [2.0, 30.0]), strict=True):
        whole = fitted_scores(Subject(make_algorithm(name, settings | {"reg": reg}), own), own)
        np.testing.assert_allclose(scorer(own), whole, atol=1e-6 * np.abs(whole).max(), rtol=0)
