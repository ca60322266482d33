"""Side tables beside the codes: item titles and public features, user columns."""

from __future__ import annotations

import polars as pl

from fedrec.contract import DataError
from fedrec.data.dataset import Dataset

_TITLES = ("title", "name")


def attach_items(data: Dataset, table: pl.DataFrame, where: str) -> None:
    """Put an items table beside the catalogue: one row a code; titles from its ``title`` or ``name`` column."""
    data.items = _aligned(data, table, data.item_ids, "item", where)
    column = next((x for x in data.items.columns[1:] if x.lower() in _TITLES), None)
    if column is not None:
        titles = data.items[column].cast(pl.String).str.strip_chars()
        ids = data.item_ids.cast(pl.String)
        data.titles = [title or ident for title, ident in zip(titles.to_list(), ids.to_list(), strict=True)]


def attach_users(data: Dataset, table: pl.DataFrame, where: str) -> None:
    """Put a users table beside the users: one row a code."""
    data.users = _aligned(data, table, data.user_ids, "user", where)


def _aligned(data: Dataset, table: pl.DataFrame, ids: pl.Series, kind: str, where: str) -> pl.DataFrame:
    key = table.columns[0]
    keyed = table.with_columns(pl.col(key).cast(pl.String)).drop_nulls(key)
    unique = keyed.unique(key, keep="first", maintain_order=True)
    if unique.height < keyed.height:
        repeats = keyed.height - unique.height
        data.notes.append(f"{where}: left out {repeats:,} rows that repeat an id; the first is kept")
    base = pl.DataFrame({key: ids.cast(pl.String)})
    known = base.join(unique.select(key), on=key, how="semi").height
    if known == 0:
        raise DataError(
            f"{where}: none of its {unique.height:,} {kind} ids is in the interactions (there: {ids[0]!r}, ...; "
            f"here: {unique[key][0] if unique.height else 'nothing'!r}, ...)"
        )
    if known < len(ids):
        data.notes.append(f"{where}: {len(ids) - known:,} of {len(ids):,} {kind}s are not in it")
    if unique.height > known:
        data.notes.append(f"{where}: left out {unique.height - known:,} {kind}s without an interaction")
    joined = base.join(unique, on=key, how="left", maintain_order="left")
    return joined.with_columns(ids.alias(key))
