"""The run folder: what a run writes, and what ``--resume``, ``recommend`` and ``report`` read back.

    metrics.json  config.toml  rounds.jsonl  model.safetensors  items.parquet  card.md
    private/      what stays with users: state.safetensors (their arrays and histories), users.parquet (their ids)
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
from fedrec.experiment.files import storage, write_bytes, write_json, write_text
from fedrec.experiment.fit import Model, Progress
from fedrec.experiment.tune import Search


class RunFolder:
    """One run's folder; every file in it is whole or absent, ``metrics.json`` is written last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def done(self) -> bool:
        """Return whether the run has ended."""
        return (self.path / "metrics.json").exists()

    def open(self, config: RunConfig, resume: bool) -> None:
        """Claim the folder for a run: refuse another run's, compare settings when resuming."""
        known = self.path / "config.toml"
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"--out {self.path} is a file: give a folder")
        if not resume:
            if self.path.exists() and any(self.path.iterdir()):
                raise ConfigError(
                    f"--out {self.path} already holds {'another run' if known.exists() else 'other files'}: choose a "
                    f"new folder, delete this one, or add --resume to go on with a run that was stopped"
                )
        elif known.exists():
            self._same_settings(run_config(read_toml(known)), config)
        with storage(self.path):
            (self.path / "private").mkdir(parents=True, exist_ok=True)
        write_text(known, to_toml(config))

    def _same_settings(self, old: RunConfig, new: RunConfig) -> None:
        a, b = old.model_dump(mode="json"), new.model_dump(mode="json")
        changed = [f"{name}: was {a[name]!r}, now {b[name]!r}" for name in a if a[name] != b[name]]
        if changed:
            raise ConfigError(
                f"--resume {self.path}: the settings differ from the run that was stopped ({'; '.join(changed)}); "
                f"use the same settings, or a new --out"
            )

    def save(self, stage: str, progress: Progress) -> None:
        """Write a checkpoint, then the rounds so far."""
        save_progress(self._checkpoint(stage), progress)
        self._rounds(progress)

    def load(self, stage: str, algorithm: Algorithm, catalog: Catalog) -> Progress | None:
        """Return a stage's checkpoint, or None where there is none."""
        path = self._checkpoint(stage)
        return load_progress(path, algorithm, catalog) if path.exists() else None

    def write_search(self, searches: list[Search]) -> None:
        """Write search.jsonl: every point that was tried on validation."""
        write_text(self.path / "search.jsonl", "".join(json.dumps(line) + "\n" for s in searches for line in s.lines()))

    def _checkpoint(self, stage: str) -> Path:
        return self.path / "private" / f"checkpoint-{stage}.safetensors"

    def _rounds(self, progress: Progress) -> None:
        lines = [json.dumps(asdict(record), ensure_ascii=False) for record in progress.records]
        write_text(self.path / "rounds.jsonl", "\n".join(lines) + "\n")

    def write(
        self,
        data: Dataset,
        model: Model,
        progress: Progress,
        config: RunConfig,
        metrics: dict[str, Any],
    ) -> None:
        """Write everything; the checkpoints go last, when nothing needs them."""
        shared: Arrays = {name: model.shared[name] for name in model.algorithm.model}
        write_text(self.path / "config.toml", to_toml(config))
        write_arrays(self.path / "model.safetensors", shared)
        write_bytes(self.path / "items.parquet", items_table(data))
        write_bytes(self.path / "private" / "users.parquet", users_table(data))
        write_arrays(
            self.path / "private" / "state.safetensors",
            prefixed("private", model.private) | prefixed("history", _histories(data.interactions)),
            json.dumps({"seed": model.key.seed, "round": model.key.round, "purpose": model.key.purpose}),
        )
        self._rounds(progress)
        write_text(self.path / "card.md", card(data, model, metrics))
        write_json(self.path / "metrics.json", metrics)
        for stage in ("train", "final"):
            self._checkpoint(stage).unlink(missing_ok=True)


def _histories(users: Interactions) -> Arrays:
    out: Arrays = {"offsets": users.offsets, "items": users.items}
    if users.times is not None:
        out["times"] = users.times
    return out
