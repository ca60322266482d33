"""Each split by hand: who is trained on what, what a device knows by then, what is held out."""

from __future__ import annotations

import numpy as np
import pytest

from fedrec.contract import ConfigError, DataError, Interactions
from fedrec.contract.interactions import DAY
from fedrec.data.protocols import NAMES, apply, describe_protocol
from fedrec.data.splits import Split, without_test
from fedrec.data.task import Task
from tests.data.helpers import frame

NOON = DAY / 2


def held(task: Task | None) -> dict[int, tuple[list[int], list[int]]]:
    """Return {row of the user: (history, held-out items)}."""
    assert task is not None
    out = {}
    for k, (user, history) in enumerate(task.histories.histories()):
        a, b = task.target_offsets[k : k + 2]
        out[user] = (history.items.tolist(), task.targets[a:b].tolist())
    return out


def rows(data: Interactions) -> list[list[int]]:
    return [history.items.tolist() for _, history in data.histories()]


def split_of(data: object, name: str, **options: object) -> Split:
    return apply(name, data, **options)  # type: ignore[arg-type]


# Items get codes by first appearance: in these tables item k is the k-th new one.
def test_leave_last_out() -> None:
    data = frame(
        ("a", 0, 1), ("a", 1, 2), ("a", 2, 3), ("a", 3, 4),
        ("b", 0, 5), ("b", 2, 6), ("b", 1, 7),
        ("c", 3, 1), ("c", 1, 2),
        ("d", 2, 9),
    )  # fmt: skip
    split = split_of(data, "leave-last-out")
    assert rows(split.train) == [[0, 1], [0], [3, 1], [2]]
    assert split.final is split.train
    assert not split.refit
    assert held(split.validation) == {0: ([0, 1], [2]), 1: ([0], [2])}
    assert held(split.test) == {0: ([0, 1, 2], [3]), 1: ([0, 2], [1])}
    assert split.counts == {"tested": 2, "validated": 2, "train only (fewer than 3 interactions)": 2}


def test_leave_last_out_breaks_ties_by_file_order_and_says_how_many() -> None:
    data = frame(("a", 9, 5), ("a", 1, 5), ("a", 5, 5), ("b", 9, 1), ("b", 1, 2), ("b", 5, 3))
    split = split_of(data, "leave-last-out")
    assert held(split.test) == {0: ([0, 1], [2]), 1: ([0, 1], [2])}
    assert split.notes == [
        "1 of 2 test items have the same time as the item before them; the order in the file decides"
    ]


def test_last_basket_holds_whole_utc_days_out() -> None:
    data = frame(
        # a: three active days; on the last one item 0 again (not new) and 3, 4
        ("a", 0, 0), ("a", 1, DAY - 1), ("a", 2, DAY), ("a", 3, 5 * DAY), ("a", 4, 5 * DAY + 9), ("a", 5, 5 * DAY - 1),
        # b: two active days
        ("b", 1, NOON), ("b", 2, DAY + NOON),
        # c: one active day
        ("c", 0, 0), ("c", 5, 1), ("c", 2, 2),
    )  # fmt: skip
    split = split_of(data, "last-basket")
    assert held(split.test) == {0: ([0, 1, 2, 5], [3, 4]), 1: ([1], [2])}
    assert held(split.validation) == {0: ([0, 1, 2], [5])}
    assert rows(split.train) == [[0, 1, 2], [], []]
    assert rows(split.final) == [[0, 1, 2, 5], [1], []]
    assert split.refit
    assert split.counts == {"tested": 2, "validated": 1, "not trained on (one active day)": 1}


def test_last_basket_counts_only_items_new_to_the_user() -> None:
    from fedrec.data import load

    table = {"user_id": list("aaabbb"), "item_id": [0, 0, 1, 0, 1, 1], "timestamp": [0, DAY, DAY, 0, 0, DAY]}
    split = split_of(load(table, duplicates="all"), "last-basket")
    assert held(split.test) == {0: ([0], [1])}
    assert split.counts["tested"] == 1
    assert split.counts["not tested (nothing new in the test part)"] == 1


def test_last_basket_by_timestamp() -> None:
    data = frame(("a", 0, 5), ("a", 1, 5), ("a", 2, 7), ("a", 3, 7), ("b", 0, 1), ("b", 2, 2), ("b", 1, 3))
    split = split_of(data, "last-basket", basket="timestamp")
    assert split.name == "last-basket:timestamp"
    assert held(split.test) == {0: ([0, 1], [2, 3]), 1: ([0, 2], [1])}
    assert held(split.validation) == {1: ([0], [2])}
    with pytest.raises(ConfigError, match=r"--basket: got 'dya', expected day or timestamp\. Did you mean 'day'"):
        split_of(data, "last-basket", basket="dya")


TIMED = (
    ("a", 0, 10), ("a", 1, 20), ("a", 2, 80), ("a", 3, 95),
    ("b", 1, 30), ("b", 0, 90), ("b", 4, 91),
    ("c", 5, 99), ("c", 0, 99.5),
    ("d", 2, 40), ("d", 3, 50),
)  # fmt: skip


def test_global_time_lets_nothing_from_the_future_in() -> None:
    data = frame(*TIMED)
    split = split_of(data, "global-time", at=90)
    # test: from 90 on; before: 10 20 30 40 50 80, whose newest ninth begins at 80
    assert held(split.test) == {0: ([0, 1, 2], [3]), 1: ([1], [0, 4])}
    assert held(split.validation) == {0: ([0, 1], [2])}
    assert rows(split.train) == [[0, 1], [1], [], [2, 3]]
    assert rows(split.final) == [[0, 1, 2], [1], [], [2, 3]]
    assert split.counts == {
        "tested": 2,
        "validated": 1,
        "not tested (nothing before the cut)": 1,
        "train only (nothing after the cut)": 1,
    }
    assert split.notes == ["1 of 3 test items are items nobody had before the cut; they stay in the count"]
    for part, latest in ((split.train, 80), (split.final, 90)):
        assert part.times is not None
        assert part.times.max() < latest


def test_global_time_takes_a_share_a_date_or_seconds() -> None:
    data = frame(*((u, i, t * DAY) for u, i, t in TIMED))
    by_date = split_of(data, "global-time", at="1970-04-01")  # day 90
    assert held(by_date.test) == held(split_of(data, "global-time", at=90 * DAY).test)
    assert held(by_date.test) == held(split_of(data, "global-time", at="1970-04-01T01:00:00+01:00").test)
    share = split_of(data, "global-time", at=0.6)
    assert share.test is not None
    assert share.final.times is not None
    assert share.final.n_interactions == 6
    for wrong in ("soon", 0, -3.0, float("inf")):
        with pytest.raises(ConfigError, match=r"expected a share between 0 and 1, UTC seconds, or a date"):
            split_of(data, "global-time", at=wrong)
    with pytest.raises(ConfigError, match=r"no interaction lies before; the times are 1970-01-11"):
        split_of(data, "global-time", at="1970-01-02")
    with pytest.raises(ConfigError, match=r"no interaction lies from then on"):
        split_of(data, "global-time", at="2020-01-01")


def test_ratio_in_time_order() -> None:
    data = frame(*[("a", k, k) for k in range(20)], *[("b", k, k) for k in range(4)], ("c", 0, 0), ("c", 1, 1))
    split = split_of(data, "ratio")
    assert held(split.test) == {0: (list(range(18)), [18, 19]), 1: ([0, 1, 2], [3])}
    assert held(split.validation) == {0: (list(range(16)), [16, 17]), 1: ([0, 1], [2])}
    assert rows(split.final) == [list(range(18)), [0, 1, 2], [0, 1]]
    assert split.counts["train only (fewer than 3 interactions)"] == 1
    wide = split_of(data, "ratio", held=(0.2, 0.5))
    assert held(wide.test)[0] == (list(range(10)), list(range(10, 20)))
    with pytest.raises(ConfigError, match=r"shares above 0 that add up to less than 1"):
        split_of(data, "ratio", held=(0.5, 0.5))


def test_ratio_without_order_is_random_per_user_and_keyed() -> None:
    table = [(u, i) for u in "abcdef" for i in range(30)]
    data = frame(*table, names="user_id item_id")
    split = split_of(data, "ratio", seed=3)
    again, other = split_of(data, "ratio", seed=3), split_of(data, "ratio", seed=4)
    assert held(split.test) == held(again.test)
    assert held(split.test) != held(other.test)
    picked = {tuple(items) for _, items in held(split.test).values()}
    assert len(picked) > 1  # not the same places for everybody
    assert all(len(items) == 3 for items in picked)
    assert "random" in describe_protocol(split)["split"]


GIVEN = (
    ("a", 0, "train"), ("a", 1, "train"), ("a", 2, "validation"), ("a", 3, "test"),
    ("b", 2, "train"), ("b", 0, "test"), ("b", 1, "test"),
    ("c", 3, "test"),
)  # fmt: skip


def test_given_takes_the_parts_as_they_are() -> None:
    split = split_of(frame(*GIVEN, names="user_id item_id split"), "given")
    assert rows(split.train) == [[0, 1], [2], []]
    assert rows(split.final) == [[0, 1, 2], [2], []]
    assert held(split.validation) == {0: ([0, 1], [2])}
    assert held(split.test) == {0: ([0, 1, 2], [3]), 1: ([2], [0, 1]), 2: ([], [3])}
    assert split.counts["tested without any history"] == 1
    assert split.notes == []


def test_given_without_validation_carves_it_out_of_train_and_says_so() -> None:
    table = [("a", k, "train") for k in range(10)] + [("a", 10, "test"), ("b", 0, "train"), ("b", 1, "test")]
    split = split_of(frame(*table, names="user_id item_id split"), "given")
    (history, target), *rest = held(split.validation).values()
    assert not rest  # b has one training item: none is taken from b
    assert sorted(history + target) == list(range(10))
    assert len(target) == 1
    assert rows(split.final) == [list(range(10)), [0]]
    assert held(split.test) == {0: (list(range(10)), [10]), 1: ([0], [1])}
    assert "carved out of the training part" in split.notes[0]
    timed = [(u, i, part, 100 - i if part == "train" else 200) for u, i, part in table]
    ordered = split_of(frame(*timed, names="user_id item_id split timestamp"), "given")
    assert held(ordered.validation)[0][1] == [0]  # the newest of a's training part


def test_given_needs_a_split() -> None:
    with pytest.raises(DataError, match=r"given needs a split column"):
        split_of(frame(*TIMED), "given")
    with pytest.raises(DataError, match=r"no row is marked test"):
        split_of(frame(("a", 0, "train"), ("b", 1, "train"), names="user_id item_id split"), "given")


def test_none_trains_on_everything() -> None:
    data = frame(*TIMED)
    split = split_of(data, "none")
    assert split.train is data.interactions
    assert split.test is None
    assert split.validation is None


@pytest.mark.parametrize(
    ("name", "instead"),
    [("leave-last-out", "ratio"), ("last-basket", "ratio"), ("global-time", "ratio"), ("pfedrec-honest", "ratio")],
)
def test_splits_by_time_are_refused_without_times(name: str, instead: str) -> None:
    data = frame(*((u, i) for u, i, _ in TIMED), names="user_id item_id")
    with pytest.raises(DataError, match=rf"{name} needs a timestamp.*{instead}"):
        split_of(data, name)


def test_everybody_below_the_minimum_is_an_error_that_counts_them() -> None:
    data = frame(("a", 0, 1), ("a", 1, 2), ("b", 1, 1), ("b", 0, 2))
    for name in ("leave-last-out", "ratio", "pfedrec-leaky", "last-basket"):
        with pytest.raises(DataError, match=r"none of the 2 users meets its minimum|no user has at least 3"):
            split_of(data, name)


def test_unknown_protocol_gets_did_you_mean() -> None:
    with pytest.raises(ConfigError, match=r"unknown protocol 'leave-one-out'; known: .* Did you mean 'leave-last-out'"):
        split_of(frame(*TIMED), "leave-one-out")


def test_description_and_fingerprint() -> None:
    data = frame(*((u, i, t * DAY) for u, i, t in TIMED))
    names = [name for name in NAMES if name != "given" and not name.startswith("pfedrec")]
    descriptions = [describe_protocol(split_of(data, name, at=0.6)) for name in names]
    for about in descriptions:
        assert set(about) == {"name", "split", "candidates", "negatives", "ties", "fingerprint"}
        assert all(about.values())
    assert len({about["fingerprint"] for about in descriptions}) == len(descriptions)
    again = describe_protocol(split_of(data, "leave-last-out"))
    assert again == descriptions[0]
    moved = frame(*((u, i, (t if i != 3 else 0) * DAY) for u, i, t in TIMED))  # another last item
    assert describe_protocol(split_of(moved, "leave-last-out"))["fingerprint"] != again["fingerprint"]


def test_without_test_hides_the_test_part() -> None:
    split = split_of(frame(*TIMED), "leave-last-out")
    assert without_test(split).test is None
    assert without_test(split).validation is split.validation


def test_parts_of_a_set_without_repeats_are_known_to_have_none() -> None:
    split = split_of(frame(*TIMED), "leave-last-out")
    assert split.train._cache["unique"] is True
    pairs = np.repeat(np.arange(4), split.train.lengths()) * 6 + split.train.items
    assert len(np.unique(pairs)) == len(pairs)
