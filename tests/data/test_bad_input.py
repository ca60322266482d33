"""Wrong input is refused in one message: the place, what was got, what was expected, what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from fedrec.contract import ConfigError, DataError, InputError
from fedrec.data import load, silos
from tests.data.helpers import Write, frame

ROWS = "".join(f"u{k % 4},i{k % 5},{k % 5 + 1},{1000 + k}\n" for k in range(20))
GOOD = "user_id,item_id,rating,timestamp\n" + ROWS  # 21 lines
NAN = float("nan")
TSV = GOOD.replace(",", "\t")

BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "empty file": ("", ["the file is empty", "user_id,item_id"]),
    "blank lines only": ("\n\n", ["line 1: empty", "header"]),
    "header only": ("user_id,item_id\n", ["a header line and no rows", "at least one"]),
    "gzip of nothing": (gzip.compress(b""), ["the file is empty"]),
    "no item_id": (
        GOOD.replace("item_id", "movie"),
        [
            "line 1: no item_id column",
            "'user_id', 'movie', 'rating', 'timestamp'",
            "Did you mean 'movie'",
            "item_id=movie",
        ],
    ),
    "no user_id": (GOOD.replace("user_id", "UserID"), ["no user_id column", "--columns user_id=UserID"]),
    "no header": (ROWS, ["no user_id column", "header line", "--columns user_id=NAME"]),
    "column twice": ("user_id,item_id,item_id\nu,a,b\n", ["line 1", "'item_id' occurs twice", "rename"]),
    "truncated gzip": (gzip.compress(GOOD.encode())[:-9], ["gzip", "truncated", "fetch it again"]),
    "damaged gzip": (gzip.compress(GOOD.encode())[:-8] + b"\x00" * 8, ["damaged gzip", "fetch it again"]),
    "not UTF-8": (
        GOOD.encode() + "ué,i1,1,1\n".encode("latin-1"),
        ["line 22", "not UTF-8", "0xe9", "save the file as UTF-8"],
    ),
    "UTF-16": (GOOD.encode("utf-16"), ["line 1", "not UTF-8"]),
    "mixed separators": (GOOD + "u1\ti7\t3\t5\n", ["line 22", "tabs", "commas", "one separator"]),
    "mixed separators, semicolons": (GOOD + "u1;i7;3;5\n", ["line 22", "semicolons", "one separator"]),
    "mixed separators, tabs first": (TSV + "u1,i7,3,5\n", ["line 22", "commas", "tabs"]),
    "too few fields": (GOOD + "u1,i7\nu1,i8,3,8\n", ["line 22", "2 fields, expected 4", "timestamp", "fill"]),
    "one field short": (GOOD + "u1,i7,5\n", ["line 22", "3 fields, expected 4"]),
    "too many fields": (GOOD + "u1,i7,5,6,7\n", ["line 22", "5 fields, expected 4", "quotes"]),
    "too few fields after blank lines": (GOOD + "\n\nu1,i7\n", ["line 24", "2 fields"]),
    "too few fields after a field of two lines": ('user_id,item_id\n"a\nb",x\nc\n', ["line 4", "1 field, expected 2"]),
    "no user": (GOOD + ",i7,5,6\n", ["line 22, column user_id", "no id", "delete the row"]),
    "no item": (GOOD + "u1,,5,6\n", ["line 22, column item_id", "no id"]),
    "quoted nothing for an id": (GOOD + '"",i7,5,6\n', ["line 22, column user_id", "no id"]),
    "rating a word": (GOOD + "u1,i7,good,6\n", ["line 22, column rating", "got 'good'", "a finite number"]),
    "rating NaN": (GOOD + "u1,i7,nan,6\n", ["line 22, column rating", "got nan", "finite"]),
    "rating infinite": (GOOD + "u1,i7,-inf,6\n", ["line 22, column rating", "got -inf", "finite"]),
    "rating missing": (GOOD + "u1,i7,,6\n", ["line 22, column rating", "got nothing"]),
    "rating beyond 32 bits": (GOOD + "u1,i7,1e300,6\n", ["line 22, column rating", "32 bits"]),
    "time a word": (
        GOOD + "u1,i7,5,yesterday\n",
        ["line 22, column timestamp", "got 'yesterday'", "UTC seconds", "2024-05-31"],
    ),
    "time infinite": (GOOD + "u1,i7,5,inf\n", ["line 22, column timestamp", "got inf"]),
    "time absurd": (
        GOOD + "u1,i7,5,99999999999999\n",
        ["line 22, column timestamp", "got 99999999999999", "1970 to 2100"],
    ),
    "time before 1970": (GOOD + "u1,i7,5,-5\n", ["line 22, column timestamp", "got -5", "1970 to 2100"]),
    "no such day": (
        "user_id,item_id,timestamp\nu,a,2024-05-31\nv,b,2024-13-31\n",
        ["line 3, column timestamp", "2024-13-31"],
    ),
    "no times at all": ("user_id,item_id,timestamp\nu,a,\nv,b,\n", ["no row has a time", "take it out"]),
    "one user": ("user_id,item_id\nu,a\nu,b\n", ["1 user, expected at least 2", "user_id"]),
    "one item": ("user_id,item_id\nu,a\nv,a\n", ["1 item, expected at least 2", "item_id"]),
    "split of another name": (
        "user_id,item_id,split\nu,a,train\nv,b,oops\n",
        ["line 3, column split", "'oops'", "train, validation or test"],
    ),
    "open quote": (GOOD + '"u1,i7,5,6\nu9,i1,1,1\n', ["after line 21", "quotes"]),
    "zip": (b"PK\x03\x04abc", ["zip archive", "unpack"]),
    "Parquet in name only": (b"PAR1" + b"\x07" * 40 + b"PAR1", ["cannot be read as Parquet"]),
    "Parquet cut short": (b"PAR1" + b"\x07" * 10, ["cannot be read as Parquet"]),
}


@pytest.mark.parametrize("name", BAD)
def test_files(write: Write, name: str) -> None:
    content, words = BAD[name]
    path = write("x.csv", content)
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    for word in words:
        assert word in message
    assert "\n" not in message.strip()


def test_good_file_is_good(write: Write) -> None:
    """The file that the bad ones are made of is read: each of them is refused for its own fault."""
    data = load(write("x.csv", GOOD))
    assert (data.n_users, data.n_items, data.n_interactions) == (4, 5, 20)


def test_missing_file_names_the_nearest(write: Write) -> None:
    path = write("ratings.csv", GOOD)
    with pytest.raises(DataError, match=r"ratngs\.csv: no such file or folder.*Did you mean 'ratings\.csv'"):
        load(path.parent / "ratngs.csv")
    with pytest.raises(DataError, match="Did you mean 'quickstart'"):
        load("quikstart")


def test_folder_with_nothing_known_lists_what_is_known_and_what_is_there(write: Write) -> None:
    path = write("notes.txt", "hello")
    with pytest.raises(DataError, match=r"nothing known in this folder; expected u\.data.*found: notes\.txt"):
        load(path.parent)
    (path.parent / "empty").mkdir()
    with pytest.raises(DataError, match="found: nothing"):
        load(path.parent / "empty")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"user_id": [1, None], "item_id": ["a", "b"]}, ["row 2, column user_id", "no id"]),
        ({"user_id": [1, 2], "item_id": [1.0, NAN]}, ["row 2, column item_id", "no id"]),
        ({"user_id": [1, 2], "item_id": [[1], [2]]}, ["column item_id", "List", "text or whole numbers"]),
        ({"user_id": [1, 2], "item_id": ["a", "b"], "rating": ["3", "x"]}, ["row 2, column rating", "'x'"]),
        ({"user_id": [1, 2], "item_id": ["a", "b"], "rating": [[1], [2]]}, ["column rating", "List"]),
        (
            {"user_id": [1, 2], "item_id": ["a", "b"], "timestamp": [1.0, NAN]},
            ["row 2, column timestamp", "nan"],
        ),
        ({"user": [1, 2], "item_id": ["a", "b"]}, ["no user_id column", "Did you mean 'user'"]),
        ({"user_id": [], "item_id": []}, ["no rows"]),
    ],
)
def test_parquet(tmp_path: Path, table: dict[str, list[object]], words: list[str]) -> None:
    pl.DataFrame(table).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError) as caught:
        load(tmp_path / "x.parquet")
    for word in [str(tmp_path / "x.parquet"), *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"columns": {"user": "user_id"}},
            ["--columns", "'user' is not a column", "Did you mean 'user_id'"],
        ),
        ({"columns": {"rating": "stars"}}, ["no column 'stars' (wanted as rating)", "'rating'"]),
        ({"order": "ordr"}, ["no column 'ordr' (wanted as order)"]),
        ({"duplicates": "frist"}, ["--duplicates", "'frist'", "first, last, all", "Did you mean 'first'"]),
    ],
)
def test_options(write: Write, options: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load(write("x.csv", GOOD), **options)  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)


def test_order_that_is_no_whole_number(write: Write) -> None:
    path = write("x.csv", "user_id,item_id,place\nu,a,1\nv,b,1.5\n")
    with pytest.raises(DataError, match=r"line 3, column order: got '1\.5', expected a whole number"):
        load(path, order="place")


def test_side_tables(write: Write) -> None:
    path = write("x.csv", GOOD)
    with pytest.raises(DataError, match=r"items\.csv: no item_id column; columns found: 'id', 'title'"):
        load(path, items=write("items.csv", "id,title\ni1,One\n"))
    with pytest.raises(DataError, match=r"items\.csv: none of its 1 item ids is in the interactions \(there: 'i0'"):
        load(path, items=write("items.csv", "item_id,title\nzz,One\n"))
    with pytest.raises(DataError, match=r"users\.csv, line 3: 1 field, expected 2"):
        load(path, users=write("users.csv", "user_id,country\nu1,France\nu2\n"))
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        load(path, users=path.parent / "none.csv")


def test_folders_name_the_file_and_the_line(write: Write) -> None:
    write("ml/u.data", "1\t10\t5\t100\n2\t10\t3\n")
    with pytest.raises(DataError, match=r"u\.data, line 2: 3 fields, expected 4"):
        load(write("ml/README", "").parent)
    write("gcn/train.txt", "0 1 2\n1 x 2\n")
    with pytest.raises(DataError, match=r"train\.txt, line 2: got '1' 'x', expected whole numbers"):
        load(write("gcn/test.txt", "0 3\n").parent)


def test_silos(write: Write) -> None:
    with pytest.raises(DataError, match=r"--silos country: frame has no users table; give one with --users FILE"):
        silos(frame(("u", "a", 1), ("v", "b", 1)), "country")
    users = write("users.csv", "user_id,country,plan\nu0,France,x\nu1,Peru,x\nu2,Peru,x\n")
    data = load(write("x.csv", GOOD), users=users)
    with pytest.raises(ConfigError, match=r"no column 'contry' in the users table; columns: country, plan\. Did"):
        silos(data, "contry")
    assert silos(data, "country")[1] == ["France", "Peru", "(none)"]
    uniform = load(write("x.csv", GOOD), users=write("all.csv", "user_id,plan\nu0,x\nu1,x\nu2,x\nu3,x\n"))
    with pytest.raises(DataError, match=r"--silos plan: every user has the value 'x'"):
        silos(uniform, "plan")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("synthetic:user=3", ["unknown setting 'user'", "users, items, per_user, seed", "Did you mean 'users'"]),
        ("synthetic:users=many", ["users='many'", "a whole number"]),
        ("synthetic:users=1", ["users=1, expected 2 to"]),
        ("synthetic:items=10,per_user=11", ["per_user=11, expected 1 to 10"]),
    ],
)
def test_synthetic(spec: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(spec)
    for word in words:
        assert word in str(caught.value)


def test_things_that_are_no_data() -> None:
    with pytest.raises(DataError, match="got int, expected a path, a name or a data frame"):
        load(7)
    with pytest.raises(DataError, match="no item_id column"):
        load({"user_id": [1, 2]})
