"""Reading lists off updates, on cases worked by hand."""

import numpy as np
import pytest

from fedrec.audit import lists
from fedrec.contract import Phase, Stat

COUNTS = Phase("counts", 1, {"counts": Stat((5,), 1.0, counts=True)})
TABLE = Phase("train", 1, {"items": Stat((5, 2), 1.0)})


def test_counts_name_their_items() -> None:
    found = lists.guessed(COUNTS, {"counts": np.array([0, 1, 0, 1, 0])}, 5, negatives=False)
    assert found is not None
    assert found.tolist() == [1, 3]


def test_a_nothing_update_names_nothing() -> None:
    for negatives in (False, True):
        found = lists.guessed(TABLE, {"items": np.zeros((5, 2))}, 5, negatives)
        assert found is not None
        assert len(found) == 0


def test_pairs_name_items_in_rows_and_in_columns() -> None:
    phase = Phase("pairs", 1, {"next": Stat((4, 4), 1.0, counts=True)})
    once = np.zeros((4, 4))
    once[0, 2] = 1  # item 2 came after item 0: one is a row, the other a column
    found = lists.guessed(phase, {"next": once}, 4, False)
    assert found is not None
    assert found.tolist() == [0, 2]


def test_blocks_of_one_decay_each_are_folded() -> None:
    phase = Phase("sums", 1, {"cross": Stat((6, 2), 1.0)})
    two = np.zeros((6, 2))
    two[1], two[5] = 1.0, 1.0  # item 1 of the first block, item 2 of the second
    found = lists.guessed(phase, {"cross": two}, 3, False)
    assert found is not None
    assert found.tolist() == [1, 2]


def test_no_item_is_named_where_no_axis_is_as_long_as_the_catalogue() -> None:
    phase = Phase("gram", 1, {"gram": Stat((3, 3), 1.0)})
    assert lists.guessed(phase, {"gram": np.ones((3, 3))}, 7, False) is None


@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_the_sign_along_the_strongest_direction_tells_liked_from_negatives(flip: float) -> None:
    user = np.array([0.6, -0.8]) * flip
    rows = np.zeros((5, 2))
    rows[2] = 0.5 * user  # the one liked item
    rows[[0, 1, 4]] = np.outer([-0.2, -0.3, -0.1], user)  # three negatives
    found = lists.guessed(TABLE, {"items": rows}, 5, negatives=True)
    assert found is not None
    assert found.tolist() == [2]


def test_without_negatives_every_row_that_moved_is_liked() -> None:
    rows = np.zeros((5, 2))
    rows[[0, 3]] = 1.0
    found = lists.guessed(TABLE, {"items": rows}, 5, negatives=False)
    assert found is not None
    assert found.tolist() == [0, 3]


def test_f1_by_hand() -> None:
    assert lists.f1(np.array([1, 2]), np.array([2, 3, 4])) == pytest.approx(2 * 1 / 5)
    assert lists.f1(np.array([1]), np.array([1])) == 1.0
    assert lists.f1(np.array([], np.int64), np.array([], np.int64)) == 0.0


def test_the_heaviest_items_of_a_sum() -> None:
    phase = Phase("both", 1, {"counts": Stat((3,), 1.0, counts=True), "rows": Stat((3, 2), 1.0)})
    stats = {"counts": np.array([4.0, 1.0, -9.0]), "rows": np.array([[0.0, 0.0], [1.0, -1.0], [0.5, 0.0]])}
    heavy = lists.heavy(phase, stats, 3)  # a count below 0 is noise
    assert heavy.tolist() == pytest.approx([1.0, 0.25 + 1.0, 0.25])
    assert lists.heaviest(heavy, 2).tolist() == [1, 0]
