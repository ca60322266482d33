"""The counts of the data sets as their notes state them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fedrec.data import describe, load, silos
from fedrec.data.protocols import apply

# folder: users, items, interactions kept, (min, median, max) a user, ordered, words of a note
SETS = {
    "quickstart": (2593, 1039, 176_102, (20, 49, 894), True, None),
    "ml-100k": (943, 1682, 100_000, (20, 65, 737), True, None),
    "ml-1m": (6040, 3416, 999_611, None, True, "dropped 598 of 1,000,209 rows: no order"),
    "gowalla-lightgcn": (
        29_858,
        40_981,
        1_027_370,
        (9, 20, 1014),
        False,
        "810,128 rows in train.txt, 217,242",
    ),
    "ciao-2k": (2248, 16_861, 35_835, None, True, "dropped 230 of 36,065 rows"),
    "filmtrust": (1508, 2071, 35_494, None, False, "dropped 3 of 35,497 rows"),
    "lastfm-2k": (1892, 17_632, 92_834, (1, 50, 50), False, None),
    "amazon-video": (8072, 11_830, 63_836, (5, 6, 277), True, None),
}


@pytest.mark.parametrize("name", SETS)
def test_counts(data_root: Path, name: str) -> None:
    users, items, interactions, a_user, ordered, note = SETS[name]
    data = load(data_root / name)
    assert (data.n_users, data.n_items, data.n_interactions) == (users, items, interactions)
    assert data.name == name
    assert data.ordered == ordered
    if a_user is not None:
        lengths = data.interactions.lengths()
        assert (lengths.min(), int(np.median(lengths)), lengths.max()) == a_user
    if note is not None:
        assert any(note in line for line in data.notes)
    else:
        assert data.notes == []


@pytest.mark.parametrize(("name", "rows"), [("ciao-2k", 36_065), ("filmtrust", 35_497)])
def test_all_duplicates_are_kept_when_asked_for(data_root: Path, name: str, rows: int) -> None:
    data = load(data_root / name, duplicates="all")
    assert data.n_interactions == rows
    assert not data.interactions.unique()


def test_time_spans_titles_and_silos(data_root: Path) -> None:
    small = load(data_root / "ml-100k")
    facts = describe(small)
    assert (facts["first"], facts["last"]) == ("1997-09-20 03:05", "1998-04-22 23:10")
    values = small.interactions.values
    assert values is not None
    assert np.bincount(values.astype(int)).tolist() == [0, 6110, 11370, 27145, 34174, 21201]
    assert small.title(small.item_code("50")) == "Star Wars (1977)"
    assert small.title(small.item_code(543)) == "Misérables, Les (1995)"  # latin-1
    assert len(silos(small, "occupation")[1]) == 21
    large = load(data_root / "ml-1m")
    assert large.title(large.item_code(1193)) == "One Flew Over the Cuckoo's Nest (1975)"
    assert len(silos(large, "age")[1]) == 7
    assert large.users is not None
    assert large.users.columns == ["user_id", "gender", "age", "occupation", "zip"]


def test_ml_1m_has_the_order_of_its_column_and_may_be_read_by_times_instead(data_root: Path) -> None:
    data = load(data_root / "ml-1m")
    first = [str(data.item_ids[int(i)]) for i in data.interactions.history(data.user_code(1)).items[:3]]
    import polars as pl

    table = pl.read_parquet(data_root / "ml-1m" / "ratings.parquet").filter(pl.col("user_id") == 1)
    assert first == [str(x) for x in table.sort("order_in_user")["item_id"][:3]]
    timed = load(data_root / "ml-1m", columns={"timestamp": "approx_timestamp"})
    assert timed.n_interactions == 800_214
    assert timed.interactions.times is not None


def test_gowalla_keeps_its_test_part_and_carves_the_validation_out_of_train(data_root: Path) -> None:
    split = apply("given", load(data_root / "gowalla-lightgcn"))
    assert split.test is not None
    assert split.validation is not None
    assert len(split.test.targets) == 217_242
    assert split.final.n_interactions == 810_128
    assert split.train.n_interactions + len(split.validation.targets) == 810_128
    assert split.test.n_users == 29_858
    assert "carved out" in split.notes[0]


def test_quickstart_folder_csv_and_bundled_copy_are_the_same_rows(data_root: Path) -> None:
    bundled, csv = load("quickstart"), load(data_root / "quickstart" / "interactions.csv.gz")
    assert np.array_equal(bundled.interactions.items, csv.interactions.items)
    assert np.array_equal(bundled.interactions.offsets, csv.interactions.offsets)
    assert [str(x) for x in bundled.user_ids.to_list()] == csv.user_ids.to_list()
    assert bundled.interactions.times is not None
    assert csv.interactions.times is not None
    assert np.array_equal(bundled.interactions.times, csv.interactions.times)


def test_candidates_for_everybody_on_the_sets_of_the_papers(data_root: Path) -> None:
    for name, users in (("ml-100k", 943), ("amazon-video", 8072)):
        split = apply("pfedrec-honest", load(data_root / name))
        assert split.counts["tested"] == users
