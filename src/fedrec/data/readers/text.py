"""CSV, TSV and RecBole ``.inter`` files: polars reads, and Python's csv module is the referee.

polars is fast but forgives (a short row becomes nulls, an open quote closes at the end) and gives no line numbers. So
its answer is taken only for files without quotes and when nothing about it is odd; else the csv module reads the same
bytes, strictly (about a million rows a second), and either names the line that is wrong or gives the rows.
"""

from __future__ import annotations

import csv
import io
import mmap
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import polars as pl

from fedrec.contract import DataError
from fedrec.data.columns import plain_name
from fedrec.data.readers.files import GZIP, existing, start_of, unzipped

SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "vertical bars"}
_CHUNK = 500_000  # rows the csv module holds as Python strings at a time


@dataclass(frozen=True)
class TextFile:
    """A text table: where it is, how its fields are separated, its columns.

    ``data``: the content where it is not the file's own bytes (gzip, ``::``); ``headless``: the first line is data.
    """

    path: Path
    separator: str
    header: list[str]
    data: bytes | None = None
    headless: bool = False

    def text(self) -> TextIO:
        """Return the content as text, for the csv module."""
        raw: BinaryIO = self.path.open("rb") if self.data is None else io.BytesIO(self.data)
        return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def open_text(path: Path, header: list[str] | None = None) -> TextFile:
    """Open a text table and read its header (or take the given one, where the format has none)."""
    existing(path)
    data = unzipped(path) if start_of(path, 2) == GZIP else None
    if data is not None and not data.strip():
        raise DataError(f"{path}: the file is empty; expected a header line user_id,item_id,... and rows")
    if header is not None:
        data = path.read_bytes() if data is None else data
        if b"::" in data[:200]:
            data = data.replace(b"::", b"\t")
    file = TextFile(path, ",", header or [], data, header is not None)
    first = _first_line(file)
    separator = max(SEPARATORS, key=lambda s: (first.count(s), s == "\t"))
    if header is not None:
        return TextFile(path, separator, header, data, True)
    try:
        names = next(csv.reader([first], delimiter=separator, strict=True))
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{path}, line 1: the header cannot be read ({error}); expected user_id,item_id,...") from None
    return TextFile(path, separator, [plain_name(x) for x in names], data)


def _first_line(file: TextFile) -> str:
    try:
        with file.text() as text:
            first = text.readline(1 << 20)
    except UnicodeDecodeError:
        raise _not_utf8(file) from None
    if not first.strip():
        raise DataError(f"{file.path}, line 1: empty; expected a header line such as user_id,item_id,timestamp")
    return first.rstrip("\r\n")


def _not_utf8(file: TextFile) -> DataError:
    source = file.path.open("rb") if file.data is None else io.BytesIO(file.data)
    with source:
        for number, line in enumerate(source, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return DataError(
                    f"{file.path}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x} at position "
                    f"{error.start + 1}); save the file as UTF-8"
                )
    return DataError(f"{file.path}: not UTF-8; save the file as UTF-8")


def records(file: TextFile) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1, fields) of each record, strictly: every record has as many fields as the header."""
    size = len(file.header)
    line = 1
    try:
        with file.text() as text:
            reader = csv.reader(text, delimiter=file.separator, strict=True)
            if not file.headless:
                next(reader, None)
            for fields in reader:
                if fields and len(fields) != size:
                    raise DataError(_wrong_size(file, reader.line_num, fields))
                if fields:
                    line = reader.line_num
                    yield line, fields
    except UnicodeDecodeError:
        raise _not_utf8(file) from None
    except csv.Error as error:
        raise DataError(
            f"{file.path}, after line {line}: {error}; expected quotes only around a whole field, doubled inside it"
        ) from None


def _wrong_size(file: TextFile, line: int, fields: list[str]) -> str:
    size, name = len(file.header), SEPARATORS[file.separator]
    got = f"{len(fields)} field{'s' if len(fields) != 1 else ''}"
    text = file.separator.join(fields)
    for separator, other in SEPARATORS.items():
        if separator != file.separator and text.count(separator) >= size - 1:
            return (
                f"{file.path}, line {line}: separated by {other}, but the first line by {name}; "
                "use one separator in the whole file"
            )
    advice = "fill the missing ones in" if len(fields) < size else f"put quotes around a field that contains {name}"
    return f"{file.path}, line {line}: {got}, expected {size} ({', '.join(file.header[:8])}); {advice}"


def line_of(file: TextFile, row: int) -> str:
    """Return "line n" for a row of the table (from 0; blank lines are not rows)."""
    for number, (line, _) in enumerate(records(file)):
        if number == row:
            return f"line {line:,}"
    return f"row {row + 1:,}"


def read_text(file: TextFile, wanted: Mapping[str, str], types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return the wanted columns ({our name: the file's name}), as text but for ``types``, which is only tried."""
    index = {ours: file.header.index(theirs) for ours, theirs in wanted.items()}
    frame = _fast(file, index, types)
    if frame is None and types:
        frame = _fast(file, index, {})
    if frame is None:
        frame = _strict(file, index)
    if frame.height == 0:
        raise DataError(f"{file.path}: a header line and no rows; expected at least one interaction")
    return frame


def _fast(file: TextFile, index: Mapping[str, int], types: Mapping[str, pl.DataType]) -> pl.DataFrame | None:
    last = len(file.header) - 1
    if _needs_the_referee(file) or any("\n" in name for name in file.header):
        return None
    schema: dict[str, pl.DataType] = {f"c{i}": pl.String() for i in range(last + 1)}
    for ours, kind in types.items():
        if ours in index:
            schema[f"c{index[ours]}"] = kind
    try:
        frame = pl.read_csv(
            file.path if file.data is None else file.data,
            has_header=False,
            skip_rows=0 if file.headless else 1,
            schema=schema,
            columns=sorted({*index.values(), last}),
            separator=file.separator,
            quote_char=None,
            raise_if_empty=False,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    # A null in the last column may be a short row or a blank line, and an empty table one of odd line ends.
    if frame.height == 0 or frame[f"c{last}"].null_count():
        return None
    return frame.select(pl.col(f"c{i}").alias(ours) for ours, i in index.items())


_ODD = re.compile(rb'"|\r(?!\n)')


def _needs_the_referee(file: TextFile) -> bool:
    """Return whether there are quotes (polars forgives an open one) or line ends that only the csv module knows."""
    if file.data is not None:
        return _ODD.search(file.data) is not None
    with file.path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return _ODD.search(view) is not None


def _strict(file: TextFile, index: Mapping[str, int]) -> pl.DataFrame:
    parts: list[pl.DataFrame] = []
    rows: list[list[str]] = []
    schema = {name: pl.String() for name in index}
    take = list(index.values())

    def flush() -> None:
        columns = {name: [row[k] or None for row in rows] for k, name in enumerate(index)}
        parts.append(pl.DataFrame(columns, schema=schema))
        rows.clear()

    for _, fields in records(file):
        rows.append([fields[i] for i in take])
        if len(rows) == _CHUNK:
            flush()
    flush()
    return pl.concat(parts)
