"""Files that are wrong in every way hypothesis can think of, and the one thing asked of the readers: no traceback."""

from __future__ import annotations

import gzip
import io
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import strategies as st

from fedrec.contract import InputError
from fedrec.data import Dataset, describe, load, protocols
from fedrec.data.readers import text as reader

NASTY = [
    *("u1", "u2", "u3", "i1", "i2", "i3", "007", "7", "", " ", '"', '""', '"a,b"', 'say "hi"', '"open', "a\tb", "x;y"),
    *("99999999999999999999", "-1", "1e400", "nan", "inf", "-inf", "null", "NA", "None", "0x1F", "1_000", "5.0", "٣"),
    *("😀", "שלום", "\u202eabc", "e\u0301", "\x00", "\ufeff", "\u2028", "a\rb", "a\nb", "'", "\\", "#", "::", "|"),
    *("2024-05-31", "2024-05-31T10:00:00Z", "1990-13-45", "99999999999999", "1700000000000", "train", "test", "oops"),
]
HEADERS = [
    *("user_id", "item_id", "rating", "timestamp", "split", "order", "user_id:token", "item_id:token", "rating:float"),
    *("timestamp:float", "user", "movie", "", " user_id ", "USER_ID", "title", "order_in_user", '"item_id"', "user_id"),
]
# How a table's fields are drawn: all in order, in order but for strange ids, or anything goes.
STYLES = ["tidy", "tidy", "strange ids", "wild"]
GOOD_HEADERS = [
    ["user_id", "item_id"],
    ["user_id", "item_id", "rating", "timestamp"],
    ["user_id:token", "item_id:token", "timestamp:float"],
    ["timestamp", "item_id", "extra", "user_id"],
    ["user_id", "item_id", "split"],
    ["item_id", "user_id", "order"],
    ["user_id", "item_id", "order_in_user"],
    ["item_id", "title"],
    ["user_id", "country"],
]
BAD_NUMBERS = ["nan", "inf", "", "1e400", "-3", "99999999999999", "1700000000000", "2024-05-31", "x", " 7 ", "1_0", "٣"]


@dataclass(frozen=True)
class Case:
    """Files to be written into an empty folder, what to load there, and how."""

    files: dict[str, bytes]
    target: str
    options: dict[str, object] = field(default_factory=dict)


def _quoted(value: str, separator: str, careful: bool) -> str:
    if careful and (separator in value or any(c in value for c in '"\r\n')):
        return '"' + value.replace('"', '""') + '"'
    return value


def _cell(dice: random.Random, name: str, style: str) -> str:
    if style == "wild" and dice.random() < 0.15:
        return dice.choice(NASTY)
    if name in ("rating", "timestamp", "order", "order_in_user"):
        return dice.choice(BAD_NUMBERS) if style == "wild" and dice.random() < 0.1 else str(dice.randrange(10**6))
    if name == "split":
        return dice.choice(["train", "train", "validation", "test"])
    if style == "strange ids" and dice.random() < 0.3:
        strange = "".join(chr(dice.choice([dice.randrange(32, 127), dice.randrange(0xD7FF), 34, 44])) for _ in range(3))
        return dice.choice([dice.choice(NASTY), strange]) or "u"
    return f"{name[0]}{dice.randrange(5)}" if name else "x"


@st.composite
def tables(draw: st.DrawFn, header: list[str] | None = None) -> bytes:
    """Draw a text table: mostly of the right form, so that the mutations reach deep.

    The fields come from a seed that hypothesis draws: a draw a field would take all the time there is.
    """
    names = header or draw(
        st.one_of([st.sampled_from(GOOD_HEADERS)] * 5 + [st.lists(st.sampled_from(HEADERS), max_size=6)])
    )
    separator = draw(st.sampled_from([",", ",", "\t", ";", "|"]))
    end = draw(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"]))
    careful, last = draw(st.sampled_from([True, True, False])), draw(st.booleans())
    style, dice = draw(st.sampled_from(STYLES)), random.Random(draw(st.integers(0, 2**32)))
    plain = [name.strip().split(":")[0] for name in names]
    rows = [[_cell(dice, name, style) for name in plain] for _ in range(draw(st.sampled_from([16, 12, 8, 8, 4, 1, 0])))]
    lines = [separator.join(names)] if header is None else []
    lines += [separator.join(_quoted(x, separator, careful) for x in row) for row in rows]
    return (end.join(lines) + (end if last else "")).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, contents: st.SearchStrategy[bytes]) -> bytes:
    """Draw a damaged copy: bytes cut out, put in, changed; lines doubled; another encoding; gzip, whole or cut."""
    content = draw(contents)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3]))):
        at = draw(st.integers(0, max(0, len(content))))
        kind = draw(st.sampled_from(["cut", "insert", "drop", "line", "separator", "encode"]))
        if kind == "cut":
            content = content[:at]
        elif kind == "insert":
            content = content[:at] + draw(st.binary(min_size=1, max_size=4)) + content[at:]
        elif kind == "drop":
            content = content[:at] + content[at + draw(st.integers(1, 5)) :]
        elif kind == "line":
            content = (
                content[:at]
                + draw(st.sampled_from([b"\n", b"\n\n", b"a,b,c,d,e\n", b'"\n', b",\n", b" \n"]))
                + content[at:]
            )
        elif kind == "separator":
            old, new = draw(st.sampled_from([(b",", b"\t"), (b"\t", b","), (b",", b";"), (b"\n", b"\r"), (b",", b"")]))
            content = content[:at] + content[at:].replace(old, new)
        else:
            content = content.decode("utf-8", "replace").encode(
                draw(st.sampled_from(["utf-16", "utf-8-sig", "cp1252"])), "replace"
            )
    if draw(st.sampled_from([False, False, False, False, True])):
        content = gzip.compress(content, mtime=0)
        if draw(st.booleans()):
            at = draw(st.integers(0, len(content)))
            content = content[:at] if draw(st.booleans()) else content[:at] + b"\x00" + content[at + 1 :]
    return content


@st.composite
def _lists(draw: st.DrawFn) -> bytes:
    """Draw the lines of a LightGCN file."""
    dice, wild = random.Random(draw(st.integers(0, 2**32))), draw(st.sampled_from([0.0, 0.0, 0.05]))
    lines = []
    for user in range(draw(st.integers(0, 8))):
        ids = [str(user), *(str(dice.randrange(6)) for _ in range(dice.randrange(4)))]
        lines.append(" ".join(dice.choice(NASTY) if dice.random() < wild else x for x in ids))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@st.composite
def parquets(draw: st.DrawFn) -> bytes:
    """Draw a Parquet file with columns of any type, now and then damaged."""
    size = draw(st.integers(0, 8))
    kinds = [
        st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=size, max_size=size),
        st.lists(st.integers(2**63, 2**64 - 1), min_size=size, max_size=size),
        st.lists(st.floats(), min_size=size, max_size=size),
        st.lists(st.sampled_from(["", "a", "b", None, "😀", "train", "test"]), min_size=size, max_size=size),
        st.lists(st.booleans(), min_size=size, max_size=size),
        st.lists(st.binary(max_size=3), min_size=size, max_size=size),
        st.lists(st.dates(), min_size=size, max_size=size),
        st.lists(st.datetimes(), min_size=size, max_size=size),
        st.lists(st.timedeltas(), min_size=size, max_size=size),
        st.lists(st.lists(st.integers(0, 3), max_size=2), min_size=size, max_size=size),
        st.lists(st.just(None), min_size=size, max_size=size),
        st.lists(st.fixed_dictionaries({"a": st.integers(0, 3)}), min_size=size, max_size=size),
    ]
    names = draw(
        st.one_of(
            st.just(["user_id", "item_id", "timestamp"]), st.lists(st.sampled_from(HEADERS), unique=True, max_size=5)
        )
    )
    frame = pl.DataFrame([pl.Series(name, draw(st.one_of(kinds)), strict=False) for name in names])
    if draw(st.booleans()) and "user_id" in frame.columns and frame["user_id"].dtype == pl.String:
        frame = frame.with_columns(pl.col("user_id").cast(pl.Categorical))
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    content = buffer.getvalue()
    if draw(st.booleans()):
        return content
    at = draw(st.integers(0, len(content) - 1))
    return content[:at] if draw(st.booleans()) else content[:at] + draw(st.binary(max_size=2)) + content[at + 1 :]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case: one file, or one of the known folders, with options right and wrong."""
    kind = draw(st.sampled_from(["table"] * 6 + ["parquet", "u.data", "ratings.dat", "lightgcn", "folder", "recbole"]))
    options: dict[str, object] = {}
    if draw(st.integers(0, 9)) == 0:
        options["columns"] = {draw(st.sampled_from(HEADERS)): draw(st.sampled_from(HEADERS))}
    if draw(st.integers(0, 9)) == 0:
        options["order"] = draw(st.sampled_from(["timestamp", "rating", "order", "extra", *HEADERS]))
    options["duplicates"] = draw(st.sampled_from(["first"] * 6 + ["last"] * 4 + ["all"] * 4 + ["frist"]))
    table, other = damaged(tables()), damaged(tables())
    if kind == "table":
        name = draw(st.sampled_from(["x.csv", "x.tsv", "x.inter", "x.csv.gz", "x.parquet"]))
        if draw(st.integers(0, 3)) == 0:
            options[draw(st.sampled_from(["items", "users"]))] = "side.csv"
            return Case({name: draw(table), "side.csv": draw(other)}, name, options)
        return Case({name: draw(table)}, name, options)
    if kind == "parquet":
        return Case({"x.parquet": draw(parquets())}, "x.parquet", options)
    if kind == "folder":
        return Case({"ratings.csv": draw(table), "items.csv": draw(other), "users.csv": draw(table)}, ".", options)
    if kind == "recbole":
        return Case({"a.inter": draw(table), "a.item": draw(other), "a.user": draw(other)}, ".", options)
    if kind == "lightgcn":
        files = {"train.txt": draw(_lists()), "test.txt": draw(damaged(_lists())), "item_list.txt": draw(other)}
        return Case(files, ".", options)
    body = draw(tables(header=["user_id", "item_id", "rating", "timestamp"]))
    if kind == "ratings.dat" and draw(st.booleans()):
        body = body.replace(b",", b"::")
    side = {"u.data": "u.item", "ratings.dat": "movies.dat"}[kind]
    files = {kind: draw(damaged(st.just(body))), side: draw(other)} if draw(st.booleans()) else {kind: body}
    return Case(files, ".", options)


def survives(case: Case, folder: Path) -> str:
    """Run a case; return what became of it ("read" or "refused"). Anything but an InputError comes through."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in case.files.items():
        (folder / name).write_bytes(content)
    options = {k: folder / str(v) if k in ("items", "users") else v for k, v in case.options.items()}
    try:
        data = load(folder / case.target, **options)  # type: ignore[arg-type]
    except InputError as error:
        return "refused" if str(error).strip() else "refused without a word"
    check(data)
    for name in protocols.NAMES:
        try:
            split = protocols.apply(name, data)
        except InputError:
            continue
        protocols.describe_protocol(split)
    describe(data)
    return "read"


def check(data: Dataset) -> None:
    """Assert what holds for every data set."""
    held = data.interactions
    assert held.offsets[0] == 0
    assert held.offsets[-1] == len(held.items)
    assert (held.lengths() > 0).all()
    assert held.items.dtype == np.int32
    assert np.array_equal(np.unique(held.items), np.arange(data.n_items))
    assert len(data.user_ids) == data.n_users == data.user_ids.n_unique()
    assert len(data.item_ids) == data.n_items == data.item_ids.n_unique()
    assert data.user_ids.null_count() == data.item_ids.null_count() == 0
    if held.times is not None:
        same = np.repeat(np.arange(data.n_users), held.lengths())
        assert np.isfinite(held.times).all()
        assert ((np.diff(held.times) >= 0) | (np.diff(same) > 0)).all()
    if held.values is not None:
        assert np.isfinite(held.values).all()


def agrees(content: bytes, folder: Path) -> bool:
    """Assert that polars' fast answer, where it is taken, is the csv module's; return whether it was taken."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "x.csv"
    path.write_bytes(content)
    try:
        file = reader.open_text(path)
    except InputError:
        return False
    index = {str(k): k for k in range(len(file.header))}
    fast = reader._fast(file, index, {})
    if fast is None:
        return False
    strict = reader._strict(file, index)
    fast = fast.with_columns(pl.when(pl.all() == "").then(None).otherwise(pl.all()).name.keep())
    assert fast.equals(strict), (content, fast.rows(), strict.rows())
    return True
