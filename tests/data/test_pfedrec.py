"""The published evaluation: its split, its candidates, and the one thing in which leaky and honest differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fedrec.contract import DataError
from fedrec.data import Dataset, load
from fedrec.data.protocols import apply, describe_protocol, fingerprint
from tests.data.helpers import frame

CATALOGUE = [("other", k, 1000 + k) for k in range(1, 300)]


def hand_made() -> Dataset:
    people = [
        ("a", 1, 10), ("a", 2, 30), ("a", 3, 30), ("a", 4, 30), ("a", 5, 20),
        ("b", 1, 10), ("b", 2, 20), ("b", 3, 30),
        ("c", 1, 50), ("c", 2, 50), ("c", 3, 50),
        ("d", 7, 1), ("d", 8, 2),
    ]  # fmt: skip
    return frame(*people, *CATALOGUE)


def test_newest_and_second_newest_with_the_first_in_the_file_as_the_newer() -> None:
    data = hand_made()
    split = apply("pfedrec-honest", data)
    assert split.test is not None
    assert split.validation is not None
    ids, people = data.item_ids.to_list(), data.user_ids.to_list()
    expected = [(split.test, {"a": 2, "b": 3, "c": 1}), (split.validation, {"a": 3, "b": 2, "c": 2})]
    for task, items in expected:  # "other" has no 198 items left
        assert {people[u]: ids[i] for u, i in zip(task.histories.users, task.targets, strict=True)} == items
    assert [ids[i] for i in split.train.history(0).items] == [1, 5, 4]  # in time order
    assert split.counts == {
        "tested": 3,
        "validated": 3,
        "train only (fewer than 3 interactions)": 1,
        "not tested (fewer than 198 items left to sample)": 1,
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_split_is_the_published_ranking_with_pandas(seed: int) -> None:
    pandas = pytest.importorskip("pandas")
    draw = np.random.default_rng(seed)
    pairs = [(u, i) for u in range(6) for i in draw.permutation(20)[: draw.integers(3, 12)]]
    draw.shuffle(pairs)
    table = pandas.DataFrame(pairs, columns=["user_id", "item_id"])
    table["timestamp"] = draw.integers(0, 4, len(pairs))
    rank = table.groupby("user_id")["timestamp"].rank(method="first", ascending=False)
    filler = pandas.DataFrame({"user_id": 99, "item_id": np.arange(300), "timestamp": 0})
    data = load(pandas.concat([table, filler]))
    split = apply("pfedrec-honest", data)
    ids, people = data.item_ids.to_list(), data.user_ids.to_list()
    for task, place in ((split.test, 1), (split.validation, 2)):
        assert task is not None
        expected = table[rank == place].set_index("user_id")["item_id"].to_dict()
        got = {people[u]: ids[i] for u, i in zip(task.histories.users, task.targets, strict=True)}
        assert got == expected


def test_candidates() -> None:
    data = hand_made()
    split = apply("pfedrec-honest", data)
    assert split.test is not None
    assert split.validation is not None
    test, validation = split.test.candidates, split.validation.candidates
    assert test is not None
    assert validation is not None
    assert test.shape == validation.shape == (3, 100)
    assert test.dtype == np.int32
    for k, user in enumerate(split.test.histories.users):
        mine = set(data.interactions.history(int(user)).items.tolist())
        drawn = [*validation[k, :99].tolist(), *test[k, :99].tolist()]
        assert len(set(drawn)) == 198  # drawn once, without repeats
        assert not mine & set(drawn)  # never an item the user had, in any part
        assert test[k, 99] == split.test.targets[k]  # the held-out item in the last column
        assert validation[k, 99] == split.validation.targets[k]
    assert split.test.pessimistic
    assert split.validation.pessimistic
    other = apply("pfedrec-honest", data, seed=5).test
    assert other is not None
    assert np.array_equal(other.candidates, test)  # fixed for every seed, as in the published code


def test_history_stays_the_training_part_at_test_time() -> None:
    split = apply("pfedrec-leaky", hand_made())
    assert split.test is not None
    assert split.validation is not None
    for task in (split.test, split.validation):
        for user, history in task.histories.histories():
            assert np.array_equal(history.items, split.train.history(user).items)
    assert split.final is split.train
    assert not split.refit


def test_leaky_and_honest_differ_in_the_negatives_only() -> None:
    data = hand_made()
    leaky, honest = apply("pfedrec-leaky", data), apply("pfedrec-honest", data)
    assert leaky.test is not None
    assert honest.test is not None
    assert leaky.validation is not None
    assert honest.validation is not None
    for one, two in ((leaky.test, honest.test), (leaky.validation, honest.validation)):
        assert np.array_equal(one.targets, two.targets)
        assert np.array_equal(one.candidates, two.candidates)
        assert np.array_equal(one.histories.items, two.histories.items)
    assert np.array_equal(leaky.train.items, honest.train.items)
    assert honest.train.avoid_items is None
    assert honest.test.histories.avoid_items is None
    held = {int(u): set() for u in leaky.test.histories.users}
    for task in (leaky.test, leaky.validation):
        for user, item in zip(task.histories.users, task.targets, strict=True):
            held[int(user)].add(int(item))
    for user, items in held.items():
        assert set(leaky.train.history(user).avoid.tolist()) == items  # type: ignore[union-attr]
    for user, history in leaky.test.histories.histories():  # personal scoring draws negatives too
        assert set(history.avoid.tolist()) == held[user]  # type: ignore[union-attr]
    one, two = describe_protocol(leaky), describe_protocol(honest)
    assert {key for key in one if one[key] != two[key]} == {"name", "negatives", "fingerprint"}


def test_fingerprint_covers_the_candidates_and_the_ties() -> None:
    split = apply("pfedrec-honest", hand_made())
    assert split.test is not None
    assert split.test.candidates is not None
    swapped = split.test.candidates.copy()
    swapped[0, [0, 1]] = swapped[0, [1, 0]]
    for other in (replace(split.test, candidates=swapped), replace(split.test, pessimistic=False)):
        assert fingerprint(replace(split, test=other)) != fingerprint(split)


def test_users_of_the_catalogue_with_too_little_to_sample_are_not_tested() -> None:
    data = frame(*[(u, k, k) for u in "ab" for k in range(150)])
    with pytest.raises(DataError, match=r"198 items left to sample.*use --protocol leave-last-out"):
        apply("pfedrec-honest", data)
