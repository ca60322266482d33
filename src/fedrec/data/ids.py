"""Original ids become codes 0, 1, 2, ... by first appearance in the file; the ids are kept in their own type."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fedrec.contract import DataError
from fedrec.data.raw import Raw


def checked(raw: Raw, column: str) -> pl.Series:
    """Return an id column without nulls, in a type that ids may have; raise DataError otherwise."""
    ids = raw.frame[column]
    if ids.dtype in (pl.Categorical, pl.Enum):
        ids = ids.cast(pl.String)
    if ids.dtype.is_nested() or ids.dtype in (pl.Object, pl.Null, pl.Binary):
        raise DataError(f"{raw.where}, column {column}: type {ids.dtype}, expected text or whole numbers")
    missing = ids.is_null()
    if ids.dtype.is_float():
        missing = missing | ~ids.is_finite().fill_null(True)
    if ids.dtype == pl.String:
        missing = missing | (ids == "").fill_null(True)
    if missing.any():
        row = missing.arg_max()
        count = int(missing.sum())
        more = f" ({count:,} rows like it)" if count > 1 else ""
        raise DataError(
            f"{raw.where}, {raw.place(row or 0)}, column {column}: no id, expected one on every row{more}; "
            "fill it in or delete the row"
        )
    return ids


def code(ids: pl.Series) -> tuple[NDArray[np.int32], pl.Series]:
    """Return (codes (n,) int32, the distinct ids with row = code) by first appearance."""
    known = ids.unique(maintain_order=True)
    if len(known) >= 2**31:
        raise DataError(f"{len(known):,} distinct ids; at most 2,147,483,647 fit")
    table = pl.DataFrame({"id": known, "code": pl.int_range(0, len(known), dtype=pl.Int32, eager=True)})
    codes = pl.DataFrame({"id": ids}).join(table, on="id", how="left", maintain_order="left")["code"]
    return codes.to_numpy(), known.alias("id")
