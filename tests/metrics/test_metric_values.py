"""Every metric against cases worked out by hand, and the table that shows where libraries differ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.metrics.ranking import METRICS, per_user, summary
from fedrec.metrics.ranks import Ranks

OUTSIDE = 500.0  # a rank far below every k


def ranks_of(*lists: list[float]) -> Ranks:
    offsets = np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)
    flat = np.array([r for x in lists for r in x], np.float64)
    return Ranks(np.arange(len(lists), dtype=np.int64), offsets, np.arange(len(flat), dtype=np.int32), flat)


# 4 people with 1, 3, 20 and 2 relevant items, found at these ranks.
FOUR = ranks_of([4.0], [1.0, 3.0, OUTSIDE], [1.0, 2.0, 5.0, 10.0, *[OUTSIDE] * 16], [OUTSIDE, OUTSIDE])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("ndcg", 0.4106),  # ranx, RecBole, Cornac, implicit, recommenders; not RecTools' default, not LensKit's
        ("recall", 0.4667),  # all but LensKit
        ("precision", 0.1750),  # all but implicit
        ("mrr", 0.5625),  # all but Cornac
        ("map", 0.2764),  # RecBole, implicit and map_at_k of recommenders: over min(held-out, k)
        ("hr", 0.75),
    ],
)
def test_table_of_libraries(metric: str, expected: float) -> None:
    assert per_user(FOUR, metric, 10).mean() == pytest.approx(expected, abs=5e-5)


def test_one_item_at_rank_two() -> None:
    one = ranks_of([2.0])
    expected = {"hr": 1.0, "ndcg": 1 / np.log2(3), "recall": 1.0, "precision": 0.1, "mrr": 0.5, "map": 0.5}
    assert {m: per_user(one, m, 10)[0] for m in METRICS} == pytest.approx(expected, abs=1e-15)


def test_half_rank_counts_as_it_stands() -> None:
    tied = ranks_of([2.5])  # two others tied with it, one above
    expected = {"hr": 1.0, "ndcg": 1 / np.log2(3.5), "recall": 1.0, "precision": 1 / 3, "mrr": 0.4, "map": 0.4}
    assert {m: per_user(tied, m, 3)[0] for m in METRICS} == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("rank", "hit"), [(10.0, 1.0), (10.5, 0.0), (11.0, 0.0)])
def test_hit_needs_a_rank_within_k(rank: float, hit: float) -> None:
    one = ranks_of([rank])
    assert per_user(one, "hr", 10)[0] == hit
    for metric in METRICS:
        assert (per_user(one, metric, 10)[0] > 0) == bool(hit)


def test_several_held_out_items_by_hand() -> None:
    held = ranks_of([7.0, 1.0, 3.0], [2.0, 40.0])  # in any order
    at5 = {
        "hr": [1.0, 1.0],
        "recall": [2 / 3, 1 / 2],
        "precision": [2 / 5, 1 / 5],
        "mrr": [1.0, 0.5],
        "map": [(1 / 1 + 2 / 3) / 3, (1 / 2) / 2],
        "ndcg": [
            (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3) + 1 / np.log2(4)),
            (1 / np.log2(3)) / (1 + 1 / np.log2(3)),
        ],
    }
    for metric, expected in at5.items():
        assert per_user(held, metric, 5) == pytest.approx(expected, abs=1e-15), metric


def test_more_held_out_than_k_can_still_be_perfect() -> None:
    perfect = ranks_of([float(r) for r in range(1, 21)])
    values = {m: per_user(perfect, m, 10)[0] for m in METRICS}
    assert values == pytest.approx({"hr": 1, "ndcg": 1, "recall": 0.5, "precision": 1, "mrr": 1, "map": 1}, abs=1e-12)


def test_summary_names_and_means() -> None:
    found = summary(FOUR, (5, 10), ("hr", "recall"), tag="[99]")
    assert list(found) == ["hr@5[99]", "recall@5[99]", "hr@10[99]", "recall@10[99]"]
    assert found["hr@5[99]"] == 0.75
    assert found["recall@10[99]"] == pytest.approx(28 / 60, abs=1e-15)


def test_unknown_metric_is_named() -> None:
    with pytest.raises(ValueError, match="no metric is called 'auc'; expected one of hr, ndcg"):
        per_user(FOUR, "auc", 10)


def plainly(rank: list[float], metric: str, k: int) -> float:
    """The definitions, one person at a time and word for word."""
    hits = sorted(r for r in rank if r <= k)
    ideal = sum(1 / np.log2(i + 1) for i in range(1, min(len(rank), k) + 1))
    return {
        "hr": float(bool(hits)),
        "recall": len(hits) / len(rank),
        "precision": len(hits) / k,
        "ndcg": sum(1 / np.log2(r + 1) for r in hits) / ideal,
        "mrr": 1 / hits[0] if hits else 0.0,
        "map": sum((n + 1) / r for n, r in enumerate(hits)) / min(len(rank), k),
    }[metric]


@given(
    st.lists(st.lists(st.integers(2, 60).map(lambda x: x / 2), min_size=1, max_size=25), min_size=1, max_size=6),
    st.integers(1, 25),
    st.sampled_from(METRICS),
)
def test_many_people_at_once_equal_one_at_a_time(lists: list[list[float]], k: int, metric: str) -> None:
    expected = [plainly(x, metric, k) for x in lists]
    assert per_user(ranks_of(*lists), metric, k) == pytest.approx(expected, abs=1e-12)
