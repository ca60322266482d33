"""What every reader hands over: the interactions as read, before ids become codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl


def row_number(row: int) -> str:
    """Return how a row of a file without lines (Parquet, a frame) is named in a message; ``row`` counts from 0."""
    return f"row {row + 1:,}"


@dataclass
class Raw:
    """Interactions in the order of the file.

    ``frame`` has ``user_id`` and ``item_id`` and may have ``rating``, ``timestamp``, ``order``, ``split``; ``where``
    names the file in messages and ``place`` a row of it (row from 0 -> "line 7"); ``items`` / ``users``: side tables
    whose first column is the id; ``sequence``: whether rows have an order when there are neither times nor an order
    column (they have not).
    """

    name: str
    where: str
    frame: pl.DataFrame
    place: Callable[[int], str] = row_number
    items: pl.DataFrame | None = None
    users: pl.DataFrame | None = None
    notes: list[str] = field(default_factory=list)
