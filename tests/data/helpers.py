"""Small things that the tests of fedrec.data share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fedrec.data import Dataset, load

Write = Callable[..., Path]


def lists(data: Dataset) -> dict[str, list[str]]:
    """Return {user id: item ids in time order}, ids as text."""
    items = [str(x) for x in data.item_ids.to_list()]
    people = [str(x) for x in data.user_ids.to_list()]
    return {people[user]: [items[i] for i in history.items] for user, history in data.interactions.histories()}


def frame(*rows: tuple[object, ...], names: str = "user_id item_id timestamp") -> Dataset:
    """Return the data set of rows given by hand."""
    columns = names.split()
    table = {name: [row[k] for row in rows] for k, name in enumerate(columns)}
    return load(table, min_users=1, min_items=1)
