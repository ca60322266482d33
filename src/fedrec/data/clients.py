"""Organisations: each value of a users' column is a client that holds many users."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fedrec.contract import ConfigError, DataError, did_you_mean
from fedrec.data.dataset import Dataset


def silos(dataset: Dataset, column: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return (client_of (n_users,) int64, the clients' names), clients in the order of first appearance.

    Users without a value form a client of their own, "(none)". Raises ConfigError for an unknown column and DataError
    where there is no users table or one value only.
    """
    if dataset.users is None:
        raise DataError(f"--silos {column}: {dataset.name} has no users table; give one with --users FILE")
    known = dataset.users.columns[1:]
    if column not in known:
        raise ConfigError(
            f"--silos: no column {column!r} in the users table; columns: {', '.join(known)}."
            f"{did_you_mean(column, known)}"
        )
    values = dataset.users[column].cast(pl.String).fill_null("(none)")
    labels = values.unique(maintain_order=True)
    if len(labels) < 2:
        raise DataError(f"--silos {column}: every user has the value {labels[0]!r}; expected at least two values")
    names = labels.to_list()
    place = {name: k for k, name in enumerate(names)}
    return np.array([place[x] for x in values.to_list()], dtype=np.int64), names
