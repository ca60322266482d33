"""A trained run read back from its folder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fedrec.contract import Arrays, Catalog, ConfigError, InputError, Interactions, Key, StorageError
from fedrec.data.tables import read_column
from fedrec.experiment.arrays import read_arrays, unprefixed
from fedrec.experiment.config import RunConfig, make_algorithm, read_toml, run_config
from fedrec.experiment.files import read_json
from fedrec.serve.recommender import People, Recommender

__all__ = ["Bundle", "load"]


class Bundle(Recommender):
    """A run folder, loaded: the model on one side, what stays with users on the other (read when it is needed)."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / "metrics.json").exists():
            what = "holds no finished run (metrics.json is missing)" if self.path.is_dir() else "does not exist"
            raise ConfigError(f"{self.path} {what}: give the --out folder of a fedrec train that has ended")
        self.metrics: dict[str, Any] = read_json(self.path / "metrics.json")
        self.config: RunConfig = run_config(read_toml(self.path / "config.toml"))
        try:
            catalog = Catalog(int(self.metrics["data"]["items"]), int(self.metrics["data"]["users"]))
            key = Key(**self.metrics["key"])
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(f"{self.path}/metrics.json lacks what fedrec wrote ({error}): train again") from error
        items = self.path / "items.parquet"
        super().__init__(
            make_algorithm(self.config.algorithm, self.config.settings, self.config.rounds),
            catalog,
            read_arrays(self.path / "model.safetensors")[0],
            key,
            read_column(items, "item_id").to_list(),
            read_column(items, "title").to_list(),
            None,
        )
        self._agree()

    def _agree(self) -> None:
        missing = [name for name in self.algorithm.model if name not in self.shared]
        if missing or len(self.item_ids) != self.catalog.n_items:
            what = f"model.safetensors lacks {', '.join(missing)}" if missing else "items.parquet has other items"
            raise StorageError(f"{self.path}: {what}: the files are not of one run; train again")

    @cached_property
    def people(self) -> People:
        """Return what stays with the run's people; InputError where the folder came without private/."""
        folder = self.path / "private"
        if not folder.is_dir():
            raise InputError(
                f"{folder} is not here: it stays with the people of the run; give --items, or --data with a history"
            )
        arrays, _ = read_arrays(folder / "state.safetensors")
        ids = read_column(folder / "users.parquet", "user_id").to_list()
        return People(ids, self._histories(unprefixed("history", arrays)), unprefixed("private", arrays))

    def _histories(self, arrays: Arrays) -> Interactions:
        times, values = arrays.get("times"), arrays.get("values")
        return Interactions(
            self.catalog.n_items,
            np.arange(len(arrays["offsets"]) - 1, dtype=np.int64),
            np.asarray(arrays["offsets"], np.int64),
            np.asarray(arrays["items"], np.int32),
            None if values is None else np.asarray(values, np.float32),
            None if times is None else np.asarray(times, np.float64),
        )

    @property
    def has_people(self) -> bool:
        """Return whether the folder holds what stays with the people."""
        return (self.path / "private").is_dir()


def load(path: str | Path) -> Bundle:
    """Load a run folder written by ``fedrec train --out``."""
    return Bundle(path)
