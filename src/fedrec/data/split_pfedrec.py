"""The evaluation of the federated papers: leave one out against 99 sampled items, leaky and honest.

Zhang et al., Dual Personalization on Federated Recommendation, IJCAI 2023, as its published code runs it. The two
protocols differ in one thing: under ``pfedrec-leaky`` a client's training negatives avoid the user's validation and
test items too (what the published code does), so the test item is the one unseen item never pushed down.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import DataError, Interactions, Key
from fedrec.data.splits import Split, counted, keep
from fedrec.data.task import Task

SAMPLED = 99


def pfedrec(data: Interactions, ordered: bool, leaky: bool) -> Split:
    """Return the published split: test = the newest interaction, validation = the second newest.

    Among equal times the one that stands first in the file is the newer (the published code ranks descending with
    pandas ``rank(method="first", ascending=False)``). For each user 198 items the user never had are drawn once: the
    first 99 stand beside the validation item, the last 99 beside the test item; the held-out item is the last column
    of ``Task.candidates`` and ties count against it. The history stays the training part at test time too: nothing is
    folded in. Users with fewer than 3 interactions train only; users for whom 198 items are not left are not tested.

    Differs from the published code: the 198 items are drawn by our keyed generator with key 0 (there: Python's
    ``random.seed(0)``), so they are the same for every seed of a run, as there, but not the same items.
    """
    name = "pfedrec-leaky" if leaky else "pfedrec-honest"
    if not ordered:
        raise DataError(f"{name} needs a timestamp or an order column, and the data has none; use --protocol ratio")
    lengths = data.lengths()
    test_at, validation_at = _held_out(data)
    long = np.flatnonzero(lengths >= 3)
    held = np.zeros(data.n_interactions, bool)
    held[test_at[long]] = True
    held[validation_at[long]] = True
    train = keep(data, ~held)
    if leaky:
        train = _avoiding(train, long, data.items[validation_at[long]], data.items[test_at[long]])
    sampled, enough = draw_candidates(data, long, Key(0, 0, "pfedrec candidates"))
    if not enough.any():
        raise DataError(
            f"{name}: no user has at least 3 interactions and {2 * SAMPLED} items left to sample "
            f"({data.n_items:,} items); use --protocol leave-last-out"
        )
    rows = long[enough]
    people = train.take(rows)
    validation = _task(people, data.items[validation_at[rows]], sampled[:, :SAMPLED])
    test = _task(people, data.items[test_at[rows]], sampled[:, SAMPLED:])
    split = Split(name, train, train, validation, test, False, rules=_rules(leaky))
    split.counts.update(
        counted(split, len(rows)),
        **{
            "train only (fewer than 3 interactions)": int((lengths < 3).sum()),
            f"not tested (fewer than {2 * SAMPLED} items left to sample)": int((~enough).sum()),
        },
    )
    split.notes.append("candidates drawn by fedrec's keyed generator (key 0), not by Python's random.seed(0)")
    return split


def _rules(leaky: bool) -> dict[str, str]:
    avoid = " and outside the user's validation and test items (the published leak)" if leaky else ""
    return {
        "split": "each user's newest interaction is the test, the second newest the validation; among equal times the "
        "first in the file is the newer; the history stays the training part",
        "candidates": f"the held-out item and {SAMPLED} items the user never had, drawn once (key 0)",
        "negatives": f"items outside the user's training history{avoid}",
        "ties": "pessimistic: an equal score ranks above the held-out item",
        "selection": "the last round with the highest validation hr@10[99]",
    }


def _held_out(data: Interactions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each user's (test, validation) positions; meaningless for users with fewer than 2 interactions."""
    n, lengths = data.n_interactions, data.lengths()
    rows = np.repeat(np.arange(data.n_users, dtype=np.int64), lengths)
    newest = np.arange(n) if data.times is None else np.lexsort((-np.arange(n), data.times, rows))
    # ``newest``: by user, then time, then falling place in the file: each user's last entry ranks first.
    last = np.maximum(data.offsets[1:] - 1, 0)
    return newest[last], newest[np.maximum(last - 1, 0)]


def _avoiding(
    train: Interactions, rows: NDArray[np.int64], validation: NDArray[np.int32], test: NDArray[np.int32]
) -> Interactions:
    size = np.zeros(train.n_users, np.int64)
    size[rows] = 2
    offsets = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    return replace(train, avoid_offsets=offsets, avoid_items=np.stack([validation, test], axis=1).ravel())


def draw_candidates(
    data: Interactions, rows: NDArray[np.int64], key: Key
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return (sampled (users with enough, 198) int32, which of the rows have enough); none from a user's history."""
    sampled, enough = [], np.zeros(len(rows), bool)
    free = np.ones(data.n_items, bool)
    for k, row in enumerate(rows):
        mine = data.items[data.offsets[row] : data.offsets[row + 1]]
        free[mine] = False
        pool = np.flatnonzero(free)
        free[mine] = True
        if len(pool) >= 2 * SAMPLED:
            enough[k] = True
            draw = key.rng(int(data.users[row])).generator()
            sampled.append(draw.choice(pool, 2 * SAMPLED, replace=False).astype(np.int32))
    return np.array(sampled, np.int32).reshape(-1, 2 * SAMPLED), enough


def _task(people: Interactions, targets: NDArray[np.int32], sampled: NDArray[np.int32]) -> Task:
    offsets = np.arange(people.n_users + 1, dtype=np.int64)
    return Task(people, offsets, targets, np.column_stack([sampled, targets]).astype(np.int32), pessimistic=True)
