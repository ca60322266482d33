"""Small tables beside a model: items with titles, people with their rows. Parquet, original ids in their own type."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
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


def ranks_table(entries: list[dict[str, Any]], data_sets: dict[str, Dataset]) -> bytes:
    """Return ranks.parquet: one row a held-out item; columns data, protocol, algorithm, seed, user_id, item_id, rank.

    ``entries``: dictionaries with ``data``, ``protocol``, ``algorithm``, ``seed`` and ``ranks`` (fedrec.metrics.ranks).
    """
    frames = []
    for entry in entries:
        ranks, data = entry["ranks"], data_sets[entry["data"]]
        users = np.repeat(ranks.users, np.diff(ranks.offsets))
        frames.append(
            pl.DataFrame(
                {
                    "user_id": data.user_ids.gather(users).cast(pl.String),
                    "item_id": data.item_ids.gather(ranks.items).cast(pl.String),
                    "rank": ranks.rank,
                }
            ).select(*[pl.lit(entry[name]).alias(name) for name in ("data", "protocol", "algorithm", "seed")], pl.all())
        )
    return _parquet(pl.concat(frames) if frames else pl.DataFrame())


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
