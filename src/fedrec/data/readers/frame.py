"""A data frame in memory: polars, pandas (never imported), or a dict of columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from fedrec.contract import DataError
from fedrec.data.columns import choose, order_note
from fedrec.data.raw import Raw
from fedrec.data.readers.files import one_sentence


def read_frame(frame: Any, columns: Mapping[str, str] | None = None, order: str | None = None) -> Raw:
    """Take the interactions of a frame; a pandas frame is read column by column."""
    names = [str(x) for x in (frame if isinstance(frame, Mapping) else frame.columns)]
    wanted = choose(names, "the data frame", columns, order)
    with one_sentence("the data frame", "columns of interactions"):
        taken = {ours: _column(frame, theirs, ours in ("user_id", "item_id")) for ours, theirs in wanted.items()}
        table = pl.DataFrame(taken)
    if table.height == 0:
        raise DataError("the data frame: no rows; expected at least one interaction")
    return Raw("frame", "the data frame", table, notes=order_note(wanted))


def _column(frame: Any, name: str, ident: bool) -> pl.Series:
    """Return a column; numbers may mix whole and broken ones, ids must have one type."""
    column = frame[name]
    if isinstance(column, pl.Series):
        return column
    values = column.to_numpy() if hasattr(column, "to_numpy") else column
    try:
        return pl.Series(name, values, strict=ident)
    except (TypeError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"the data frame, column {name}: {reason}; expected values of one type") from None
