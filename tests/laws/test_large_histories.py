"""Laws 2 and 5 where a declared bound is met: large baskets, and histories longer than any that was planned for."""

from typing import Any

import numpy as np
import pytest

from fedrec.algorithms import slist
from fedrec.algorithms.registry import get
from fedrec.contract import Interactions
from fedrec.contract.interactions import DAY
from fedrec.testing import Subject
from fedrec.testing.sums import assert_same_sum, worst_ratio
from fedrec.testing.worlds import START, interactions

ITEMS = 120


def baskets() -> Interactions:
    """A hundred items in one basket and twenty three days later, five on five days, everything at once."""
    every = np.arange(ITEMS, dtype=np.int32)
    late = np.concatenate([np.full(ITEMS - 20, START), np.full(20, START + 3 * DAY)])
    return interactions(
        ITEMS,
        [every, every[:5].copy(), every[::-1].copy()],
        [late, START + DAY * np.arange(5.0), np.full(ITEMS, START)],
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("slist-lowrank", {"decay": (0.8,), "rank": 8, "steps": "day"}),
        ("slist-lowrank", {"rank": 8}),
        ("slist-private", {"rank": 8, "second_rank": 6}),
        ("slist-private", {"rank": 8, "second_rank": 6, "steps": "day", "recency": 0.0}),
        ("slist", {"decay": (0.8, 0.99), "steps": "day", "joint": 0.3}),
        ("slist", {"decay": (1.0,)}),
        ("lowpass", {"columns": 4, "rank": 8}),
        ("ials", {"dim": 4, "sweeps": 2}),
        ("dpals", {"dim": 4, "rounds": 2, "mu": -0.5}),
        ("dpals", {"dim": 4, "rounds": 2, "statistics": "full"}),
        ("fedmf", {"dim": 8, "rounds": 2, "clip": 0.01}),
    ],
)
def test_law_5_large_baskets(name: str, settings: dict[str, Any]) -> None:
    subject = Subject(get(name)(**settings), baskets())
    for moment in subject.moments():
        fast, _ = subject.cohort(moment, subject.everybody())
        slow, _ = subject.one_by_one(moment, subject.everybody())
        assert_same_sum(slow, fast, 1e-5 if name == "fedmf" else 0.0)
        for row, (user, history) in enumerate(subject.users.histories()):
            private = {n: a[row] for n, a in moment.private.items()}
            assert worst_ratio(subject, moment, Interactions.of(history, ITEMS, user), private) <= 1 + 1e-6


def test_law_5_longer_than_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slist, "LONGEST", 8.0)
    subject = Subject(get("slist")(decay=(1.0,)), baskets())
    (moment,) = subject.moments()
    fast, _ = subject.cohort(moment, subject.everybody())
    slow, _ = subject.one_by_one(moment, subject.everybody())
    assert slow.saturated > 0
    assert_same_sum(slow, fast)
