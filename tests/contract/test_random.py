"""Randomness is a function of (seed, round, user, purpose)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.contract import Key
from fedrec.contract.random import GOLDEN, mix

SEEDS = st.integers(0, 2**63 - 1)
USERS = st.lists(st.integers(0, 2**40), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("steps", "output"), [(1, 0xE220A8397B1DCDAF), (2, 0x6E789E6AA1B965F4), (3, 0x06C45D188009454F)]
)
def test_mix_is_splitmix64(steps: int, output: int) -> None:
    # the first outputs of the published generator for seed 0
    assert mix(steps * GOLDEN) == output


@given(SEEDS, st.integers(0, 10_000), st.text(max_size=8), USERS)
def test_many_users_get_the_keys_of_single_users(seed: int, round: int, purpose: str, users: list[int]) -> None:
    key = Key(seed, round, purpose)
    many = key.users(np.array(users, np.int64))
    assert [int(k) for k in many] == [key.rng(u).key for u in users]


def test_every_part_of_the_key_matters() -> None:
    keys = {
        Key(seed, round, purpose).rng(user).key
        for seed in range(10)
        for round in range(10)
        for purpose in ("update", "private", "cohort")
        for user in range(10)
    }
    assert len(keys) == 10 * 10 * 3 * 10


def test_a_stream_repeats_and_another_user_has_another() -> None:
    draw = Key(1, 2, "x").rng(3).generator().integers(0, 2**62, 4)
    np.testing.assert_array_equal(draw, Key(1, 2, "x").rng(3).generator().integers(0, 2**62, 4))
    assert not np.array_equal(draw, Key(1, 2, "x").rng(4).generator().integers(0, 2**62, 4))
    assert not np.array_equal(draw, Key(1, 2, "x").generator().integers(0, 2**62, 4))


def test_coins_are_uniform_and_belong_to_the_client() -> None:
    everybody = np.arange(20_000)
    coins = Key(5, 1, "cohort").coins(everybody)
    assert coins.min() >= 0
    assert coins.max() < 1
    # 20 equal bins of 1,000 expected: 4 standard errors of a binomial count are 123
    assert np.abs(np.histogram(coins, 20, (0, 1))[0] - 1000).max() <= 123
    np.testing.assert_array_equal(Key(5, 1, "cohort").coins(everybody[7000:7003]), coins[7000:7003])
    other = Key(5, 2, "cohort").coins(everybody)
    assert abs(np.corrcoef(coins, other)[0, 1]) < 4 / np.sqrt(20_000)
