"""Checkpoints: one file holds everything a run needs to go on, so it is whole or absent."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from fedrec.contract import Algorithm, Arrays, Catalog, ConfigError, Key
from fedrec.experiment.arrays import prefixed, read_arrays, unprefixed, write_arrays
from fedrec.experiment.fit import Model, Progress
from fedrec.server.rounds import Record, State


def save_progress(path: Path, progress: Progress, data: str) -> None:
    """Write shared state, private state, the best round so far and the records of all rounds.

    ``data``: fingerprint of what is trained on, so that a run does not go on with other people's rows.
    """
    arrays = prefixed("shared", progress.state.shared) | prefixed("private", progress.private)
    best = progress.best
    about = {
        "data": data,
        "round": progress.state.round,
        "records": [asdict(r) for r in progress.records],
        "best_value": progress.best_value,
        "best": None
        if best is None
        else {"round": best.round, "seed": best.key.seed, "key_round": best.key.round, "purpose": best.key.purpose},
    }
    if best is not None:
        arrays |= prefixed("best_shared", best.shared) | prefixed("best_private", best.private)
    write_arrays(path, arrays, json.dumps(about))


def load_progress(path: Path, algorithm: Algorithm, catalog: Catalog, data: str) -> Progress:
    """Read what ``save_progress`` wrote; ConfigError where it was trained on other data."""
    arrays, text = read_arrays(path)
    about = json.loads(text)
    if about["data"] != data:
        raise ConfigError(
            f"--resume {path.parent.parent}: the data differ from those of the run that was stopped (fingerprint was "
            f"{about['data']}, now {data}); use the same data, or a new --out"
        )
    best = None
    if about["best"] is not None:
        key = Key(about["best"]["seed"], about["best"]["key_round"], about["best"]["purpose"])
        best = Model(
            algorithm,
            catalog,
            _own(unprefixed("best_shared", arrays)),
            _own(unprefixed("best_private", arrays)),
            key,
            about["best"]["round"],
        )
    return Progress(
        State(_own(unprefixed("shared", arrays)), about["round"]),
        _own(unprefixed("private", arrays)),
        [Record(**r) for r in about["records"]],
        best,
        about["best_value"],
    )


def _own(arrays: Arrays) -> Arrays:
    """Return copies: what was read lies in the file's read-only bytes."""
    return {name: array.copy() for name, array in arrays.items()}
