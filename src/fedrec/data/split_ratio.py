"""The ratio split: a share of each user's interactions is held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ConfigError, Interactions, Key
from fedrec.data.splits import Split, counted, keep, task


def ratio(data: Interactions, ordered: bool, seed: int = 0, held: tuple[float, float] = (0.1, 0.1)) -> Split:
    """Hold out the newest share of each user's interactions; where there is no order, a random share.

    ``held``: the shares of validation and test; each is floor(share x length) interactions and at least one, for users
    with at least 3 interactions. The rest train only and are counted. The model for the test is refitted on training
    + validation part.
    """
    if not (0.0 < held[0] < 1.0 and 0.0 < held[1] < 1.0 and sum(held) < 1.0):
        raise ConfigError(
            f"--ratio: got validation {held[0]} and test {held[1]}; expected shares above 0 that add up to less than 1"
        )
    lengths = data.lengths()
    place = newest_first(data) if ordered else shuffled(data, Key(seed, 0, "ratio split"))
    tests, validations = (
        np.maximum(1, np.floor(share * lengths + 1e-9)).astype(np.int64) for share in (held[1], held[0])
    )
    validations = np.minimum(validations, np.maximum(lengths - tests - 1, 0))
    long = lengths >= 3
    each = np.repeat(np.arange(data.n_users), lengths)
    test = long[each] & (place < tests[each])
    validation = long[each] & ~test & (place < (tests + validations)[each])
    how = "newest" if ordered else f"a random share (seed {seed}; the data has no order)"
    train, final = keep(data, ~(test | validation)), keep(data, ~test)
    split = Split(
        "ratio",
        train,
        final,
        task(data, ~(test | validation), validation, train),
        task(data, ~test, test, final),
        True,
        rules={
            "split": f"each user's interactions: {how}: {held[1]:g} test, {held[0]:g} validation, at least one each; "
            "the model for the test is refitted on training and validation part"
        },
    )
    split.counts.update(counted(split, int(long.sum())))
    split.counts["train only (fewer than 3 interactions)"] = int((lengths < 3).sum())
    return split


def newest_first(data: Interactions) -> NDArray[np.int64]:
    """Return each interaction's place counted from the user's newest (0), (nnz,) int64."""
    return np.repeat(data.offsets[1:], data.lengths()) - 1 - np.arange(data.n_interactions)


def shuffled(data: Interactions, key: Key) -> NDArray[np.int64]:
    """Return each interaction's place in a random order of the user's own, (nnz,) int64.

    Keyed by user and item, so it does not depend on the order of the rows.
    """
    rows = np.repeat(np.arange(data.n_users, dtype=np.int64), data.lengths())
    coins = key.coins(data.users[rows] * data.n_items + data.items)
    order = np.lexsort((coins, rows))
    place = np.empty(data.n_interactions, np.int64)
    place[order] = np.arange(data.n_interactions) - data.offsets[:-1][rows[order]]
    return place
