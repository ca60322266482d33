"""Small data sets and runs that the tests of this folder share."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fedrec.data.dataset import Dataset
from fedrec.data.sources import load
from fedrec.experiment import run
from fedrec.experiment.config import run_config
from fedrec.experiment.folder import RunFolder
from fedrec.experiment.run import Outcome, Prepared

TINY = "tests.experiment.tiny_algorithm:Tiny"
PICKY = "tests.experiment.tiny_algorithm:Picky"
DAY = 86_400


@lru_cache
def purchases(users: int = 30, items: int = 24, seed: int = 0) -> Dataset:
    """Some people on several days each, with two taste groups; enough for every protocol but the pfedrec ones."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    rows: dict[str, list[Any]] = {"user_id": [], "item_id": [], "timestamp": []}
    for user in range(users):
        liked = draw.permutation(items)
        liked = np.concatenate([liked[liked % 2 == user % 2], liked[liked % 2 != user % 2]])
        for place, item in enumerate(liked[: draw.integers(5, 12)]):
            rows["user_id"].append(f"u{user}")
            rows["item_id"].append(f"i{item}")
            rows["timestamp"].append(1_000_000 + place // 2 * DAY + place)
    data = load(rows)
    data.name = "purchases"
    return data


def prepared(data: Dataset | None = None, **values: Any) -> Prepared:
    config = run_config({"algorithm": TINY, "data": "purchases"} | values)
    return run.prepare(config, purchases() if data is None else data)


def finish(ready: Prepared, out: Path, resume: bool = False) -> Outcome:
    """Run as ``fedrec train --out`` does."""
    folder = RunFolder(out)
    folder.check(ready.config, resume)
    folder.claim(ready.config)
    return run.execute(ready, folder, resume=resume)
