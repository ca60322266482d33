"""A LightGCN folder: ``train.txt`` and ``test.txt``, one line a user: ``user item item ...``."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fedrec.contract import DataError
from fedrec.data.raw import Raw
from fedrec.data.readers.files import existing, one_sentence


def read_lightgcn(folder: Path) -> Raw:
    """Read the folder; the items' order within a line says nothing about time, so there is no order."""
    parts = []
    for name, part in (("train.txt", "train"), ("test.txt", "test")):
        frame = _pairs(existing(folder / name)).with_columns(pl.lit(part).alias("split"))
        parts.append(frame)
    frame = pl.concat(parts)
    train = parts[0].height
    raw = Raw(folder.resolve().name, str(folder), frame, items=_names(folder / "item_list.txt", "item_id"))
    raw.users = _names(folder / "user_list.txt", "user_id")
    raw.notes.append(f"given split: {train:,} rows in train.txt, {frame.height - train:,} in test.txt")
    return raw


def _pairs(path: Path) -> pl.DataFrame:
    with one_sentence(str(path), "lines of whole numbers"):
        try:
            lines = path.read_bytes().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 (byte {error.start:,}); expected lines `user item item ...`") from None
    table = pl.DataFrame({"line": pl.Series(lines, dtype=pl.String).str.extract_all(r"\S+")}).with_row_index("row")
    table = table.filter(pl.col("line").list.len() > 0)
    frame = table.select(
        "row",
        pl.col("line").list.first().alias("user_id"),
        pl.col("line").list.slice(1).alias("item_id"),
    ).explode("item_id", empty_as_null=True)
    frame = frame.drop_nulls("item_id")  # a user with an empty part
    whole = frame.with_columns(pl.col("user_id", "item_id").cast(pl.Int64, strict=False))
    bad = whole["user_id"].is_null() | whole["item_id"].is_null()
    if bad.any():
        row = frame.row(bad.arg_max() or 0, named=True)
        raise DataError(
            f"{path}, line {row['row'] + 1:,}: got {row['user_id']!r} {row['item_id']!r}, expected whole numbers "
            "`user item item ...` separated by spaces"
        )
    if whole.height == 0:
        raise DataError(f"{path}: no interactions; expected lines `user item item ...`")
    return whole.select("user_id", "item_id")


def _names(path: Path, key: str) -> pl.DataFrame | None:
    """Return the original ids of ``item_list.txt`` / ``user_list.txt`` (``org_id remap_id``), where there is one."""
    if not path.is_file():
        return None
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]]
    pairs = [(row[1], row[0]) for row in rows if len(row) == 2]
    return pl.DataFrame(pairs, schema=[key, "org_id"], orient="row")
