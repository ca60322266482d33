"""Properties of the readers for tables that hypothesis makes up."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data import load
from fedrec.data.protocols import apply
from tests.data.helpers import lists

# Any text that UTF-8 can say; the csv module of Python cannot write a lone \r\n difference back, so no line ends.
IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), min_size=1, max_size=8)
PAIRS = st.lists(st.tuples(IDS, IDS), min_size=1, max_size=25)


def expected(rows: list[tuple[str, str, int]]) -> dict[str, list[str]]:
    """The same in plain Python: sort by time, stably; the first of each pair stays."""
    out: dict[str, list[str]] = {}
    for user, _, _ in rows:
        out.setdefault(user, [])
    for user, item, _ in sorted(rows, key=lambda row: row[2]):
        if item not in out[user]:
            out[user].append(item)
    return out


@given(PAIRS, st.sampled_from([",", "\t", ";", "|"]), st.data())
@settings(max_examples=60)
def test_ids_and_histories_make_the_round_trip_through_text(
    pairs: list[tuple[str, str]], separator: str, data: st.DataObject
) -> None:
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    rows = [(u, i, t) for (u, i), t in zip(pairs, times, strict=True)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerows([("user_id", "item_id", "timestamp"), *rows])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(text.getvalue().encode())
        found = load(path, min_users=1, min_items=1)
    assert lists(found) == expected(rows)
    assert found.user_ids.to_list() == list(dict.fromkeys(u for u, _, _ in rows))
    for code, ident in enumerate(found.item_ids.to_list()):
        assert found.item_code(ident) == code


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=25))
@settings(max_examples=40)
def test_numbers_as_ids_make_the_round_trip_through_parquet(pairs: list[tuple[int, int]]) -> None:
    table = pl.DataFrame(pairs, schema={"user_id": pl.UInt64, "item_id": pl.Int64}, orient="row")
    with TemporaryDirectory() as folder:
        table.write_parquet(Path(folder) / "x.parquet")
        found = load(Path(folder) / "x.parquet", min_users=1, min_items=1)
    assert found.user_ids.dtype == pl.UInt64
    assert lists(found) == {str(u): [str(i) for i in x] for u, x in expected_pairs(pairs).items()}


def expected_pairs(pairs: list[tuple[int, int]]) -> dict[int, list[int]]:
    out: dict[int, list[int]] = {}
    for user, item in pairs:
        mine = out.setdefault(user, [])
        if item not in mine:
            mine.append(item)
    return out


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=40, unique=True), st.randoms())
@settings(max_examples=60)
def test_rows_in_any_order_give_the_same_histories_where_times_differ(
    pairs: list[tuple[int, int]], dice: object
) -> None:
    rows = [(f"u{u}", f"i{i}", 7 * k) for k, (u, i) in enumerate(pairs)]
    mixed = rows.copy()
    dice.shuffle(mixed)  # type: ignore[attr-defined]
    names = ["user_id", "item_id", "timestamp"]
    one, two = (load(pl.DataFrame(x, schema=names, orient="row"), min_users=1, min_items=1) for x in (rows, mixed))
    assert lists(one) == lists(two)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 6)), min_size=2, max_size=60),
    st.sampled_from(["leave-last-out", "last-basket", "global-time", "ratio"]),
    st.sampled_from(["first", "last", "all"]),
)
@settings(max_examples=150)
def test_no_split_shows_a_model_what_it_is_asked_for(rows: list[tuple[int, int, int]], name: str, which: str) -> None:
    names = ["user_id", "item_id", "timestamp"]
    table = pl.DataFrame([(u, i, t * 86_400) for u, i, t in rows], schema=names, orient="row")
    data = load(table, duplicates=which, min_users=1, min_items=1)
    try:
        split = apply(name, data)
    except Exception as error:
        assert "nobody can be tested" in str(error) or "no interaction lies" in str(error)  # noqa: PT017
        return
    for task, model in ((split.validation, split.train), (split.test, split.final)):
        if task is None:
            continue
        assert task.n_users == len(set(task.histories.users.tolist()))
        for k, (user, history) in enumerate(task.histories.histories()):
            targets = task.targets[task.target_offsets[k] : task.target_offsets[k + 1]].tolist()
            assert targets
            assert len(set(targets)) == len(targets)
            assert not set(targets) & set(history.items.tolist())
            assert not set(targets) & set(model.history(user).items.tolist())
            assert history.times is not None
            assert (np.diff(history.times) >= 0).all()
