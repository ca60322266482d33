"""The given split: a ``split`` column, or the two files of a LightGCN folder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import DataError, Interactions, Key
from fedrec.data.split_ratio import newest_first, shuffled
from fedrec.data.splits import Split, counted, keep, task

_CARVED = 0.1


def given(data: Interactions, parts: NDArray[np.int8] | None, ordered: bool, seed: int = 0) -> Split:
    """Use the data's own parts: 0 train, 1 validation, 2 test.

    Where no part is marked validation, a tenth of each user's training part (at least one; of users with at least 2)
    is carved out of it, the newest where there is an order, else at random; settings are chosen without it and the
    model is refitted on the whole training part, so the test stays the published one. Test history = training +
    validation part.
    """
    if parts is None:
        raise DataError(
            "given needs a split column (train / validation / test) or a folder with train.txt and test.txt, and the "
            "data has neither; use --protocol leave-last-out, last-basket or ratio"
        )
    if not (parts == 2).any():
        raise DataError("given: no row is marked test; expected train, validation or test in the split column")
    train, validation, test = parts == 0, parts == 1, parts == 2
    how, notes = "the data's own parts", []
    if not validation.any():
        validation = _carve(data, train, ordered, seed)
        train = train & ~validation
        way = "the newest" if ordered else f"random, seed {seed}"
        how = f"the data's own test part; a tenth of each user's training part ({way}) validates"
        notes.append(
            f"no validation part is given: {int(validation.sum()):,} rows ({way}) were carved out of the training "
            "part; the model for the test is refitted on the whole training part"
        )
    first, final = keep(data, train), keep(data, train | validation)
    split = Split(
        "given",
        first,
        final,
        task(data, train, validation, first),
        task(data, train | validation, test, final),
        True,
        notes=notes,
        rules={"split": f"{how}; the model for the test is refitted on training and validation part"},
    )
    split.counts.update(counted(split, int((keep(data, test).lengths() > 0).sum())))
    if split.test is not None:
        empty = int((split.test.histories.lengths() == 0).sum())
        split.counts["tested without any history"] = empty
    return split


def _carve(data: Interactions, train: NDArray[np.bool_], ordered: bool, seed: int) -> NDArray[np.bool_]:
    part = keep(data, train)
    lengths = part.lengths()
    place = newest_first(part) if ordered else shuffled(part, Key(seed, 0, "given split"))
    take = np.where(lengths >= 2, np.maximum(1, np.floor(_CARVED * lengths + 1e-9)), 0).astype(np.int64)
    out = np.zeros(data.n_interactions, bool)
    out[np.flatnonzero(train)] = place < np.repeat(take, lengths)
    return out
