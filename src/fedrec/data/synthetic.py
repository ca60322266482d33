"""Made-up interactions of any size: power-law popularity, planted taste groups, times.

Drawn block by block of users, each block with its own keyed generator, so the bytes do not depend on how much memory
there was, and nothing larger than a block is held beside the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fedrec.contract import ConfigError, Interactions, Key, did_you_mean
from fedrec.data.dataset import Dataset

BLOCK = 8_192  # users a block; a part of what the seed means: never change it
_START = 1_704_067_200.0  # 2024-01-01
_OWN = 0.8  # the share of draws from the user's own group
_DEFAULTS = {"users": 1_000, "items": 500, "per_user": 20, "seed": 0}


@dataclass(frozen=True)
class _World:
    """The items: who belongs to which group, and how popular each is."""

    members: list[NDArray[np.int64]]
    shares: list[NDArray[np.float64]]  # cumulative, a group
    everyone: NDArray[np.int64]
    share: NDArray[np.float64]


def parse(spec: str) -> dict[str, int]:
    """Return the numbers of "synthetic:users=N,items=M,per_user=K,seed=S"."""
    out = dict(_DEFAULTS)
    for pair in filter(None, spec.removeprefix("synthetic").removeprefix(":").split(",")):
        name, _, value = pair.partition("=")
        name = name.strip()
        if name not in out:
            raise ConfigError(f"{spec}: unknown setting {name!r}; known: {', '.join(out)}.{did_you_mean(name, out)}")
        try:
            out[name] = int(value.replace("_", ""))
        except ValueError:
            raise ConfigError(f"{spec}: {name}={value!r}, expected a whole number") from None
    limits = {"users": (2, 100_000_000), "items": (2, 2_000_000_000), "per_user": (1, out["items"]), "seed": (0, 2**63)}
    for name, (low, high) in limits.items():
        if not low <= out[name] <= high:
            raise ConfigError(f"{spec}: {name}={out[name]:,}, expected {low:,} to {high:,}")
    return out


def synthetic(spec: str) -> Dataset:
    """Return a made-up data set; every user has exactly ``per_user`` different items."""
    numbers = parse(spec)
    n_users, n_items, size, seed = (numbers[x] for x in ("users", "items", "per_user", "seed"))
    world = _world(n_items, seed)
    groups = np.empty(n_users, np.int64)
    items = np.empty(n_users * size, np.int32)
    times = np.empty(n_users * size, np.float64)
    for block, start in enumerate(range(0, n_users, BLOCK)):
        stop = min(start + BLOCK, n_users)
        draw = Key(seed, block, "synthetic users").generator()
        group = draw.integers(0, len(world.members), stop - start)
        groups[start:stop] = group
        items[start * size : stop * size] = _baskets(world, group, size, n_items, draw).ravel()
        times[start * size : stop * size] = _times(stop - start, size, draw).ravel()
    offsets = np.arange(n_users + 1, dtype=np.int64) * size
    data = Interactions(n_items, np.arange(n_users, dtype=np.int64), offsets, items, None, times)
    data._cache["unique"] = True
    user_ids = pl.int_range(0, n_users, dtype=pl.Int64, eager=True).alias("id")
    item_ids = pl.int_range(0, n_items, dtype=pl.Int64, eager=True).alias("id")
    people = pl.DataFrame({"user_id": user_ids, "group": groups})
    return Dataset("synthetic", data, user_ids, item_ids, users=people, notes=["made up: not real people"])


def _world(n_items: int, seed: int) -> _World:
    shuffled = Key(seed, 0, "synthetic items").generator().permutation(n_items)
    count = max(2, min(32, n_items // 64)) if n_items >= 4 else 1
    weights: NDArray[np.float64] = 1.0 / (np.arange(n_items, dtype=np.float64) + 10.0)
    members, shares = [], []
    for group in range(count):  # the popularity ranks go round the groups, so that each has a head and a tail
        ranks = np.arange(group, n_items, count)
        members.append(shuffled[ranks])
        shares.append(_cumulative(weights[ranks]))
    return _World(members, shares, shuffled, _cumulative(weights))


def _cumulative(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.cumsum(weights)
    return np.asarray(total / total[-1], np.float64)


def _draws(world: _World, group: NDArray[np.int64], width: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Return (users, width) items, repeats possible."""
    uniform = draw.random((len(group), width))
    own = draw.random((len(group), width)) < _OWN
    out = world.everyone[np.searchsorted(world.share, uniform, side="right")]
    for number, (members, share) in enumerate(zip(world.members, world.shares, strict=True)):
        rows = np.flatnonzero(group == number)
        mine = members[np.searchsorted(share, uniform[rows], side="right")]
        out[rows] = np.where(own[rows], mine, out[rows])
    return out


def _baskets(
    world: _World, group: NDArray[np.int64], size: int, n_items: int, draw: np.random.Generator
) -> NDArray[np.int32]:
    """Return (users, size) different items a user, in the order in which they were first drawn."""
    out = np.full((len(group), size), -1, np.int64)
    have = np.zeros(len(group), np.int64)
    todo = np.arange(len(group))
    for _ in range(12):
        drawn = np.concatenate([out[todo], _draws(world, group[todo], size + 8, draw)], axis=1)
        first = _first_of_row(drawn) & (drawn >= 0)
        place = np.cumsum(first, axis=1) - 1
        rows, cols = np.nonzero(first & (place < size))
        fresh = np.full((len(todo), size), -1, np.int64)
        fresh[rows, place[rows, cols]] = drawn[rows, cols]
        out[todo] = fresh
        have[todo] = np.minimum(first.sum(axis=1), size)
        todo = todo[have[todo] < size]
        if len(todo) == 0:
            break
    for user in todo:  # nearly the whole catalogue: fill up with what is left, evenly
        rest = np.setdiff1d(np.arange(n_items), out[user, : have[user]])
        out[user, have[user] :] = draw.permutation(rest)[: size - have[user]]
    return out.astype(np.int32)


def _first_of_row(table: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where a value stands for the first time in its row."""
    order = np.argsort(table, axis=1, kind="stable")
    ranked = np.take_along_axis(table, order, axis=1)
    new = np.ones(table.shape, bool)
    new[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    out = np.empty(table.shape, bool)
    np.put_along_axis(out, order, new, axis=1)
    return out


def _times(users: int, size: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Return (users, size) rising times in whole seconds: sessions of some minutes, days apart."""
    start = _START + draw.random((users, 1)) * 180 * 86_400.0
    gap = draw.exponential(1.0, (users, size)) * np.where(draw.random((users, size)) < 0.6, 120.0, 3 * 86_400.0)
    return np.floor(start + np.cumsum(gap, axis=1))
