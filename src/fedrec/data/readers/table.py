"""One file of interactions: text or Parquet, told apart by its first bytes; and side tables of items or users."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from fedrec.contract import DataError
from fedrec.data.columns import choose, order_note
from fedrec.data.raw import Raw, row_number
from fedrec.data.readers.files import PARQUET, ZIP, existing, one_sentence, start_of
from fedrec.data.readers.text import TextFile, line_of, open_text, read_text

_SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".inter", ".parquet", ".pq", ".dat")


def stem(path: Path) -> str:
    """Return a file's name without the endings fedrec knows."""
    name = path.name
    while any(name.lower().endswith(x) and len(name) > len(x) for x in _SUFFIXES):
        name = name[: name.rindex(".")]
    return name


def read_table(path: Path, columns: Mapping[str, str] | None = None, order: str | None = None) -> Raw:
    """Read a CSV, TSV, RecBole ``.inter`` or Parquet file of interactions."""
    start = start_of(existing(path))
    if start == ZIP:
        raise DataError(f"{path}: a zip archive; unpack it and give the folder or the file")
    if start == PARQUET:
        return _read_parquet(path, columns, order)
    return from_text(open_text(path), columns, order)


def from_text(file: TextFile, columns: Mapping[str, str] | None = None, order: str | None = None) -> Raw:
    """Read an opened text table of interactions."""
    wanted = choose(file.header, f"{file.path}, line 1", columns, order)
    types: dict[str, pl.DataType] = {"rating": pl.Float64(), "order": pl.Int64()}
    if "timestamp" in wanted and _numeric(file, wanted["timestamp"]):
        types["timestamp"] = pl.Float64()
    with one_sentence(str(file.path), "a text table"):
        frame = read_text(file, wanted, types)
    return Raw(stem(file.path), str(file.path), frame, partial(line_of, file), notes=order_note(wanted))


def _numeric(file: TextFile, column: str) -> bool:
    """Return whether the first time of a file is a number (else the column is read as text: dates)."""
    index = file.header.index(column)
    with file.text() as text:
        for number, line in enumerate(text):
            fields = line.strip().split(file.separator)
            if number > 0 and len(fields) == len(file.header):
                try:
                    float(fields[index].strip('"'))
                except ValueError:
                    return False
                return True
    return True


def _read_parquet(path: Path, columns: Mapping[str, str] | None, order: str | None) -> Raw:
    with one_sentence(str(path), "Parquet"):
        found = list(pl.read_parquet_schema(path))
        wanted = choose(found, str(path), columns, order)
        frame = pl.read_parquet(path, columns=list(dict.fromkeys(wanted.values())))
        frame = frame.select(pl.col(theirs).alias(ours) for ours, theirs in wanted.items())
    if frame.height == 0:
        raise DataError(f"{path}: no rows; expected at least one interaction")
    return Raw(stem(path), str(path), frame, row_number, notes=order_note(wanted))


def read_side(path: Path, key: str) -> pl.DataFrame:
    """Read a side table whose id column is ``key`` (item_id or user_id); the id becomes the first column."""
    start = start_of(existing(path))
    with one_sentence(str(path), "a table"):
        if start == PARQUET:
            frame = pl.read_parquet(path)
        else:
            file = open_text(path)
            names = list(dict.fromkeys(file.header))
            frame = read_text(file, {name: name for name in names}, {})
    if key not in frame.columns:
        raise DataError(
            f"{path}: no {key} column; columns found: {', '.join(map(repr, frame.columns[:20]))}. "
            f"Name the id column {key}"
        )
    return frame.select(key, pl.exclude(key))
