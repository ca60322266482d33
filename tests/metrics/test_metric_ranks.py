"""The rank definition: 1 + greater + half of the others tied, history masked, whatever the block size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedrec.contract import ContractError, Interactions
from fedrec.data.task import Task
from fedrec.metrics.ranks import Ranks, Scorer, rank_all, top_items


def task_of(n_items: int, histories: list[list[int]], held: list[list[int]], **more: object) -> Task:
    offsets = np.concatenate([[0], np.cumsum([len(h) for h in held])]).astype(np.int64)
    targets = np.array([i for h in held for i in h], np.int32)
    return Task(Interactions.from_lists(n_items, histories), offsets, targets, **more)  # type: ignore[arg-type]


def fixed(scores: np.ndarray) -> Scorer:
    """Scores by the person's row number in the data."""
    return lambda people: scores[people.users].astype(np.float32)


def ranks(scores: list[list[float]], histories: list[list[int]], held: list[list[int]], **more: object) -> list[float]:
    task = task_of(len(scores[0]), histories, held, **more)
    return rank_all(fixed(np.array(scores)), task).rank.tolist()


def test_no_ties() -> None:
    assert ranks([[0.1, 0.9, 0.5, 0.3]], [[]], [[2]]) == [2.0]


def test_ties_take_half_a_rank_each() -> None:
    assert ranks([[1, 1, 1, 1, 0]], [[]], [[2]]) == [1 + 3 / 2]
    assert ranks([[0, 0, 0, 0, 0]], [[]], [[4]]) == [3.0]  # nothing known: the middle of the list


def test_history_is_masked_and_repeats_in_it_are_masked_once() -> None:
    assert ranks([[9, 8, 7, 6, 5]], [[0, 1]], [[4]]) == [3.0]
    assert ranks([[9, 8, 7, 6, 5]], [[0, 1, 1, 0, 0]], [[4]]) == [3.0]
    assert ranks([[5, 5, 5, 5, 5]], [[0, 1, 1]], [[4]]) == [2.0]


def test_held_out_item_that_is_in_the_history_too_stays_a_candidate() -> None:
    assert ranks([[9, 8, 7]], [[1, 1]], [[1]]) == [2.0]


def test_several_held_out_items_and_people() -> None:
    scores = [[4, 3, 2, 1], [1, 1, 4, 4], [0, 0, 0, 0]]
    assert ranks(scores, [[0], [], [3]], [[1, 3], [2, 0], [0, 1, 2]]) == [1.0, 3.0, 1.5, 3.5, 2.0, 2.0, 2.0]


def test_only_one_candidate_left_is_first() -> None:
    assert ranks([[0, 0, 5]], [[0, 2]], [[1]]) == [1.0]


def test_sampled_candidates_only_and_ties_by_rule() -> None:
    scores = [[5, 4, 3, 3, 3, 9]]
    candidates = np.array([[1, 3, 4, 2]], np.int32)  # the held-out item stands last; 0 and 5 do not count
    assert ranks(scores, [[]], [[2]], candidates=candidates) == [1 + 1 + 2 / 2]
    assert ranks(scores, [[]], [[2]], candidates=candidates, pessimistic=True) == [1 + 1 + 2]


def test_pessimistic_ties_are_pandas_rank_first_with_the_held_out_item_last() -> None:
    scores = np.array([0.5, 0.7, 0.5, 0.2, 0.5])
    order = np.argsort(-scores, kind="stable")  # what rank(method="first", ascending=False) numbers
    expected = float(np.flatnonzero(order == 4)[0] + 1)
    candidates = np.arange(5, dtype=np.int32)[None]
    assert ranks([scores.tolist()], [[]], [[4]], candidates=candidates, pessimistic=True) == [expected]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, list[list[int]], list[list[int]]]:
    n_items, n_users = draw(st.integers(2, 70)), draw(st.integers(1, 6))
    scores = draw(hnp.arrays(np.float32, (n_users, n_items), elements=st.integers(-3, 3).map(float)))
    histories, held = [], []
    for _ in range(n_users):
        order = draw(st.permutations(range(n_items)))
        cut = draw(st.integers(1, n_items - 1))
        held.append(list(order[: draw(st.integers(1, cut))]))
        known = list(order[cut:])
        histories.append(known + draw(st.lists(st.sampled_from(known), max_size=3)))
    return scores, histories, held


def plain_rank(row: np.ndarray, history: list[int], target: int) -> float:
    others = [i for i in range(len(row)) if i != target and i not in history]
    return 1.0 + sum(row[i] > row[target] for i in others) + sum(row[i] == row[target] for i in others) / 2


def plain_top(row: np.ndarray, history: list[int], k: int) -> list[int]:
    left = sorted((i for i in range(len(row)) if i not in history), key=lambda i: (-row[i], i))
    return left[:k] + [-1] * (k - len(left[:k]))


@given(worlds(), st.integers(1, 80), st.sampled_from([1, 2, 3, 512]))
def test_ranks_and_top_lists_equal_the_definition_for_any_block(
    world: tuple[np.ndarray, list[list[int]], list[list[int]]], k: int, block: int
) -> None:
    scores, histories, held = world
    found = rank_all(fixed(scores), task_of(scores.shape[1], histories, held), top=k, block=block)
    expected = [plain_rank(scores[u], histories[u], t) for u in range(len(held)) for t in held[u]]
    assert found.rank.tolist() == expected
    assert found.top is not None
    assert found.top.tolist() == [plain_top(scores[u], histories[u], k) for u in range(len(held))]


def _two(seed: int, shift: float) -> tuple[Ranks, Ranks]:
    draw = np.random.Generator(np.random.Philox(key=seed))
    scores = draw.integers(-50, 50, (9, 40)).astype(np.float32) / 8  # so that adding a constant is exact in float32
    histories = [draw.choice(40, 6, replace=False).tolist() for _ in range(9)]
    held = [[i for i in draw.permutation(40).tolist() if i not in h][:3] for h in histories]
    task = task_of(40, histories, held)
    per_person = np.arange(9)[:, None] * shift
    return rank_all(fixed(scores), task, 10), rank_all(fixed(scores + shift + per_person), task, 10)


@given(st.integers(0, 1000), st.sampled_from([-64.0, -0.5, 0.25, 1024.0]))
def test_adding_a_constant_to_a_persons_scores_changes_nothing(seed: int, shift: float) -> None:
    before, after = _two(seed, shift)
    assert before.rank.tolist() == after.rank.tolist()
    assert before.top is not None
    assert after.top is not None
    assert before.top.tolist() == after.top.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    scores = np.zeros((2, 4))
    scores[1, 3] = bad
    with pytest.raises(ContractError, match="not finite"):
        rank_all(fixed(scores), task_of(4, [[0], [1]], [[1], [2]]))


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(ContractError, match=r"shape \(1, 3\), expected \(users, items\) = \(1, 4\)"):
        rank_all(lambda people: np.zeros((1, 3), np.float32), task_of(4, [[0]], [[1]]))


def test_person_with_every_other_item_has_nothing_to_show() -> None:
    found = rank_all(fixed(np.ones((1, 3))), task_of(3, [[0, 1, 2]], [[2]]), top=2)
    assert found.top is not None
    assert found.top.tolist() == [[-1, -1]]


def test_best_allowed_items_in_the_order_of_the_catalogue_where_equal() -> None:
    scores = np.array([1, 3, 3, 2, 3], np.float32)
    allowed = np.array([True, True, False, True, True])
    assert top_items(scores, allowed, 3).tolist() == [1, 4, 3]
    assert top_items(scores, np.zeros(5, bool), 3).tolist() == []
