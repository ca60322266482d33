"""Who takes part: each client by its own coin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.contract import Key
from fedrec.server.cohort import sample_cohort


@pytest.mark.parametrize("expected", [None, 5, 6])
def test_no_coin_where_everybody_is_asked(expected: int | None) -> None:
    assert sample_cohort(5, expected, 1, 0).tolist() == [0, 1, 2, 3, 4]


def test_nobody_is_a_cohort_too() -> None:
    assert sample_cohort(0, None, 1, 0).tolist() == []
    assert sample_cohort(50, 0, 1, 0).tolist() == []


@given(st.integers(1, 400), st.integers(0, 400), st.integers(0, 2**32), st.integers(0, 1000))
def test_a_cohort_is_who_tossed_below_the_share(clients: int, expected: int, seed: int, round: int) -> None:
    chosen = sample_cohort(clients, expected, seed, round)
    coins = [float(Key(seed, round, "cohort").coins(np.array([c]))[0]) for c in range(clients)]
    own = [c for c in range(clients) if expected >= clients or coins[c] < expected / clients]
    assert chosen.tolist() == own


def test_the_size_is_binomial_and_rounds_are_independent() -> None:
    sizes = np.array([len(sample_cohort(2000, 200, 3, r)) for r in range(400)])
    error = np.sqrt(2000 * 0.1 * 0.9)
    assert abs(sizes.mean() - 200) <= 4 * error / np.sqrt(400)
    assert 0.8 < sizes.std() / error < 1.2  # a fixed-size sample would have no spread
    asked = np.zeros(2000)
    for r in range(400):
        asked[sample_cohort(2000, 200, 3, r)] += 1
    assert asked.min() > 0  # 40 expected each; nobody is left out for good
    assert abs(asked.std() / np.sqrt(400 * 0.1 * 0.9) - 1) < 0.1
