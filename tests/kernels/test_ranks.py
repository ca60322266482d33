"""Best items of a block of scores against a full sort: few and many items, few and many ties, short and long lists."""

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedrec.contract import Key
from fedrec.kernels.ranks import ALL, MOST_GROUPS, STEP, rank_targets
from fedrec.kernels.vectors import at_least, lowest_bit


@numba.njit
def call_at_least(a, i, bound):
    return at_least(a, i, bound, ALL)


@numba.njit
def call_lowest_bit(bits):
    return lowest_bit(bits)


def test_bits_say_which_numbers_reach_the_bound() -> None:
    a = Key(0, 0, "scores").generator().integers(0, 3, 2 * STEP).astype(np.float32)
    found = np.uint64(call_at_least(a, 5, np.float32(1.0)) % 2**64)
    assert [bool(found >> np.uint64(b) & np.uint64(1)) for b in range(STEP)] == (a[5 : 5 + STEP] >= 1.0).tolist()
    assert call_at_least(np.full(STEP, -np.inf, np.float32), 0, np.float32(-1e38)) == 0


@pytest.mark.parametrize("place", [0, 1, 31, 32, 63])
def test_the_lowest_bit_is_found(place: int) -> None:
    assert call_lowest_bit(int(np.uint64(1 << place).astype(np.int64))) == place
    assert call_lowest_bit(int(np.uint64((1 << 63) | (1 << place)).astype(np.int64))) == place


def best_of(scores: np.ndarray, histories: list[np.ndarray], k: int) -> list[list[int]]:
    offsets = np.concatenate([[0], np.cumsum([len(h) for h in histories])]).astype(np.int64)
    best = np.full((len(scores), k), -1, np.int32)
    none = np.zeros(len(scores) + 1, np.int64)
    items = np.concatenate([*histories, []]).astype(np.int32)
    assert rank_targets(scores, offsets, items, none, np.zeros(0, np.int32), np.zeros(0), best)
    return best.tolist()


def sorted_best(row: np.ndarray, history: np.ndarray, k: int) -> list[int]:
    order = np.argsort(-row, kind="stable")
    left = order[~np.isin(order, history)].tolist()
    return left[:k] + [-1] * (k - len(left[:k]))


@given(st.integers(1, 700), st.integers(1, 90), st.integers(1, 1000), st.integers(0, 2**30))
@example(600, 5, 1, 0)  # all equal: more scores reach the bound than are sorted by counting
@example(600, 5, 3, 0)
@example(64, 64, 1000, 0)
@example(129, 33, 1000, 1)
@example(MOST_GROUPS + 300, MOST_GROUPS + 1, 1000, 0)  # longer than the number of groups: no bound
@example(20, 70, 5, 0)  # a list longer than the catalogue
def test_the_best_items_are_those_of_a_stable_sort(n: int, k: int, values: int, seed: int) -> None:
    draw = Key(seed, 0, "scores").generator()
    scores = draw.integers(-values, values, (3, n)).astype(np.float32)
    histories = [draw.choice(n, draw.integers(0, n, endpoint=True), replace=False) for _ in range(2)] + [np.zeros(0)]
    before = scores.copy()
    assert best_of(scores, histories, k) == [sorted_best(r, h, k) for r, h in zip(scores, histories, strict=True)]
    np.testing.assert_array_equal(scores, before)


def test_the_lowest_finite_score_is_listed_and_the_history_never() -> None:
    scores = np.full((1, 4), np.finfo(np.float32).min, np.float32)
    assert best_of(scores, [np.array([1, 1])], 4) == [[0, 2, 3, -1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_told(bad: float) -> None:
    scores = np.ones((2, 70), np.float32)
    scores[1, 69] = bad
    offsets, none = np.zeros(3, np.int64), np.zeros(0, np.int32)
    assert not rank_targets(scores, offsets, none, offsets, none, np.zeros(0), np.full((2, 0), -1, np.int32))
