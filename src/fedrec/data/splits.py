"""Splits: who is trained on what, what a device knows at test time, and what is held out.

Each returns a ``Split``. Validation history = the training part; test history = training + validation, which is what
the device knows by then. History items are masked, all others are candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ConfigError, DataError, Interactions, did_you_mean
from fedrec.contract.interactions import DAY, gather
from fedrec.data.task import Task

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """A protocol applied to a data set.

    ``train``: what the model for validation is trained on, one row a user of the data set (empty rows allowed);
    ``final``: what the model for the test is trained on (``train`` itself unless the protocol refits);
    ``counts``: users tested, validated, trained only, dropped; ``rules``: the protocol in words (split, candidates,
    negatives, ties), what ``protocols.describe_protocol`` prints and hashes.
    """

    name: str
    train: Interactions
    final: Interactions
    validation: Task | None
    test: Task | None
    refit: bool
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rules: dict[str, str] = field(default_factory=dict)


def keep(data: Interactions, mask: BoolArray) -> Interactions:
    """Return the interactions under a mask, every user keeping a (possibly empty) row."""
    counts = np.concatenate([[0], np.cumsum(mask)])
    out = Interactions(
        data.n_items,
        data.users,
        counts[data.offsets].astype(np.int64),
        data.items[mask],
        None if data.values is None else data.values[mask],
        None if data.times is None else data.times[mask],
    )
    if data._cache.get("unique"):
        out._cache["unique"] = True  # a part of a set without repeats has none
    return out


def task(data: Interactions, history: BoolArray, held: BoolArray, histories: Interactions | None = None) -> Task | None:
    """Return the task of every user with something under ``held``; items already in the history do not count.

    ``histories``: ``keep(data, history)`` where the caller has it already (10^8 interactions are not copied twice).
    """
    if not data.unique():
        held = held & ~_seen_before(data, history, held)
    targets = keep(data, held)
    rows = np.flatnonzero(targets.lengths() > 0).astype(np.int64)
    if len(rows) == 0:
        return None
    where, offsets = gather(targets.offsets, rows)
    histories = keep(data, history) if histories is None else histories
    return Task(histories.take(rows), offsets, targets.items[where])


def _seen_before(data: Interactions, history: BoolArray, held: BoolArray) -> BoolArray:
    rows = np.repeat(np.arange(data.n_users, dtype=np.int64), data.lengths())
    pairs = rows * data.n_items + data.items
    out = np.zeros(len(pairs), bool)
    out[held] = np.isin(pairs[held], pairs[history])
    first = np.zeros(len(pairs), bool)  # an item held out twice counts once
    index = np.flatnonzero(held)
    _, unique = np.unique(pairs[index], return_index=True)
    first[index[unique]] = True
    return out | (held & ~first)


def drop_users(data: Interactions, drop: BoolArray) -> Interactions:
    """Return the data with some users' rows emptied."""
    return keep(data, ~np.repeat(drop, data.lengths()))


def leave_last_out(data: Interactions) -> Split:
    """Last interaction = test, the one before = validation; users with fewer than 3 train only."""
    lengths = data.lengths()
    from_end = np.repeat(data.offsets[1:], lengths) - 1 - np.arange(data.n_interactions)
    long = np.repeat(lengths >= 3, lengths)
    test, validation = (from_end == 0) & long, (from_end == 1) & long
    train = keep(data, ~(test | validation))
    split = Split(
        "leave-last-out",
        train,
        train,
        task(data, ~(test | validation), validation, train),
        task(data, ~test, test),
        False,
        rules={
            "split": "each user's last interaction is the test, the one before the validation, the rest the training "
            "part; times that tie stay in file order"
        },
    )
    split.counts.update(counted(split, int((lengths >= 3).sum())))
    split.counts["train only (fewer than 3 interactions)"] = int((lengths < 3).sum())
    if data.times is not None and test.any():
        at = np.flatnonzero(test)
        tied = int((data.times[at] == data.times[at - 1]).sum())
        split.notes.append(
            f"{tied:,} of {len(at):,} test items have the same time as the item before them; the order in the file "
            "decides"
        )
    return split


def counted(split: Split, eligible: int) -> dict[str, int]:
    """Return how many users the protocol tests and validates, and how many eligible ones had nothing new held out."""
    out = {
        "tested": 0 if split.test is None else split.test.n_users,
        "validated": 0 if split.validation is None else split.validation.n_users,
    }
    if eligible > out["tested"]:  # only where repeated (user, item) pairs are kept
        out["not tested (nothing new in the test part)"] = eligible - out["tested"]
    return out


def last_basket(data: Interactions, basket: str = "day") -> Split:
    """The user's last active day = test, the previous active day = validation; then refitted before the test day.

    ``basket``: "day" (UTC) or "timestamp" (what shares one time). Users with one active day are not trained on; those
    with two are tested but not validated.
    """
    if data.times is None:
        raise DataError(
            "last-basket needs a timestamp column, and the data has none; use --protocol leave-last-out "
            "(with an order column) or --protocol ratio"
        )
    if basket not in ("day", "timestamp"):
        raise ConfigError(
            f"--basket: got {basket!r}, expected day or timestamp.{did_you_mean(basket, ('day', 'timestamp'))}"
        )
    from_end, days = _baskets(data, np.floor(data.times / DAY) if basket == "day" else data.times)
    lengths = data.lengths()
    two, three = np.repeat(days >= 2, lengths), np.repeat(days >= 3, lengths)
    test = (from_end == 0) & two
    validation = (from_end == 1) & three
    before = two & ~test
    early = before & (from_end != 1)
    train, final = keep(data, early), keep(data, before)
    split = Split(
        "last-basket" if basket == "day" else "last-basket:timestamp",
        train,
        final,
        task(data, early, validation, train),
        task(data, before, test, final),
        True,
        rules={
            "split": f"all items of the user's last active {basket}{' (UTC)' if basket == 'day' else ''} that are new "
            f"to the user are the test, those of the active {basket} before it the validation; settings are chosen "
            f"without both, then the model is refitted on everything before the test {basket}"
        },
    )
    split.counts.update(counted(split, int((days >= 2).sum())))
    split.counts[f"not trained on (one active {basket})"] = int((days == 1).sum())
    return split


def _baskets(data: Interactions, stamp: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (baskets from the user's end (nnz,), 0 = the last one; baskets a user (users,))."""
    lengths = data.lengths()
    starts = np.zeros(data.n_interactions, bool)
    starts[data.offsets[:-1][lengths > 0]] = True
    new = starts.copy()
    new[1:] |= stamp[1:] != stamp[:-1]
    number = np.cumsum(new)
    last = np.repeat(number[np.maximum(data.offsets[1:] - 1, 0)], lengths) if len(number) else number
    days = np.zeros(data.n_users, np.int64)
    days[lengths > 0] = np.add.reduceat(new.astype(np.int64), data.offsets[:-1][lengths > 0])
    return last - number, days


def everything(data: Interactions) -> Split:
    """Train on everything, hold nothing out (for production)."""
    rules = {"split": "nothing is held out: every interaction trains"}
    return Split("none", data, data, None, None, False, {"tested": 0, "validated": 0}, rules=rules)


def without_test(split: Split) -> Split:
    """Return the split with the test part taken away (what a tuner may see)."""
    return replace(split, test=None)
