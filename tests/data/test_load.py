"""The readers: what a file says is what the data set holds, whatever its form."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fedrec.contract import UnknownIdError
from fedrec.data import Dataset, describe, load, silos
from tests.data.helpers import Write, frame, lists

ROWS = [("b", "y", 5.0, 30), ("a", "x", 3.0, 20), ("b", "x", 4.0, 10), ("a", "y", 1.0, 20), ("a", "z", 2.0, 5)]
TEXT = "user_id,item_id,rating,timestamp\n" + "".join(f"{u},{i},{r},{t}\n" for u, i, r, t in ROWS)
EXPECTED = {"b": ["x", "y"], "a": ["z", "x", "y"]}


def same(data: Dataset) -> None:
    assert lists(data) == EXPECTED
    assert data.user_ids.to_list() == ["b", "a"]  # by first appearance in the file
    assert data.item_ids.to_list() == ["y", "x", "z"]
    rows = data.interactions
    assert rows.items.dtype == np.int32
    assert rows.times is not None
    assert rows.values is not None
    assert rows.times.tolist() == [10, 30, 5, 20, 20]
    assert rows.values.tolist() == [4, 5, 2, 3, 1]
    assert data.ordered
    assert data.notes == []


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_separator_and_line_end_reads_the_same(write: Write, separator: str, end: str) -> None:
    same(load(write("x.csv", TEXT.replace(",", separator).replace("\n", end))))


def test_byte_order_mark_blank_lines_and_no_last_newline(write: Write) -> None:
    same(load(write("bom.csv", "\ufeff" + TEXT)))
    same(load(write("blank.csv", TEXT.replace("\n", "\n\n"))))
    same(load(write("cut.csv", TEXT.rstrip("\n"))))


def test_gzip_is_told_by_its_bytes_not_its_name(write: Write) -> None:
    same(load(write("x.csv.gz", gzip.compress(TEXT.encode()))))
    same(load(write("y.csv", gzip.compress(TEXT.encode()))))


def test_parquet_reads_the_same(tmp_path: Path) -> None:
    table = pl.DataFrame(ROWS, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")
    table.write_parquet(tmp_path / "x.parquet")
    same(load(tmp_path / "x.parquet"))
    table.with_columns(pl.from_epoch("timestamp")).write_parquet(tmp_path / "y.parquet")
    same(load(tmp_path / "y.parquet"))
    categories = table.with_columns(pl.col("user_id", "item_id").cast(pl.Categorical))
    categories.write_parquet(tmp_path / "z.parquet")
    same(load(tmp_path / "z.parquet"))


def test_recbole_typed_header(write: Write) -> None:
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    body = TEXT.split("\n", 1)[1].replace(",", "\t")
    same(load(write("x.inter", header + body)))


def test_frames_of_polars_pandas_and_plain_columns() -> None:
    names = ["user_id", "item_id", "rating", "timestamp"]
    columns = {name: [row[k] for row in ROWS] for k, name in enumerate(names)}
    same(load(columns))
    same(load(pl.DataFrame(columns)))
    pandas = pytest.importorskip("pandas")
    same(load(pandas.DataFrame(columns)))


def test_columns_are_mapped(write: Write) -> None:
    text = TEXT.replace("user_id", "customer").replace("item_id", "sku").replace("timestamp", "when")
    same(load(write("x.csv", text), columns={"user_id": "customer", "item_id": "sku", "timestamp": "when"}))


@pytest.mark.parametrize(
    ("form", "seconds"),
    [
        ("2024-05-31", 1717113600),
        ("2024-05-31 17:30", 1717176600),
        ("2024-05-31 17:30:15", 1717176615),
        ("2024-05-31T17:30:15Z", 1717176615),
        ("2024-05-31T17:30:15.500", 1717176615.5),
        ("2024-05-31T17:30:15+02:00", 1717169415),
        ("1717113600", 1717113600),
        (" 1717113600.25 ", 1717113600.25),
        ("1.7e9", 1700000000),
    ],
)
def test_times_are_utc_seconds_in_every_form(write: Write, form: str, seconds: float) -> None:
    data = load(write("x.csv", f"user_id,item_id,timestamp\nu,a,{form}\nv,b,{form}\n"))
    assert data.interactions.times is not None
    assert data.interactions.times.tolist() == [seconds, seconds]


def test_milliseconds_are_seen_and_said(write: Write) -> None:
    data = load(write("x.csv", "user_id,item_id,timestamp\nu,a,1717113600500\nv,b,1717113601000\n"))
    assert data.interactions.times is not None
    assert data.interactions.times.tolist() == [1717113600.5, 1717113601.0]
    assert "milliseconds" in data.notes[0]


def test_ties_in_time_stay_in_file_order_never_by_id() -> None:
    data = frame(("u", "z", 7), ("u", "a", 7), ("v", "m", 1), ("u", "k", 7), ("u", "q", 3))
    assert lists(data)["u"] == ["q", "z", "a", "k"]


def test_order_column_sorts_and_rows_without_order_are_dropped_and_counted(write: Write) -> None:
    text = "user_id,item_id,place,timestamp\nu,a,2,1\nu,b,1,9\nu,c,,5\nv,d,0,5\n"
    data = load(write("x.csv", text), order="place")
    assert lists(data) == {"u": ["b", "a"], "v": ["d"]}
    assert data.ordered
    assert data.interactions.times is None
    assert data.item_ids.to_list() == ["a", "b", "d"]  # an item of dropped rows only is not in the catalogue
    assert any("dropped 1 of 4 rows: no order" in note for note in data.notes)


def test_order_in_user_is_used_where_there_are_no_times(write: Write) -> None:
    data = load(write("x.csv", "user_id,item_id,order_in_user\nu,a,2\nu,b,1\nv,a,0\n"))
    assert lists(data)["u"] == ["b", "a"]


def test_rows_without_time_are_dropped_and_counted(write: Write) -> None:
    data = load(write("x.csv", "user_id,timestamp,item_id\nu,5,a\nu,,b\nv,1,a\nv,2,c\n"))
    assert lists(data) == {"u": ["a"], "v": ["a", "c"]}
    assert data.notes == ["dropped 1 of 4 rows: no time"]


def test_without_times_the_file_order_stays_but_is_not_called_an_order() -> None:
    data = frame(("u", "z"), ("v", "b"), ("u", "a"), names="user_id item_id")
    assert lists(data) == {"u": ["z", "a"], "v": ["b"]}
    assert not data.ordered


REPEATED = (("u", "a", 9, 1.0), ("u", "b", 5, 2.0), ("u", "a", 5, 3.0), ("v", "a", 1, 4.0), ("u", "a", 5, 5.0))


@pytest.mark.parametrize(
    ("which", "items", "ratings"),
    [
        ("first", ["b", "a"], [2, 3]),  # the earliest (5), of equal times the first in the file
        ("last", ["b", "a"], [2, 1]),  # the latest (9)
        ("all", ["b", "a", "a", "a"], [2, 3, 5, 1]),
    ],
)
def test_duplicates(which: str, items: list[str], ratings: list[float]) -> None:
    columns = dict(
        zip(("user_id", "item_id", "timestamp", "rating"), map(list, zip(*REPEATED, strict=True)), strict=True)
    )
    data = load(columns, duplicates=which)
    assert lists(data)["u"] == items
    history = data.interactions.history(0)
    assert history.values is not None
    assert history.values.tolist() == ratings
    assert "2 of 5 rows" in data.notes[0]
    assert data.interactions.unique() == (which != "all")


def test_ids_of_any_kind_come_back_as_they_were(write: Write) -> None:
    text = (
        'user_id,item_id\n"a,b","say ""hi"""\n😀,שלום\n99999999999999999999999999,18446744073709551616\n007, x\n7,x\n'
    )
    data = load(write("x.csv", text))
    assert data.user_ids.to_list() == ["a,b", "😀", "99999999999999999999999999", "007", "7"]
    assert data.item_ids.to_list() == ['say "hi"', "שלום", "18446744073709551616", " x", "x"]
    assert data.user_code("007") == 3
    assert data.item_code("18446744073709551616") == 2


def test_parquet_ids_keep_their_type_and_are_found_as_text(tmp_path: Path) -> None:
    big = 2**64 - 1
    table = {"user_id": pl.Series([big, 5, 5], dtype=pl.UInt64), "item_id": pl.Series([3, 3, 4], dtype=pl.Int16)}
    pl.DataFrame(table).write_parquet(tmp_path / "x.parquet")
    data = load(tmp_path / "x.parquet")
    assert data.user_ids.dtype == pl.UInt64
    assert data.item_ids.dtype == pl.Int16
    assert data.user_code(str(big)) == data.user_code(big) == 0
    with pytest.raises(UnknownIdError, match=r"item '33' is not in x \(2 items, for example '3'\)\. Did you mean '3'"):
        data.item_code(33)


def test_side_tables_give_titles_and_silos(write: Write) -> None:
    items = write("items.csv", 'item_id,title,price\nx,"Cup, red",1\nq,Unsold,2\ny,,3\n')
    users = write("users.csv", "country,user_id\nFrance,a\nPeru,b\nPeru,c\n")
    data = load(write("x.csv", TEXT), items=items, users=users)
    assert data.titles == ["y", "Cup, red", "z"]  # a title that is missing is the id
    assert data.items is not None
    assert data.items["price"].to_list() == ["3", "1", None]
    assert data.title(1) == "Cup, red"
    client_of, labels = silos(data, "country")
    assert client_of.tolist() == [0, 1]
    assert client_of.dtype == np.int64
    assert labels == ["Peru", "France"]
    assert f"{items}: left out 1 items without an interaction" in data.notes
    assert f"{items}: 1 of 3 items are not in it" in data.notes


def test_movielens_100k_folder(write: Write) -> None:
    write("u.data", "1\t10\t5\t100\n2\t10\t3\t50\n1\t20\t4\t90\n")
    flags = "|".join(["0"] * 18)
    item = f"10|Amélie (2001)|01-Jan-2001||http|1|{flags}\n20|Heat (1995)|||http|0|1|{flags[2:]}\n"
    write("u.item", item.encode("latin-1"))
    path = write("u.user", "1|24|M|writer|85711\n2|53|F|other|94043\n")
    data = load(path.parent)
    assert lists(data) == {"1": ["20", "10"], "2": ["10"]}
    assert data.titles == ["Amélie (2001)", "Heat (1995)"]
    assert silos(data, "occupation")[1] == ["writer", "other"]
    assert data.items is not None
    assert data.items["genres"].to_list() == ["unknown", "Action"]
    assert lists(load(path.parent / "u.data")) == lists(data)  # the file stands for its folder


@pytest.mark.parametrize("separator", ["::", ","])
def test_movielens_1m_folder(write: Write, separator: str) -> None:
    write("ratings.dat", "1::10::5::100\n2::10::3::50\n1::20::4::90\n".replace("::", separator))
    write("movies.dat", "10::Amélie (2001)::Comedy|Romance\n20::Heat: A Film (1995)::Action\n".encode("latin-1"))
    path = write("users.dat", "1::F::1::10::48067\n2::M::56::16::70072\n")
    data = load(path.parent)
    assert lists(data) == {"1": ["20", "10"], "2": ["10"]}
    assert data.titles == ["Amélie (2001)", "Heat: A Film (1995)"]


def test_lightgcn_folder_has_parts_and_no_order(write: Write) -> None:
    write("train.txt", "0 5 3 9\n1 3\n2\n")
    path = write("test.txt", "1 5 9 \n0 7\n")
    data = load(path.parent)
    assert lists(data) == {"0": ["5", "3", "9", "7"], "1": ["3", "5", "9"]}
    assert data.parts is not None
    assert data.parts.tolist() == [0, 0, 0, 2, 0, 2, 2]
    assert not data.ordered


def test_plain_and_recbole_folders_bring_their_side_tables(write: Write) -> None:
    write("plain/interactions.csv", TEXT)
    write("plain/items.csv", "item_id,name\nx,Ex\n")
    path = write("plain/users.csv", "user_id,team\na,red\nb,blue\n")
    data = load(path.parent)
    assert data.name == "plain"
    assert data.titles == ["y", "Ex", "z"]
    assert silos(data, "team")[1] == ["blue", "red"]
    write("toy/toy.inter", "user_id:token\titem_id:token\nu\ta\nv\tb\n")
    path = write("toy/toy.item", "item_id:token\ttitle:token_seq\na\tAlpha one\nb\tBeta\n")
    assert load(path.parent).titles == ["Alpha one", "Beta"]


def test_split_column(write: Write) -> None:
    data = load(write("x.csv", "user_id,item_id,split\nu,a,train\nu,b,Test\nv,a,valid\nv,b,train\n"))
    assert data.parts is not None
    assert data.parts.tolist() == [0, 2, 1, 0]


def test_describe() -> None:
    data = frame(("u", "a", 0), ("u", "b", 0), ("u", "c", 86400), ("v", "a", 5))
    facts = describe(data)
    assert facts["users"] == 2
    assert facts["items"] == 3
    assert facts["interactions"] == 4
    assert facts["density"] == 4 / 6
    assert facts["interactions at the same time as the user's one before"] == 1
    assert facts["users with fewer than 3 interactions"] == 1
    assert facts["first"] == "1970-01-01 00:00"
    assert facts["last"] == "1970-01-02 00:00"


def test_fingerprint_tells_data_apart() -> None:
    one = frame(("u", "a", 0), ("v", "b", 1))
    assert one.fingerprint() == frame(("u", "a", 0), ("v", "b", 1)).fingerprint()
    assert one.fingerprint() != frame(("u", "a", 0), ("v", "b", 2)).fingerprint()
    assert one.fingerprint() != frame(("u", "a", 0), ("v", "c", 1)).fingerprint()


def test_quickstart_is_bundled() -> None:
    data = load("quickstart")
    assert (data.n_users, data.n_items, data.n_interactions) == (2593, 1039, 176102)
    assert data.name == "quickstart"
    assert data.notes == []
    assert data.titles is not None
    assert "Regency Milk Jug Pink" in data.titles
    client_of, labels = silos(data, "country")
    sizes = dict(zip(labels, np.bincount(client_of).tolist(), strict=True))
    assert len(sizes) == 15
    assert (sizes["United Kingdom"], sizes["Germany"], sizes["Denmark"]) == (2322, 64, 5)
