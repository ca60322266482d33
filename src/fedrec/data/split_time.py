"""The global-time split: one moment for everybody, so nothing from the future reaches the model."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from fedrec.contract import ConfigError, DataError, Interactions
from fedrec.data.splits import BoolArray, Split, counted, keep, task

_VALIDATION = 8 / 9  # of what lies before the cut, the newest ninth validates: 80 / 10 / 10 at the default cut


def global_time(data: Interactions, at: str | float | None = None) -> Split:
    """Everything from one moment on is the test; the newest ninth before it is the validation.

    ``at``: a share in (0, 1) of the interactions in time order (default 0.9), UTC seconds, or a UTC date such as
    "2011-10-01" or "2011-10-01 12:00". The model for the validation is trained on what came before the validation
    began, the model for the test on everything before the test (refitted). Interactions at the very moment are after
    it. Users with nothing before the moment are not tested, and counted: their devices know nothing yet.
    """
    if data.times is None:
        raise DataError(
            "global-time needs a timestamp column, and the data has none; use --protocol leave-last-out "
            "(with an order column) or --protocol ratio"
        )
    cut = _moment(data, at)
    before, after = data.times < cut, data.times >= cut
    if not before.any() or not after.any():
        side = "before" if not before.any() else "from then on"
        raise ConfigError(
            f"--at {at}: no interaction lies {side}; the times are {_when(data.times.min())} to "
            f"{_when(data.times.max())}"
        )
    inner = float(np.quantile(data.times[before], _VALIDATION, method="higher"))
    early = data.times < inner
    known, known_early = _users(data, before), _users(data, early)
    lengths = data.lengths()
    train, final = keep(data, early), keep(data, before)
    split = Split(
        "global-time",
        train,
        final,
        task(data, early, before & ~early & np.repeat(known_early, lengths), train),
        task(data, before, after & np.repeat(known, lengths), final),
        True,
        rules={
            "split": f"test: items new to the user from {_when(cut)} UTC on, for users seen before; validation: from "
            f"{_when(inner)} UTC on; the model for each is trained on what came before it only"
        },
    )
    late = _users(data, after)
    split.counts.update(
        counted(split, int((known & late).sum())),
        **{
            "not tested (nothing before the cut)": int((late & ~known).sum()),
            "train only (nothing after the cut)": int((known & ~late).sum()),
        },
    )
    seen = np.bincount(data.items[before], minlength=data.n_items) > 0
    if split.test is not None:
        cold = int((~seen[split.test.targets]).sum())
        split.notes.append(
            f"{cold:,} of {len(split.test.targets):,} test items are items nobody had before the cut; they stay in the "
            "count"
        )
    return split


def _users(data: Interactions, mask: BoolArray) -> BoolArray:
    """Return which users have something under a mask."""
    counts = np.concatenate([[0], np.cumsum(mask)])[data.offsets]
    return np.diff(counts) > 0


def _moment(data: Interactions, at: str | float | None) -> float:
    assert data.times is not None  # the caller has checked
    value: str | float = 0.9 if at is None else at
    try:
        number = float(value)
    except ValueError:
        number = _date(str(value))
    if 0.0 < number < 1.0:
        return float(np.quantile(data.times, number, method="higher"))
    if not np.isfinite(number) or number < 1.0:
        raise ConfigError(
            f"--at: got {at!r}, expected a share between 0 and 1, UTC seconds, or a date such as 2011-10-01"
        )
    return number


def _date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"--at: got {text!r}, expected a share between 0 and 1, UTC seconds, or a date such as 2011-10-01"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S")
