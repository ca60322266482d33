"""Clients that fail on purpose, each with a reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fedrec.runtime.faults import Fault, split_failures

COHORT = np.arange(100, 4100)


def test_nobody_fails_without_faults_and_everybody_at_share_one() -> None:
    survivors, reasons = split_failures(COHORT, (), 1, 0)
    assert survivors.tolist() == COHORT.tolist()
    assert reasons == {}
    survivors, reasons = split_failures(COHORT, (Fault(reason="offline", share=1.0),), 1, 0)
    assert survivors.tolist() == []
    assert reasons == {"offline": 4000}
    assert split_failures(COHORT, (Fault(reason="offline", share=0.0),), 1, 0)[1] == {}


@given(st.lists(st.floats(0, 1), max_size=4), st.integers(0, 2**32), st.integers(0, 50))
def test_everybody_survives_or_has_one_reason(shares: list[float], seed: int, round: int) -> None:
    faults = tuple(Fault(reason=f"reason {k % 2}", share=s) for k, s in enumerate(shares))
    survivors, reasons = split_failures(COHORT, faults, seed, round)
    assert len(survivors) + sum(reasons.values()) == len(COHORT)
    assert np.isin(survivors, COHORT).all()
    assert (np.diff(survivors) > 0).all()
    again, _ = split_failures(COHORT, faults, seed, round)
    np.testing.assert_array_equal(survivors, again)


def test_shares_are_kept_and_the_second_fault_takes_from_who_is_left() -> None:
    _, reasons = split_failures(COHORT, (Fault(reason="a", share=0.25), Fault(reason="b", share=0.5)), 2, 7)
    # 4 standard errors of a binomial with 4000 and 0.25, with 3000 and 0.5
    assert abs(reasons["a"] - 1000) <= 4 * np.sqrt(4000 * 0.25 * 0.75)
    assert abs(reasons["b"] - 1500) <= 4 * np.sqrt(4000 * 0.375 * 0.625)


def test_other_rounds_fail_others() -> None:
    fault = (Fault(reason="a", share=0.5),)
    one, two = (set(split_failures(COHORT, fault, 2, r)[0].tolist()) for r in (0, 1))
    assert 700 < len(one & two) < 1300  # independent coins: a quarter of 4,000 expected


BAD = [{"reason": "", "share": 0.1}, {"share": 0.1}, {"reason": "a", "share": 1.5}, {"reason": "a", "share": -1}]


@pytest.mark.parametrize("bad", [*BAD, {"reason": "a", "share": 0.1, "shape": 1}])
def test_a_fault_is_checked(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fault(**bad)  # type: ignore[arg-type]
