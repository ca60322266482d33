"""Intervals, paired differences and Holm's correction."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from fedrec.metrics.bootstrap import difference, holm, interval


def normal(seed: int, n: int, mean: float = 0.0) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=seed)).normal(mean, 1.0, n)


def test_same_values_have_no_width() -> None:
    found = interval(np.full(50, 0.25))
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)


def test_two_people_by_hand() -> None:
    # means of two draws from {0, 1}: 0 and 1 with probability 1/4 each, so the 2.5 % and 97.5 % points are 0 and 1
    found = interval(np.array([0.0, 1.0]))
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)


def test_interval_is_scipys_percentile_bootstrap() -> None:
    values = normal(1, 400, 0.3)
    theirs = scipy.stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    ours = interval(values, resamples=4000)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.mean == pytest.approx(values.mean(), abs=1e-15)
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.06 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.06 * width)


def test_interval_covers_the_truth_about_95_times_of_100() -> None:
    inside = sum(f.low <= 0.0 <= f.high for f in (interval(normal(s, 100), resamples=300) for s in range(200)))
    assert 180 <= inside <= 199


def test_interval_is_the_same_each_time_and_depends_on_the_seed() -> None:
    values = normal(2, 60)
    assert interval(values, seed=3) == interval(values, seed=3)
    assert interval(values, seed=3) != interval(values, seed=4)


def test_odd_number_of_resamples() -> None:
    values = normal(2, 60)
    assert interval(values, resamples=150).mean == interval(values, resamples=1).mean


def test_many_people_take_the_same_draws_as_the_kept_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    values = normal(5, 80)
    kept = interval(values)
    monkeypatch.setattr("fedrec.metrics.bootstrap.KEPT", 10)
    assert interval(values) == kept


def test_difference_is_paired() -> None:
    base = normal(7, 300) * 10  # people differ much, the gap is always 0.1
    found = difference(base + 0.1, base)
    assert found.mean == pytest.approx(0.1)
    assert found.high - found.low < 1e-12
    assert found.p == pytest.approx(2 / 1001)


def test_difference_with_itself_is_nothing() -> None:
    values = normal(8, 50)
    found = difference(values, values)
    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_p_value_agrees_with_the_paired_t_test() -> None:
    gap = normal(9, 500)
    a = normal(10, 500)
    b = a + gap - gap.mean() + 0.09  # two standard errors from zero
    theirs = float(scipy.stats.ttest_rel(a, b).pvalue)
    ours = difference(a, b, resamples=5000).p
    assert 0.02 < theirs < 0.1
    assert ours == pytest.approx(theirs, rel=0.25)


def test_difference_the_other_way_round() -> None:
    a, b = normal(11, 100, 0.2), normal(12, 100)
    there, back = difference(a, b), difference(b, a)
    assert there.mean == pytest.approx(-back.mean)
    assert there.low == pytest.approx(-back.high)
    assert there.p == back.p


def test_holm_by_hand() -> None:
    # sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, then never falling: .02 .03 .06 .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_nothing_and_bonferroni_and_keeps_the_order(p: list[float]) -> None:
    found = holm(p)
    for raw, corrected in zip(p, found, strict=True):
        assert raw <= corrected <= min(1.0, raw * len(p)) + 1e-12
    assert [found[i] for i in np.argsort(p)] == sorted(found)
