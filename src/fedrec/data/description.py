"""What ``fedrec data describe`` prints."""

from __future__ import annotations

import numpy as np

from fedrec.data.dataset import Dataset
from fedrec.data.values import as_date


def describe(dataset: Dataset) -> dict[str, object]:
    """Return counts, interactions a user, density, time span, ties, silo columns and the reader's notes."""
    data = dataset.interactions
    lengths = data.lengths()
    quantiles = np.quantile(lengths, [0.0, 0.25, 0.5, 0.75, 0.9, 1.0])
    counts = np.sort(np.bincount(data.items, minlength=data.n_items))[::-1]
    head = int(counts[: max(1, data.n_items // 10)].sum())
    out: dict[str, object] = {
        "name": dataset.name,
        "users": dataset.n_users,
        "items": dataset.n_items,
        "interactions": dataset.n_interactions,
        "density": dataset.n_interactions / (dataset.n_users * dataset.n_items),
        "interactions a user": dict(
            zip(("min", "p25", "median", "p75", "p90", "max"), (float(x) for x in quantiles), strict=True)
        ),
        "share of the most popular tenth of the items": head / max(1, dataset.n_interactions),
        "users with fewer than 3 interactions": int((lengths < 3).sum()),
        "ratings": data.values is not None,
        "ordered": dataset.ordered,
        "titles": dataset.titles is not None,
        "fingerprint": dataset.fingerprint(),
    }
    if data.times is not None:
        out["first"], out["last"] = as_date(float(data.times.min())), as_date(float(data.times.max()))
        same = np.repeat(np.arange(data.n_users), lengths)
        tied = (data.times[1:] == data.times[:-1]) & (same[1:] == same[:-1])
        out["interactions at the same time as the user's one before"] = int(tied.sum())
    if dataset.parts is not None:
        sizes = np.bincount(dataset.parts, minlength=3)
        out["given split"] = dict(zip(("train", "validation", "test"), map(int, sizes), strict=True))
    if dataset.users is not None:
        out["silo columns"] = {name: int(dataset.users[name].n_unique()) for name in dataset.users.columns[1:]}
    if dataset.items is not None:
        out["item columns"] = dataset.items.columns[1:]
    out["notes"] = list(dataset.notes)
    return out
