"""Small data sets for the laws: every awkward history, planted tastes, and implicit's checkerboard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import History, Interactions, Key
from fedrec.contract.interactions import DAY

START = 1_300_000_000.0  # UTC seconds; any moment will do


def interactions(n_items: int, lists: list[NDArray[np.int32]], times: list[NDArray[np.float64]]) -> Interactions:
    """Return histories with times and positive values, (u,) users in rows 0 .. u - 1."""
    offsets = np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)
    items = np.concatenate([*lists, np.zeros(0, np.int32)]).astype(np.int32)
    when = np.concatenate([*times, np.zeros(0)]).astype(np.float64)
    values = (1.0 + items % 5).astype(np.float32)
    return Interactions(n_items, np.arange(len(lists), dtype=np.int64), offsets, items, values, when)


def _days(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return ascending times in which several interactions share a day and some share a second."""
    hours = rng.integers(0, 12, count).cumsum()
    return np.asarray(START + hours * (DAY / 8), np.float64)


def awkward(n_users: int = 23, n_items: int = 17, seed: int = 1, repeats: bool = False) -> Interactions:
    """Return users with no, one, two, every (nearly in one basket), random items; ``repeats``: some several times."""
    rng = Key(seed, 0, "awkward").generator()
    lengths = [0, 1, 2, n_items, *rng.integers(1, n_items, n_users - 4)]
    lists = [rng.permutation(n_items)[:k].astype(np.int32) for k in lengths]
    if repeats:
        lists = [np.concatenate([x, x[: len(x) // 2], x[:1]]).astype(np.int32) for x in lists]
    times = [_days(rng, len(x)) for x in lists]
    times[3][:-2], times[3][-2:] = START, START + 3 * DAY  # one large basket, and something after it
    return interactions(n_items, lists, times)


def planted(n_users: int = 300, groups: int = 4, group_items: int = 24, seed: int = 2) -> Interactions:
    """Return people with one taste each who mostly walk through their group's items in order, from anywhere."""
    rng = Key(seed, 0, "planted").generator()
    n_items = groups * group_items
    label = rng.permutation(n_items)  # so that an item's number says nothing of its group
    lists = []
    for user in range(n_users):
        left = list(range(group_items))
        at = int(rng.integers(group_items))
        mine = []
        for _ in range(int(rng.integers(8, 15))):
            at = (at + 1) % group_items
            if at not in left or rng.random() > 0.7:
                at = int(rng.choice(left))
            left.remove(at)
            mine.append(label[(user % groups) * group_items + at])
        lists.append(np.array(mine, np.int32))
    return interactions(n_items, lists, [_days(rng, len(x)) for x in lists])


def checkerboard(size: int = 40, seed: int = 3) -> Interactions:
    """Return ``size`` users and items: even users have all even items, odd ones the odd; user u lacks item u.

    Source: the test of the library implicit; any recommender must put item u first for user u.
    """
    rng = Key(seed, 0, "checkerboard").generator()
    lists = []
    for user in range(size):
        mine = np.arange(user % 2, size, 2)
        lists.append(rng.permutation(mine[mine != user]).astype(np.int32))
    return interactions(size, lists, [_days(rng, len(x)) for x in lists])


def permuted(data: Interactions, seed: int = 4) -> Interactions:
    """Return the data with each user's items through that user's own random permutation of the catalogue."""
    items = data.items.copy()
    for row in range(data.n_users):
        rng = Key(seed, 0, "permuted").rng(int(data.users[row])).generator()
        a, b = int(data.offsets[row]), int(data.offsets[row + 1])
        items[a:b] = rng.permutation(data.n_items)[items[a:b]]
    return Interactions(data.n_items, data.users, data.offsets, items, data.values, data.times)


def history_of(items: list[int], gaps: list[int] | None = None) -> History:
    """Return a history with values and ascending times; ``gaps`` (hours before each item, default one)."""
    ids = np.array(items, np.int32)
    hours = np.ones(len(items)) if gaps is None else np.array(gaps, np.float64)
    return History(ids, (1.0 + ids % 5).astype(np.float32), START + 3600.0 * np.cumsum(hours))
