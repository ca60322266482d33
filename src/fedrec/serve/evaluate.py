"""Test a loaded run on data: the run's own people with their private state, others folded in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec import data as data_layer
from fedrec.contract import DataError, History, Interactions
from fedrec.data.dataset import Dataset
from fedrec.data.protocols import apply, describe_protocol
from fedrec.experiment import evaluate
from fedrec.metrics.ranks import rank_all
from fedrec.serve.bundle import Bundle


def read_data(bundle: Bundle, spec: str | None, columns: dict[str, str] | None, order: str | None) -> Dataset:
    """Read data with its items coded as the run's; items the run does not know are dropped and counted."""
    config = bundle.config
    data = data_layer.load(
        spec if spec is not None else config.data,
        items=None,
        users=config.users if spec is None else None,
        columns=columns if columns is not None else (config.columns if spec is None else {}),
        order=order if order is not None else (config.order if spec is None else None),
        duplicates=config.duplicates,
    )
    codes = np.array([bundle._item_codes.get(str(x), -1) for x in data.item_ids.to_list()], np.int64)
    return recode(data, codes, bundle)


def recode(data: Dataset, codes: NDArray[np.int64], bundle: Bundle) -> Dataset:
    """Return the data with item codes of the run; ``codes`` maps the data's items, -1 for unknown ones."""
    users = data.interactions
    new = codes[users.items]
    known = new >= 0
    if not known.any():
        raise DataError(
            f"{data.name} has none of the model's {bundle.catalog.n_items:,} items: expected the same item ids as in training"
        )
    kept = np.concatenate([[0], np.cumsum(known)])
    data.interactions = Interactions(
        bundle.catalog.n_items,
        users.users,
        kept[users.offsets].astype(np.int64),
        new[known].astype(np.int32),
        None if users.values is None else users.values[known],
        None if users.times is None else users.times[known],
    )
    data.item_ids, data.titles = bundle.item_ids, bundle.titles
    data.parts = None if data.parts is None else data.parts[known]
    if not known.all():
        data.notes.append(f"{int((~known).sum()):,} interactions with items the model does not know were left out")
    return data


def history_from(bundle: Bundle, spec: str, user: str) -> History:
    """Return a user's history from data."""
    data = read_data(bundle, spec, None, None)
    return data.interactions.history(data.user_code(user))


def evaluate_bundle(
    bundle: Bundle, spec: str | None, protocol: str | None, columns: dict[str, str] | None, order: str | None
) -> dict[str, Any]:
    """Return {"data", "protocol", "test", "groups"} of a run on data."""
    data = read_data(bundle, spec, columns, order)
    config = bundle.config
    split = apply(protocol or config.protocol, data, seed=config.seed, basket=config.basket)
    if split.test is None:
        raise DataError("protocol none holds nothing out: give --protocol leave-last-out, last-basket, ...")
    ids = data.user_ids.to_list()

    def score(people: Interactions) -> NDArray[np.float32]:
        return bundle.scores(people, bundle.private_of([ids[int(u)] for u in people.users]))

    ranks = rank_all(score, split.test)
    return {
        "run": str(bundle.path.name),
        "data": data.name,
        "protocol": describe_protocol(split),
        "test": evaluate.metrics(ranks, split.test) | {"users": split.test.n_users},
        "groups": evaluate.groups(ranks, split.test, split.final, None, []),
        "notes": data.notes,
    }
