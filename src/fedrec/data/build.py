"""From rows as read to a Dataset: drop what has no time, code the ids, sort, settle duplicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fedrec.contract import ConfigError, DataError, Interactions, did_you_mean
from fedrec.data import values
from fedrec.data.dataset import Dataset
from fedrec.data.ids import checked, code
from fedrec.data.raw import Raw

DUPLICATES = ("first", "last", "all")


@dataclass
class _Rows:
    """Coded interactions, one entry a row of the file: users and items (n,) int32; the rest (n,) or None."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    clock: NDArray[np.float64] | NDArray[np.int64] | None = None
    rating: NDArray[np.float32] | None = None
    part: NDArray[np.int8] | None = None

    def pick(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> None:
        """Keep some rows or bring them into another order, one column at a time to save memory."""
        self.users, self.items = self.users[which], self.items[which]
        self.clock = None if self.clock is None else self.clock[which]
        self.rating = None if self.rating is None else self.rating[which]
        self.part = None if self.part is None else self.part[which]


def build(raw: Raw, duplicates: str = "first", min_users: int = 2, min_items: int = 2) -> Dataset:
    """Return the data set of what a reader read.

    Users and items get codes by first appearance in the file, among the rows that are kept. Rows are sorted by user,
    then time (or order), then place in the file: never by id. Of several rows with one (user, item) pair,
    ``duplicates`` keeps the "first" in that sorted order (the earliest; among equal times the first in the file), the
    "last", or "all". Raises DataError for too few users or items.
    """
    if duplicates not in DUPLICATES:
        raise ConfigError(
            f"--duplicates: got {duplicates!r}, expected one of {', '.join(DUPLICATES)}."
            f"{did_you_mean(duplicates, DUPLICATES)}"
        )
    timed, split = "timestamp" in raw.frame.columns, "split" in raw.frame.columns
    rows, user_ids, item_ids = _coded(raw)
    _enough(raw, len(user_ids), len(item_ids), min_users, min_items)
    order = _order(rows.users, rows.clock)
    if order is not None:
        rows.pick(order)
    del order
    mask = _without_duplicates(rows, len(item_ids), duplicates, raw.notes)
    if mask is not None:
        rows.pick(mask)
    offsets = np.zeros(len(user_ids) + 1, np.int64)
    np.cumsum(np.bincount(rows.users, minlength=len(user_ids)), out=offsets[1:])
    times = np.ascontiguousarray(rows.clock, dtype=np.float64) if timed and rows.clock is not None else None
    people = np.arange(len(user_ids), dtype=np.int64)
    data = Interactions(len(item_ids), people, offsets, np.ascontiguousarray(rows.items), rows.rating, times)
    if duplicates != "all":
        data._cache["unique"] = True  # known here, and dear to find out again
    part = rows.part if split else None
    return Dataset(
        raw.name, data, user_ids, item_ids, parts=part, ordered=rows.clock is not None, notes=list(raw.notes)
    )


def _coded(raw: Raw) -> tuple[_Rows, pl.Series, pl.Series]:
    """Return the rows that are kept, as codes and numbers, and the ids behind the codes."""
    names = raw.frame.columns
    users, items = checked(raw, "user_id"), checked(raw, "item_id")
    rating = values.ratings(raw) if "rating" in names else None
    part = values.parts(raw) if "split" in names else None
    kind = "time" if "timestamp" in names else "order"
    clock = values.times(raw) if kind == "time" else values.orders(raw) if "order" in names else None
    raw.frame = pl.DataFrame()  # everything needed is taken out; its memory is wanted
    if clock is not None and clock.null_count():
        keep = clock.is_not_null()
        raw.notes.append(f"dropped {len(keep) - int(keep.sum()):,} of {len(keep):,} rows: no {kind}")
        if not keep.any():
            raise DataError(f"{raw.where}: no row has a {kind}; fill the column in or take it out of the file")
        users, items, clock = users.filter(keep), items.filter(keep), clock.filter(keep)
        mask = keep.to_numpy()
        rating = None if rating is None else rating[mask]
        part = None if part is None else part[mask]
    user_codes, user_ids = code(users)
    del users
    item_codes, item_ids = code(items)
    ticks = None if clock is None else clock.to_numpy()
    return _Rows(user_codes, item_codes, ticks, rating, part), user_ids, item_ids


def _enough(raw: Raw, n_users: int, n_items: int, min_users: int, min_items: int) -> None:
    if n_users < min_users:
        raise DataError(
            f"{raw.where}: {n_users} user, expected at least {min_users}; a federation needs several clients "
            "(is the right column named user_id?)"
        )
    if n_items < min_items:
        raise DataError(
            f"{raw.where}: {n_items} item, expected at least {min_items}; there is nothing to choose from "
            "(is the right column named item_id?)"
        )


def _order(users: NDArray[np.int32], clock: NDArray[np.float64] | NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return the stable order by (user, time), or None where the rows have it already."""
    same, up = users[1:] == users[:-1], users[1:] > users[:-1]
    if bool(np.all(up | (same if clock is None else same & (clock[1:] >= clock[:-1])))):
        return None
    if clock is None:
        return np.argsort(users, kind="stable")
    whole = clock.dtype.kind == "i" or bool(np.all(clock == np.floor(clock)))
    low = int(clock.min())
    span = int(clock.max()) - low + 1  # Python's whole numbers: no rounding, no overflow
    if whole and span * (int(users.max()) + 1) < 2**62:  # one key is sorted faster than two
        key = users.astype(np.int64) * span + (clock.astype(np.int64) - low)
        return np.argsort(key, kind="stable")
    return np.lexsort((clock, users))


def _without_duplicates(rows: _Rows, n_items: int, duplicates: str, notes: list[str]) -> NDArray[np.bool_] | None:
    """Return which sorted rows stay, or None for all; count the rows that repeat a (user, item) pair."""
    pairs = rows.users.astype(np.int64) * n_items + rows.items
    ranked = np.sort(pairs)
    repeated = int((ranked[1:] == ranked[:-1]).sum())
    del ranked
    if repeated == 0:
        return None
    if duplicates == "all":
        notes.append(f"kept all {repeated:,} of {len(pairs):,} rows that repeat a (user, item) pair")
        return None
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    edge = np.ones(len(pairs), bool)
    edge[1:] = pairs[1:] != pairs[:-1]
    if duplicates == "last":
        edge = np.concatenate([edge[1:], [True]])
    mask = np.zeros(len(pairs), bool)
    mask[order[edge]] = True
    which = f"{duplicates} in the file" if rows.clock is None else {"first": "earliest", "last": "latest"}[duplicates]
    notes.append(f"dropped {repeated:,} of {len(pairs):,} rows: they repeat a (user, item) pair; the {which} is kept")
    return mask
