"""Controls: permuted labels, leaky negatives, and what guessing scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.contract import Interactions
from fedrec.data.protocols import apply
from fedrec.data.splits import Split
from fedrec.experiment.controls import against_chance, chance_ndcg, leaky, permuted
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import Ranks
from tests.experiment.cases import purchases

histories = st.lists(st.lists(st.integers(0, 14), max_size=9), min_size=1, max_size=6)


@given(histories, st.integers(0, 99))
def test_permuted_labels_are_a_renaming_by_each_user(lists: list[list[int]], seed: int) -> None:
    data = Interactions.from_lists(15, lists)
    found = permuted(data, seed)
    assert np.array_equal(found.offsets, data.offsets)
    assert found.items.dtype == data.items.dtype
    for row in range(len(lists)):
        before, after = data.history(row).items, found.history(row).items
        pairs = set(zip(before.tolist(), after.tolist(), strict=True))
        assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)  # one to one
        assert after.size == 0 or (after.min() >= 0 and after.max() < 15)


def test_permutations_differ_between_users_and_are_the_same_each_time() -> None:
    data = Interactions.from_lists(200, [list(range(50))] * 4)
    once, again, other = permuted(data, 1), permuted(data, 1), permuted(data, 2)
    assert np.array_equal(once.items, again.items)
    assert not np.array_equal(once.items, other.items)
    assert len({once.history(row).items.tobytes() for row in range(4)}) == 4
    assert np.array_equal(data.items, np.tile(np.arange(50), 4))  # the data themselves stay as they were


def test_every_item_is_as_likely_as_any_other() -> None:
    data = Interactions.from_lists(10, [[0]] * 5000)
    counts = np.bincount(permuted(data, 0).items, minlength=10)
    assert np.abs(counts - 500).max() < 5 * np.sqrt(5000 * 0.1 * 0.9)


def held_out(split: Split, user: int) -> list[int]:
    out: list[int] = []
    for task in (split.validation, split.test):
        assert task is not None
        for row in np.flatnonzero(task.histories.users == user):
            out += task.targets[task.target_offsets[row] : task.target_offsets[row + 1]].tolist()
    return out


@pytest.mark.parametrize("protocol", ["leave-last-out", "last-basket"])
def test_leaky_negatives_avoid_exactly_the_held_out_items(protocol: str) -> None:
    split = apply(protocol, purchases())
    found = leaky(split)
    for part in (found.train, found.final):
        for user in range(part.n_users):
            avoid = part.history(user).avoid
            assert avoid is not None
            assert sorted(avoid.tolist()) == sorted(held_out(split, user))
    assert np.array_equal(found.train.items, split.train.items)
    assert found.test is split.test
    assert split.train.avoid_items is None


def ranks_of(lists: list[list[float]]) -> Ranks:
    offsets = np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)
    flat = np.array([r for x in lists for r in x])
    return Ranks(np.arange(len(lists)), offsets, np.arange(len(flat), dtype=np.int32), flat)


def test_chance_of_one_item_by_hand() -> None:
    # one of 4 candidates, k = 2: ranks 1 and 2 with probability 1/4 each
    assert chance_ndcg(ranks_of([[3.0]]), np.array([4]), 2) == pytest.approx((1 + 1 / np.log2(3)) / 4)
    # as many candidates as places, all of them held out: always perfect
    assert chance_ndcg(ranks_of([[1.0, 2.0, 3.0]]), np.array([3]), 10) == pytest.approx(1.0)


def test_chance_is_what_random_scores_give() -> None:
    draw = np.random.Generator(np.random.Philox(key=4))
    people = [(int(draw.integers(12, 60)), int(draw.integers(1, 12))) for _ in range(40)]
    candidates = np.array([n for n, _ in people])
    means = []
    for _ in range(400):
        means.append(ranks_of([(draw.permutation(n)[:held] + 1.0).tolist() for n, held in people]))
    values = np.array([per_user(r, "ndcg", 10).mean() for r in means])
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - chance_ndcg(means[0], candidates)) < 4 * error


def test_distance_from_chance_in_standard_errors() -> None:
    found = against_chance(ranks_of([[1.0]] * 50 + [[2.0]] * 50), np.full(100, 100))
    assert not found.ok
    assert found.standard_errors > 20
    draw = np.random.Generator(np.random.Philox(key=5))
    guessed = against_chance(ranks_of([[float(r)] for r in draw.integers(1, 51, 2000)]), np.full(2000, 50))
    assert guessed.ok
    assert guessed.measured == pytest.approx(guessed.chance, rel=0.2)
