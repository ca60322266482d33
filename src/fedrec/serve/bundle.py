"""A trained run read back: recommend for people in the data and for new people, with the original ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import (
    Algorithm,
    Arrays,
    Catalog,
    ConfigError,
    History,
    InputError,
    Interactions,
    Key,
    UnknownIdError,
    did_you_mean,
)
from fedrec.data.tables import read_column
from fedrec.experiment.arrays import read_arrays, unprefixed
from fedrec.experiment.config import RunConfig, make_algorithm, read_toml, run_config
from fedrec.metrics.ranks import top_items


@dataclass(frozen=True)
class Recommendation:
    """One recommended item: its original id, title, score and rank (from 1)."""

    item_id: Any
    title: str
    score: float
    rank: int


class Bundle:
    """A run folder, loaded: the model on one side, what stays with users on the other."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / "metrics.json").exists():
            what = "holds no finished run (metrics.json is missing)" if self.path.is_dir() else "does not exist"
            raise ConfigError(f"{self.path} {what}: give the --out folder of a fedrec train that has ended")
        self.metrics: dict[str, Any] = json.loads((self.path / "metrics.json").read_text(encoding="utf-8"))
        self.config: RunConfig = run_config(read_toml(self.path / "config.toml"))
        self.algorithm: Algorithm = make_algorithm(self.config.algorithm, self.config.settings, self.config.rounds)
        self.shared: Arrays = read_arrays(self.path / "model.safetensors")[0]
        self.item_ids = read_column(self.path / "items.parquet", "item_id")
        self.titles: list[str] = read_column(self.path / "items.parquet", "title").to_list()
        self.catalog = Catalog(len(self.item_ids), int(self.metrics["data"]["users"]))

    @cached_property
    def _item_codes(self) -> dict[str, int]:
        return {str(x): code for code, x in enumerate(self.item_ids.to_list())}

    @cached_property
    def _private(self) -> tuple[Arrays, Key]:
        arrays, text = read_arrays(self.path / "private" / "state.safetensors")
        return arrays, Key(**json.loads(text))

    @cached_property
    def _user_codes(self) -> dict[str, int]:
        ids = read_column(self.path / "private" / "users.parquet", "user_id").to_list()
        return {str(x): code for code, x in enumerate(ids)}

    def item_code(self, item: object) -> int:
        """Return the row of an item id, or raise UnknownIdError with the nearest id or title."""
        code = self._item_codes.get(str(item))
        if code is None:
            near = did_you_mean(str(item), list(self._item_codes)[:100_000])
            example = ", ".join(str(x) for x in self.item_ids.head(3).to_list())
            raise UnknownIdError(
                f"item {str(item)!r} is not in the model ({len(self.item_ids):,} items, such as {example}).{near}"
            )
        return code

    def histories(self) -> Interactions:
        """Return the histories stored with the run, one row a user."""
        arrays = unprefixed("history", self._private[0])
        times = arrays.get("times")
        return Interactions(
            self.catalog.n_items,
            np.arange(len(arrays["offsets"]) - 1, dtype=np.int64),
            np.asarray(arrays["offsets"], np.int64),
            np.asarray(arrays["items"], np.int32),
            None,
            None if times is None else np.asarray(times, np.float64),
        )

    def private_of(self, users: Sequence[object]) -> Arrays:
        """Return the stacked private state of people by id: their own where the run knows them, else a fresh one."""
        arrays, key = self._private
        kept = unprefixed("private", arrays)
        rows = [self._user_codes.get(str(u), -1) for u in users]
        fresh_rows = np.array([self.catalog.n_users + i for i in range(len(rows))], np.int64)
        fresh = self.algorithm.cohort_private(fresh_rows, Key(key.seed, 0, "private"), self.catalog)
        for name, array in fresh.items():
            for position, row in enumerate(rows):
                if row >= 0:
                    array[position] = kept[name][row]
        return fresh

    def scores(self, people: Interactions, private: Arrays) -> NDArray[np.float32]:
        """Return the scores of all items, (n_users, n_items) float32; each person adapts on their own device."""
        return self.algorithm.cohort_scores(self.shared, private, people, self._private[1])

    def recommend(
        self,
        user: object | None = None,
        items: Sequence[object] | None = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        only: Iterable[object] | None = None,
        exclude: Iterable[object] | None = None,
        history: History | None = None,
    ) -> list[Recommendation]:
        """Return the k best items for a user of the run, or for a new person who has ``items``.

        ``history``: use this history for ``user`` instead of the stored one. ``only`` / ``exclude``: item ids that
        are allowed / not (stock). Fewer than k come back where nothing is left.
        """
        if k < 1 or k > self.catalog.n_items:
            raise InputError(f"k = {k}: expected 1 to {self.catalog.n_items:,}, the number of items in the model")
        if (user is None) == (items is None and history is None) and history is None:
            raise InputError("recommend takes either a user or items: give exactly one of the two")
        mine = history if history is not None else self._history(user, items)
        number = self._user_codes.get(str(user), -1) if user is not None else -1
        people = Interactions.of(mine, self.catalog.n_items, number if number >= 0 else self.catalog.n_users)
        scores = self.scores(people, self.private_of([user if user is not None else "\0new person"]))[0]
        allowed = self._allowed(mine, exclude_seen, only, exclude)
        best = top_items(scores, allowed, k)
        return [
            Recommendation(self.item_ids[int(i)], self.titles[int(i)], float(scores[i]), rank + 1)
            for rank, i in enumerate(best)
        ]

    def _history(self, user: object | None, items: Sequence[object] | None) -> History:
        if items is not None:
            codes = np.array([self.item_code(i) for i in items], np.int32)
            if len(codes) == 0:
                raise InputError("items is empty: give at least one item id")
            steps = np.arange(len(codes), dtype=np.float64) * 0.0
            return History(codes, None, steps)
        row = self._user_codes.get(str(user))
        if row is None:
            near = did_you_mean(str(user), list(self._user_codes)[:100_000])
            raise UnknownIdError(
                f"user {str(user)!r} is not in this run ({len(self._user_codes):,} users).{near} "
                f"For a new person give items instead (--items ID,ID,...), or --data with their history"
            )
        return self.histories().history(row)

    def _allowed(
        self,
        history: History,
        exclude_seen: bool,
        only: Iterable[object] | None,
        exclude: Iterable[object] | None,
    ) -> NDArray[np.bool_]:
        allowed = np.ones(self.catalog.n_items, bool)
        if only is not None:
            allowed[:] = False
            allowed[[self.item_code(i) for i in only]] = True
        if exclude is not None:
            allowed[[self.item_code(i) for i in exclude]] = False
        if exclude_seen:
            allowed[history.items] = False
        return allowed


def load(path: str | Path) -> Bundle:
    """Load a run folder written by ``fedrec train --out``."""
    return Bundle(path)
