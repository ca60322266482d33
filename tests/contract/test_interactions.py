"""Histories in CSR form say the same as plain lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.contract import History, Interactions
from fedrec.contract.interactions import gather

N = 6
LISTS = st.lists(st.lists(st.integers(0, N - 1), max_size=5), min_size=1, max_size=6)


def build(lists: list[list[int]]) -> Interactions:
    """The lists, with times and values, and everybody's items plus one to be avoided."""
    plain = Interactions.from_lists(N, lists, [[10.0 * k for k in range(len(x))] for x in lists])
    avoid = [[(i + 1) % N for i in x] for x in lists]
    values = (plain.items * 0.5).astype(np.float32)
    return Interactions(
        N,
        plain.users + 100,
        plain.offsets,
        plain.items,
        values,
        plain.times,
        plain.offsets,
        np.array([i for x in avoid for i in x], np.int32),
    )


def check_row(history: History, items: list[int]) -> None:
    assert history.items.tolist() == items
    assert history.times is not None
    assert history.times.tolist() == [10.0 * k for k in range(len(items))]
    assert history.values is not None
    assert history.values.tolist() == [0.5 * i for i in items]
    assert history.avoid is not None
    assert history.avoid.tolist() == [(i + 1) % N for i in items]


@given(LISTS)
def test_rows_are_the_lists(lists: list[list[int]]) -> None:
    data = build(lists)
    assert data.n_users == len(lists)
    assert data.n_interactions == sum(map(len, lists))
    assert data.lengths().tolist() == [len(x) for x in lists]
    for (user, history), items in zip(data.histories(), lists, strict=True):
        check_row(history, items)
        assert user >= 100


@given(LISTS, st.data())
def test_slices_and_takes_keep_everything_of_a_row(lists: list[list[int]], data: st.DataObject) -> None:
    whole = build(lists)
    start = data.draw(st.integers(0, len(lists)))
    stop = data.draw(st.integers(start, len(lists)))
    for row, items in enumerate(lists[start:stop]):
        check_row(whole.slice(start, stop).history(row), items)
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=6))
    taken = whole.take(np.array(rows, np.int64))
    assert taken.users.tolist() == [100 + r for r in rows]
    for row, source in enumerate(rows):
        check_row(taken.history(row), lists[source])


@given(LISTS, st.integers(1, 7))
def test_chunks_cover_everybody_once(lists: list[list[int]], size: int) -> None:
    parts = list(build(lists).chunks(size))
    assert [u for p in parts for u in p.users.tolist()] == [100 + k for k in range(len(lists))]
    assert all(1 <= p.n_users <= size for p in parts)


@given(LISTS)
def test_the_view_by_item_lists_who_has_what(lists: list[list[int]]) -> None:
    data = build(lists)
    offsets, rows, where = data.by_item()
    for item in range(N):
        mine = slice(offsets[item], offsets[item + 1])
        assert (data.items[where[mine]] == item).all()
        assert rows[mine].tolist() == [u for u, x in enumerate(lists) for i in x if i == item]


@given(LISTS)
def test_unique_says_whether_an_item_repeats(lists: list[list[int]]) -> None:
    assert build(lists).unique() == all(len(set(x)) == len(x) for x in lists)


def test_one_history_is_a_cohort_of_one() -> None:
    history = build([[3, 1], [2]]).history(0)
    alone = Interactions.of(history, N, user=42)
    assert alone.users.tolist() == [42]
    check_row(alone.history(0), [3, 1])


def test_gather_by_hand() -> None:
    where, offsets = gather(np.array([0, 2, 2, 5]), np.array([2, 0]))
    assert where.tolist() == [2, 3, 4, 0, 1]
    assert offsets.tolist() == [0, 3, 5]


def test_taking_everybody_in_order_copies_nothing() -> None:
    data = build([[1], [2, 3]])
    assert data.take(np.array([0, 1])) is data
    assert data.take(np.array([1, 0])) is not data


@pytest.mark.parametrize("lists", [[[]], [[], []], [[0]]])
def test_empty_histories_are_histories(lists: list[list[int]]) -> None:
    data = build(lists)
    assert [len(h) for _, h in data.histories()] == [len(x) for x in lists]
