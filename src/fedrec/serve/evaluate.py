"""Test a loaded run on data: the run's own people with their private state, others folded in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec import data as data_layer
from fedrec.contract import DataError, History, Interactions
from fedrec.data.dataset import Dataset
from fedrec.data.protocols import describe_protocol
from fedrec.experiment import evaluate
from fedrec.experiment.run import split_of
from fedrec.metrics.ranks import rank_all
from fedrec.serve.api import FRAME
from fedrec.serve.bundle import Bundle


def read_data(
    bundle: Bundle, spec: str | None, columns: dict[str, str] | None = None, order: str | None = None, fewest: int = 2
) -> Dataset:
    """Read data (the run's own where ``spec`` is None) with its items coded as the run's.

    Items the run does not know are dropped and counted. ``fewest``: users and items that are enough.
    """
    config = bundle.config
    if spec is None and config.data == FRAME:
        raise DataError(f"{bundle.path} was trained on a data frame: give --data with a file to test it on")
    mine = spec is None
    data = data_layer.load(
        config.data if spec is None else spec,
        users=config.users if mine else None,
        columns=columns or (config.columns if mine else {}),
        order=order or (config.order if mine else None),
        duplicates=config.duplicates,
        min_users=fewest,
        min_items=fewest,
    )
    codes = np.array([bundle.item_codes.get(str(x), -1) for x in data.item_ids.to_list()], np.int64)
    return recode(data, codes, bundle)


def recode(data: Dataset, codes: NDArray[np.int64], bundle: Bundle) -> Dataset:
    """Return the data with item codes of the run; ``codes`` maps the data's items, -1 for unknown ones."""
    if np.array_equal(codes, np.arange(bundle.catalog.n_items)):
        return data
    users = data.interactions
    new = codes[users.items]
    known = new >= 0
    if not known.any():
        raise DataError(
            f"{data.name} has none of the model's {bundle.catalog.n_items:,} items (there: {bundle.item_ids[0]!r}, "
            f"here: {data.item_ids[0]!r}): expected the item ids of the training data"
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
    data.parts = None if data.parts is None else data.parts[known]
    if not known.all():
        data.notes.append(f"{int((~known).sum()):,} interactions with items the model does not know were left out")
    return data


def history_from(bundle: Bundle, spec: str, user: str, columns: dict[str, str] | None, order: str | None) -> History:
    """Return a user's history from data."""
    data = read_data(bundle, spec, columns, order, fewest=1)
    return data.interactions.history(data.user_code(user))


def evaluate_bundle(
    bundle: Bundle,
    spec: str | None = None,
    protocol: str | None = None,
    columns: dict[str, str] | None = None,
    order: str | None = None,
) -> dict[str, Any]:
    """Return {"run", "data", "protocol", "test", "groups", "notes"} of a run on data."""
    data = read_data(bundle, spec, columns, order)
    fingerprint = data.fingerprint()
    split = split_of(bundle.config.model_copy(update={"protocol": protocol or bundle.config.protocol}), data)
    if split.test is None:
        raise DataError("protocol none holds nothing out: give --protocol leave-last-out, last-basket, ...")
    ids = data.user_ids.to_list()

    def score(people: Interactions) -> NDArray[np.float32]:
        return bundle.scores(people, bundle.rows_of([ids[int(u)] for u in people.users]))

    ranks = rank_all(score, split.test)
    told = describe_protocol(split)
    notes = [*data.notes, *split.notes]
    trained = bundle.metrics
    if fingerprint == trained["data"]["fingerprint"] and told["fingerprint"] != trained["protocol"]["fingerprint"]:
        notes.append(
            f"the model was trained on these data under protocol {trained['protocol']['name']}: it may have seen what "
            f"is tested here, and then these figures flatter it"
        )
    return {
        "run": bundle.path.name,
        "data": data.name,
        "protocol": told,
        "test": evaluate.metrics(ranks, split.test) | {"users": split.test.n_users},
        "groups": evaluate.groups(ranks, split.test, split.final, None, []),
        "notes": notes,
    }
