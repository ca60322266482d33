"""The run folder: what a run writes, and what ``--resume``, ``recommend`` and ``report`` read back.

metrics.json  config.toml  rounds.jsonl  model.safetensors  items.parquet  card.md  search.jsonl (with --tune)
private/      what stays with users: state.safetensors (their arrays and histories), users.parquet (their ids);
              with noise budget.jsonl (what was released), with a secure sum secure-sum.json (what clients remember)
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fedrec.contract import Algorithm, Arrays, Catalog, ConfigError, Interactions
from fedrec.data.dataset import Dataset
from fedrec.data.tables import items_table, users_table
from fedrec.experiment.arrays import prefixed, write_arrays
from fedrec.experiment.card import card
from fedrec.experiment.checkpoint import load_progress, save_progress
from fedrec.experiment.config import RunConfig, read_toml, run_config, to_toml
from fedrec.experiment.files import reading, sweep, write_bytes, write_json, write_text, writing
from fedrec.experiment.fit import Model, Progress
from fedrec.experiment.tune import Search
from fedrec.server.rounds import Record

STAGES = ("train", "final")  # for validation, and refitted for the test where the protocol does


class RunFolder:
    """One run's folder; every file in it is whole or absent, ``metrics.json`` is written last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.toml"
        self.search_file = path / "search.jsonl"
        self.metrics_file = path / "metrics.json"
        self.noise_key_file = path / "private" / "noise.key"
        self.memory_file = path / "private" / "secure-sum.json"
        self._records: dict[str, list[Record]] = {}

    @property
    def done(self) -> bool:
        """Return whether the run has ended."""
        return self.metrics_file.exists()

    def check(self, config: RunConfig, resume: bool = False, tune: bool = False) -> RunConfig:
        """Return the run's settings; refuse another run's folder and, when resuming, other settings. Writes nothing.

        With ``tune`` and ``resume`` the settings that the stopped run chose are part of what is returned.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"--out {self.path} is a file: give a folder")
        if not resume:
            self._refuse_others()
        elif self.config_file.exists():
            return self._settle(config, run_config(read_toml(self.config_file)), tune)
        else:
            self._refuse_strangers()
        return config

    def claim(self, config: RunConfig) -> None:
        """Make the folder this run's: write its settings, tidy up after a run that was killed."""
        with writing(self.path):
            (self.path / "private").mkdir(parents=True, exist_ok=True)
        sweep(self.path)
        sweep(self.path / "private")
        write_text(self.config_file, to_toml(config))

    def tidy(self) -> None:
        """Delete what a run that was killed just after its end has left."""
        sweep(self.path)
        self._forget_checkpoints()

    def _refuse_others(self) -> None:
        if self.path.exists() and any(self.path.iterdir()):
            what = "another run" if self.config_file.exists() else "other files"
            raise ConfigError(
                f"--out {self.path} already holds {what}: choose a new folder, delete this one, or add --resume to go "
                f"on with a run that was stopped"
            )

    def _refuse_strangers(self) -> None:
        """Refuse to resume among other files; a run that was stopped before its settings were written has none."""
        if self.path.exists():
            strange = [x.name for x in self.path.iterdir() if x.name != "private" and not x.name.endswith(".tmp")]
            if strange:
                raise ConfigError(
                    f"--resume {self.path}: the folder holds no run (there is {strange[0]!r}, but no config.toml); "
                    f"give the --out folder of the run that was stopped"
                )

    def _settle(self, asked: RunConfig, known: RunConfig, tune: bool) -> RunConfig:
        chosen = self.chosen() if tune else None
        settled = asked if chosen is None else asked.model_copy(update={"settings": asked.settings | chosen})
        if chosen is not None and known == asked:
            return settled  # stopped between writing the search and writing the settings it chose
        a, b = known.model_dump(mode="json"), settled.model_dump(mode="json")
        changed = [f"{name}: was {a[name]!r}, now {b[name]!r}" for name in a if a[name] != b[name]]
        if changed:
            raise ConfigError(
                f"--resume {self.path}: the settings differ from the run that was stopped ({'; '.join(changed)}); "
                f"use the same settings, or a new --out"
            )
        return settled

    def save(self, stage: str, progress: Progress, data: str) -> None:
        """Write a checkpoint, then the rounds so far."""
        save_progress(self._checkpoint(stage), progress, data)
        self._records[stage] = progress.records
        self._write_rounds()

    def load(self, stage: str, algorithm: Algorithm, catalog: Catalog, data: str) -> Progress | None:
        """Return a stage's checkpoint, or None where there is none."""
        path = self._checkpoint(stage)
        if not path.exists():
            return None
        progress = load_progress(path, algorithm, catalog, data)
        self._records[stage] = progress.records
        return progress

    def write_search(self, search: Search, config: RunConfig) -> None:
        """Write search.jsonl, every point that was tried on validation, then the settings that were chosen."""
        write_text(self.search_file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in search.lines()))
        write_text(self.config_file, to_toml(config))

    def chosen(self) -> dict[str, Any] | None:
        """Return the settings that a search of this run chose, or None where none has ended."""
        if not self.search_file.exists():
            return None
        with reading(self.search_file):
            lines = [json.loads(line) for line in self.search_file.read_text(encoding="utf-8").splitlines()]
        found: dict[str, Any] = next(line["settings"] for line in lines if line["chosen"])
        return found

    def _checkpoint(self, stage: str) -> Path:
        return self.path / "private" / f"checkpoint-{stage}.safetensors"

    def _forget_checkpoints(self) -> None:
        with writing(self.path):
            for stage in STAGES:
                self._checkpoint(stage).unlink(missing_ok=True)
            self.noise_key_file.unlink(missing_ok=True)  # whoever has it can take the noise off again

    def _write_rounds(self) -> None:
        lines = [{"stage": stage, **asdict(r)} for stage, records in self._records.items() for r in records]
        write_text(self.path / "rounds.jsonl", "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in lines))

    def write(self, data: Dataset, model: Model, config: RunConfig, metrics: dict[str, Any]) -> None:
        """Write everything; the checkpoints go last, when nothing needs them."""
        shared: Arrays = {name: model.shared[name] for name in model.algorithm.model}
        write_text(self.config_file, to_toml(config))
        write_arrays(self.path / "model.safetensors", shared)
        write_bytes(self.path / "items.parquet", items_table(data))
        write_bytes(self.path / "private" / "users.parquet", users_table(data))
        write_arrays(
            self.path / "private" / "state.safetensors",
            prefixed("private", model.private) | prefixed("history", _histories(data.interactions)),
            json.dumps({"seed": model.key.seed, "round": model.key.round, "purpose": model.key.purpose}),
        )
        self._write_rounds()
        write_text(self.path / "card.md", card(data, model, metrics))
        write_json(self.metrics_file, metrics)
        self._forget_checkpoints()


def _histories(users: Interactions) -> Arrays:
    out: Arrays = {"offsets": users.offsets, "items": users.items}
    for name, array in (("times", users.times), ("values", users.values)):
        if array is not None:
            out[name] = array
    return out
