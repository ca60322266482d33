"""The Python API: fit on a frame or a data set, recommend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fedrec import data as data_layer
from fedrec.contract import History, InputError, Interactions, rows_of
from fedrec.data.dataset import Dataset
from fedrec.experiment import run
from fedrec.experiment.config import run_config
from fedrec.experiment.folder import RunFolder
from fedrec.metrics.ranks import top_items
from fedrec.serve.bundle import Recommendation


class Recommender:
    """A trained federation in this process."""

    def __init__(self, outcome: run.Outcome) -> None:
        self.outcome = outcome
        self.data: Dataset = outcome.prepared.data
        self.metrics: dict[str, Any] = outcome.metrics

    def recommend(
        self,
        users: Sequence[object] | None = None,
        k: int = 10,
        *,
        items: Sequence[object] | None = None,
        exclude_seen: bool = True,
    ) -> dict[Any, list[Recommendation]] | list[Recommendation]:
        """Return {user id: the k best items} for people of the data, or one list for a new person with ``items``."""
        if not 1 <= k <= self.data.n_items:
            raise InputError(f"k = {k}: expected 1 to {self.data.n_items:,}, the number of items")
        if (users is None) == (items is None):
            raise InputError("recommend takes either users or items: give exactly one of the two")
        if items is not None:
            codes = np.array([self.data.item_code(i) for i in items], np.int32)
            history = History(codes, None, np.zeros(len(codes)))
            return self._best(Interactions.of(history, self.data.n_items, self.data.n_users), k, exclude_seen, None)[0]
        assert users is not None
        rows = np.array([self.data.user_code(u) for u in users], np.int64)
        people = self.data.interactions.take(rows)
        return dict(zip(users, self._best(people, k, exclude_seen, rows), strict=True))

    def _best(self, people: Interactions, k: int, exclude_seen: bool, rows: Any) -> list[list[Recommendation]]:
        model = self.outcome.model
        if rows is None:
            private = model.algorithm.cohort_private(people.users, model.key, model.catalog)
        else:
            private = rows_of(model.private, rows)
        scores = model.algorithm.cohort_scores(model.shared, private, people, model.key)
        out = []
        for row in range(people.n_users):
            allowed = np.ones(people.n_items, bool)
            if exclude_seen:
                allowed[people.history(row).items] = False
            best = top_items(scores[row], allowed, k)
            out.append(
                [
                    Recommendation(self.data.item_ids[int(i)], self.data.title(int(i)), float(scores[row, i]), n + 1)
                    for n, i in enumerate(best)
                ]
            )
        return out


def fit(
    data: Any,
    algorithm: str = "slist",
    *,
    protocol: str = "none",
    out: str | Path | None = None,
    seed: int = 0,
    tune: bool = False,
    **settings: Any,
) -> Recommender:
    """Train on a frame (polars, pandas, dict of columns), a file or a data set's name; return a Recommender.

    ``data`` needs ``user_id`` and ``item_id`` columns, ``timestamp`` where order matters. ``settings`` are the
    algorithm's own. ``protocol`` other than "none" holds a test part out and fills ``metrics``.
    """
    named = isinstance(data, str | Path)
    found = data_layer.load(data)
    config = run_config(
        {
            "algorithm": algorithm,
            "data": str(data) if named else "frame",
            "protocol": protocol,
            "seed": seed,
            "settings": settings,
        }
    )
    prepared = run.prepare(config, found)
    if tune:
        prepared, _ = run.tune(prepared)
    folder = RunFolder(Path(out)) if out is not None else None
    if folder is not None:
        folder.open(config, resume=False)
    return Recommender(run.execute(prepared, folder))
