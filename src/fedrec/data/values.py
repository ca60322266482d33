"""Ratings, times and orders as numbers; whatever is not one is named by its line."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fedrec.contract import DataError
from fedrec.data.raw import Raw

LATEST = 4_102_444_800.0  # 2100-01-01 UTC; a later "second" is a mistake of the unit
_MILLISECONDS = (1e11, LATEST * 1000)
_PARTS = {"train": 0, "training": 0, "validation": 1, "valid": 1, "val": 1, "test": 2}
_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
_WHEN = "UTC seconds since 1970, or a date such as 2024-05-31 or 2024-05-31 17:00:00"


def _refuse(raw: Raw, column: str, bad: pl.Series, expected: str) -> None:
    """Raise for the first row under ``bad``."""
    row = bad.fill_null(False).arg_max()
    if row is None or not bad[row]:
        return
    got = raw.frame[column][row]
    count = int(bad.sum())
    more = f" ({count:,} rows like it)" if count > 1 else ""
    shown = "nothing" if got is None else int(got) if isinstance(got, float) and got.is_integer() else repr(got)
    raise DataError(f"{raw.where}, {raw.place(row)}, column {column}: got {shown}, expected {expected}{more}")


def _as_float(raw: Raw, column: str, expected: str) -> pl.Series:
    """Return a column as Float64, nulls kept; text is stripped first."""
    values = raw.frame[column]
    if values.dtype == pl.Float64:
        return values
    if values.dtype == pl.String:
        stripped = values.str.strip_chars()
        stripped = stripped.set(stripped == "", None)
        numbers = stripped.cast(pl.Float64, strict=False)
        _refuse(raw, column, numbers.is_null() & stripped.is_not_null(), expected)
        return numbers
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise DataError(f"{raw.where}, column {column}: type {values.dtype}, expected {expected}")
    return values.cast(pl.Float64)


def ratings(raw: Raw) -> NDArray[np.float32]:
    """Return the ratings, (n,) float32, finite; a missing one is an error."""
    expected = "a finite number"
    numbers = _as_float(raw, "rating", expected)
    _refuse(raw, "rating", numbers.is_null() | ~numbers.is_finite().fill_null(True), expected)
    _refuse(raw, "rating", numbers.abs() > 3e38, "a number that fits in 32 bits")
    return numbers.to_numpy().astype(np.float32)


def times(raw: Raw) -> pl.Series:
    """Return the times as UTC seconds, Float64, nulls where there is none."""
    values = raw.frame["timestamp"]
    if values.dtype == pl.String:
        seconds = _from_text(raw, values)
    elif values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
        if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone:
            values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        seconds = values.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    else:
        seconds = _as_float(raw, "timestamp", _WHEN)
    _refuse(raw, "timestamp", ~seconds.is_finite(), _WHEN)
    low, high = seconds.min(), seconds.max()
    if isinstance(low, float) and isinstance(high, float) and low >= _MILLISECONDS[0] and high < _MILLISECONDS[1]:
        raw.notes.append("times read as milliseconds since 1970 (every one of them is too large for seconds)")
        seconds = seconds / 1000.0
    absurd = (seconds < 0.0) | (seconds >= LATEST)
    _refuse(raw, "timestamp", absurd, f"a time from 1970 to 2100 as {_WHEN}")
    return seconds


def _from_text(raw: Raw, values: pl.Series) -> pl.Series:
    text = values.str.strip_chars()
    text = text.set(text == "", None)
    numbers = text.cast(pl.Float64, strict=False)
    wrong = numbers.is_null() & text.is_not_null()
    if 2 * int(wrong.sum()) < len(text) - text.null_count():  # numbers, and a few of them are none
        _refuse(raw, "timestamp", wrong, _WHEN)
    if not wrong.any():
        return numbers
    tidy = text.str.replace("T", " ", literal=True).str.replace(r"\s*(Z|UTC)$", "")
    tidy = pl.select(pl.when(tidy.str.len_chars() == 10).then(tidy + " 00:00").otherwise(tidy)).to_series()
    seconds = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(tidy))
    for form in _FORMATS:
        read = tidy.str.to_datetime(form, strict=False, time_unit="us")
        if isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone:
            read = read.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        seconds = seconds.fill_null(read.dt.epoch("us").cast(pl.Float64) / 1e6)
    _refuse(raw, "timestamp", seconds.is_null() & text.is_not_null(), _WHEN)
    return seconds


def orders(raw: Raw) -> pl.Series:
    """Return the order column as Int64, nulls where there is none."""
    values = raw.frame["order"]
    if values.dtype.is_integer() and values.dtype != pl.UInt64:
        return values.cast(pl.Int64)
    expected = "a whole number (the position of the interaction among the user's)"
    numbers = _as_float(raw, "order", expected)
    _refuse(raw, "order", ~((numbers == numbers.round()) & (numbers.abs() < 2.0**53)), expected)
    return numbers.cast(pl.Int64)


def parts(raw: Raw) -> NDArray[np.int8]:
    """Return the ``split`` column as (n,) int8: 0 train, 1 validation, 2 test."""
    names = raw.frame["split"].cast(pl.String).str.strip_chars().str.to_lowercase()
    codes = names.replace_strict(_PARTS, default=None, return_dtype=pl.Int8)
    _refuse(raw, "split", codes.is_null(), "train, validation or test")
    return codes.to_numpy().astype(np.int8)


def as_date(seconds: float) -> str:
    """Return UTC seconds as "2011-12-09 12:50"."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
