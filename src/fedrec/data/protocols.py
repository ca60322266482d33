"""Protocols by name, and what each is in words and as a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fedrec.contract import ConfigError, DataError, did_you_mean
from fedrec.data.dataset import Dataset
from fedrec.data.split_given import given
from fedrec.data.split_pfedrec import pfedrec
from fedrec.data.split_ratio import ratio
from fedrec.data.split_time import global_time
from fedrec.data.splits import Split, everything, last_basket, leave_last_out
from fedrec.data.task import Task

FULL = {
    "candidates": "all items outside the history",
    "negatives": "items outside the user's training history",
    "ties": "rank = 1 + greater + half of the others tied",
}


@dataclass(frozen=True)
class _Options:
    seed: int
    basket: str
    at: str | float | None
    held: tuple[float, float]


def _leave_last_out(data: Dataset, _: _Options) -> Split:
    if not data.ordered:
        raise DataError(
            f"leave-last-out needs a timestamp or an order column, and {data.name} has none; use --protocol ratio "
            "(random per user)" + (" or --protocol given" if data.parts is not None else "")
        )
    return leave_last_out(data.interactions)


_PROTOCOLS: dict[str, Callable[[Dataset, _Options], Split]] = {
    "leave-last-out": _leave_last_out,
    "last-basket": lambda data, o: last_basket(data.interactions, o.basket),
    "global-time": lambda data, o: global_time(data.interactions, o.at),
    "ratio": lambda data, o: ratio(data.interactions, data.ordered, o.seed, o.held),
    "given": lambda data, o: given(data.interactions, data.parts, data.ordered, o.seed),
    "none": lambda data, _: everything(data.interactions),
    "pfedrec-leaky": lambda data, _: pfedrec(data.interactions, data.ordered, leaky=True),
    "pfedrec-honest": lambda data, _: pfedrec(data.interactions, data.ordered, leaky=False),
}
NAMES = tuple(_PROTOCOLS)


def apply(
    name: str,
    dataset: Dataset,
    seed: int = 0,
    basket: str = "day",
    *,
    at: str | float | None = None,
    held: tuple[float, float] = (0.1, 0.1),
) -> Split:
    """Return a protocol's split of a data set.

    ``seed``: of the random parts of ``ratio`` and ``given`` on data without an order (the pfedrec candidates are the
    same for every seed); ``basket``: "day" or "timestamp", for last-basket; ``at``: for global-time, see there;
    ``held``: the shares of validation and test, for ratio. Raises ConfigError for an unknown name and DataError where
    the data cannot carry the protocol or nobody is left to test.
    """
    if name not in _PROTOCOLS:
        raise ConfigError(
            f"--protocol: unknown protocol {name!r}; known: {', '.join(NAMES)}.{did_you_mean(name, NAMES)}"
        )
    split = _PROTOCOLS[name](dataset, _Options(seed, basket, at, held))
    split.rules.update({k: v for k, v in FULL.items() if k not in split.rules})
    if split.test is None and name != "none":
        why = "; ".join(f"{users:,} {reason}" for reason, users in split.counts.items() if users)
        raise DataError(
            f"{dataset.name}: nobody can be tested under {name}: none of the {dataset.n_users:,} users meets its "
            f"minimum ({why}); use another protocol, or --protocol none to train on everything"
        )
    return split


def describe_protocol(split: Split) -> dict[str, str]:
    """Return {name, split, candidates, negatives, ties, fingerprint}, what ``metrics.json`` holds of a protocol."""
    rules = {**FULL, **split.rules}
    out = {"name": split.name, **{key: rules.get(key, "") for key in ("split", "candidates", "negatives", "ties")}}
    return {**out, "fingerprint": fingerprint(split)}


def fingerprint(split: Split) -> str:
    """Return a SHA-256 (hex, 16 digits) over the rules, the held-out rows, the histories and the candidates."""
    digest = hashlib.sha256(json.dumps([split.name, {**FULL, **split.rules}], sort_keys=True).encode())
    for part in (split.validation, split.test):
        digest.update(b"|")
        if part is not None:
            _add(digest, part)
    return digest.hexdigest()[:16]


def _add(digest: hashlib._Hash, part: Task) -> None:
    people = part.histories
    arrays: list[NDArray[Any]] = [people.users, people.offsets, people.items, part.target_offsets, part.targets]
    if part.candidates is not None:
        arrays.append(part.candidates)
    for array in arrays:
        digest.update(str((array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())
    digest.update(b"pessimistic" if part.pessimistic else b"even")
