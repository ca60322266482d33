"""Small tables beside a model: items with titles, people with their rows. Parquet, original ids in their own type."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from fedrec.contract import StorageError
from fedrec.data.dataset import Dataset


def items_table(data: Dataset) -> bytes:
    """Return items.parquet: ``item_id`` in its original type and ``title``, one row an item code."""
    titles = data.titles if data.titles is not None else [str(x) for x in data.item_ids.to_list()]
    return _parquet(pl.DataFrame({"item_id": data.item_ids, "title": pl.Series(titles, dtype=pl.String)}))


def users_table(data: Dataset) -> bytes:
    """Return private/users.parquet: ``user_id`` in its original type, one row a user code."""
    return _parquet(pl.DataFrame({"user_id": data.user_ids}))


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def read_column(path: Path, column: str) -> pl.Series:
    """Return one column of a table written here."""
    try:
        return pl.read_parquet(path)[column]
    except FileNotFoundError as error:
        raise StorageError(f"{path} is missing: the run folder is incomplete; train again") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(f"cannot read {path}: {error}") from error
