"""From rows as read to a Dataset: drop what has no time, code the ids, sort, settle duplicates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fedrec.contract import ConfigError, DataError, Interactions, did_you_mean
from fedrec.data import values
from fedrec.data.dataset import Dataset
from fedrec.data.ids import checked, code
from fedrec.data.raw import Raw

DUPLICATES = ("first", "last", "all")


def build(raw: Raw, duplicates: str = "first", min_users: int = 2, min_items: int = 2) -> Dataset:
    """Return the data set of what a reader read.

    Users and items get codes by first appearance in the file, among the rows that are kept. Rows are sorted by user,
    then time (or order), then place in the file: never by id. Of several rows with one (user, item) pair,
    ``duplicates`` keeps the "first" in that sorted order (the earliest; among equal times the first in the file), the
    "last", or "all". Raises DataError for too few users or items.
    """
    if duplicates not in DUPLICATES:
        raise ConfigError(
            f"--duplicates: got {duplicates!r}, expected one of {', '.join(DUPLICATES)}.{did_you_mean(duplicates, DUPLICATES)}"
        )
    users, items = checked(raw, "user_id"), checked(raw, "item_id")
    names = raw.frame.columns
    rating = values.ratings(raw) if "rating" in names else None
    part = values.parts(raw) if "split" in names else None
    when = values.times(raw) if "timestamp" in names else values.orders(raw) if "order" in names else None
    has_times = "timestamp" in names
    raw.frame = pl.DataFrame()  # its memory is wanted: everything needed has been taken out
    if when is not None and when.null_count():
        keep = when.is_not_null()
        kind = "time" if has_times else "order"
        raw.notes.append(f"{int((~keep).sum()):,} rows dropped: no {kind} (of {len(when):,})")
        if not keep.any():
            raise DataError(f"{raw.where}: no row has a {kind}; leave the {kind} column out or fill it in")
        users, items, when = users.filter(keep), items.filter(keep), when.filter(keep)
        mask = keep.to_numpy()
        rating = None if rating is None else rating[mask]
        part = None if part is None else part[mask]
    user_codes, user_ids = code(users)
    del users
    item_codes, item_ids = code(items)
    del items
    _enough(raw, len(user_ids), len(item_ids), min_users, min_items)
    clock = None if when is None else when.to_numpy()
    interactions, part = _sorted(
        raw, user_codes, item_codes, clock, rating, part, len(user_ids), len(item_ids), duplicates
    )
    if not has_times:
        interactions = Interactions(
            interactions.n_items, interactions.users, interactions.offsets, interactions.items, interactions.values
        )
    if duplicates != "all":
        interactions._cache["unique"] = True
    return Dataset(
        raw.name, interactions, user_ids, item_ids, parts=part, ordered=when is not None, notes=list(raw.notes)
    )


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


def _sorted(
    raw: Raw,
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    clock: NDArray[np.float64] | NDArray[np.int64] | None,
    rating: NDArray[np.float32] | None,
    part: NDArray[np.int8] | None,
    n_users: int,
    n_items: int,
    duplicates: str,
) -> tuple[Interactions, NDArray[np.int8] | None]:
    """Return the interactions by user, time, place in the file (and the parts beside them)."""
    order = _order(users, clock)
    if order is not None:
        users, items = users[order], items[order]
        clock = None if clock is None else clock[order]
        rating = None if rating is None else rating[order]
        part = None if part is None else part[order]
    mask = _without_duplicates(users, items, n_items, duplicates, raw.notes, clock is not None)
    if mask is not None:
        users, items = users[mask], items[mask]
        clock = None if clock is None else clock[mask]
        rating = None if rating is None else rating[mask]
        part = None if part is None else part[mask]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))]).astype(np.int64)
    times = None if clock is None else np.ascontiguousarray(clock, dtype=np.float64)
    rows = np.arange(n_users, dtype=np.int64)
    return Interactions(n_items, rows, offsets, np.ascontiguousarray(items), rating, times), part


def _order(users: NDArray[np.int32], clock: NDArray[np.float64] | NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return the stable order by (user, time), or None where the rows have it already."""
    same, up = users[1:] == users[:-1], users[1:] > users[:-1]
    if bool(np.all(up | (same if clock is None else same & (clock[1:] >= clock[:-1])))):
        return None
    if clock is None:
        return np.argsort(users, kind="stable")
    low, high = clock.min(), clock.max()
    span = float(high) - float(low) + 1.0
    whole = clock.dtype.kind == "i" or bool(np.all(clock == np.floor(clock)))
    if whole and span * (float(users.max()) + 1.0) < 2.0**62:  # one key is sorted faster than two
        key = users.astype(np.int64) * int(span) + (clock - low).astype(np.int64)
        return np.argsort(key, kind="stable")
    return np.lexsort((clock, users))


def _without_duplicates(
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    n_items: int,
    duplicates: str,
    notes: list[str],
    timed: bool,
) -> NDArray[np.bool_] | None:
    """Return which sorted rows stay, or None for all; count the rows that repeat a (user, item) pair."""
    pairs = users.astype(np.int64) * n_items + items
    ranked = np.sort(pairs)
    repeated = int((ranked[1:] == ranked[:-1]).sum())
    del ranked
    if repeated == 0:
        return None
    if duplicates == "all":
        notes.append(f"{repeated:,} rows repeat an earlier (user, item) pair; all are kept (--duplicates all)")
        return None
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    edge = np.ones(len(pairs), bool)
    edge[1:] = pairs[1:] != pairs[:-1]
    if duplicates == "last":
        edge = np.concatenate([edge[1:], [True]])
    mask = np.zeros(len(pairs), bool)
    mask[order[edge]] = True
    which = ("earliest" if duplicates == "first" else "latest") if timed else f"{duplicates} in the file"
    notes.append(f"{repeated:,} rows dropped: they repeat a (user, item) pair; the {which} is kept")
    return mask


def folder_name(path: Path) -> str:
    """Return the name a folder gives its data set."""
    return path.resolve().name
