"""The Python API: fit on a frame or a data set, recommend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fedrec import data as data_layer
from fedrec.experiment import run
from fedrec.experiment.config import run_config
from fedrec.experiment.folder import RunFolder
from fedrec.serve.recommender import People, Recommender

FRAME = "frame"  # the name of data that came as a frame, in config.toml


class Fitted(Recommender):
    """A federation trained in this process; ``metrics``: what metrics.json holds; ``outcome``: everything else."""

    def __init__(self, outcome: run.Outcome) -> None:
        model, data = outcome.model, outcome.prepared.data
        super().__init__(
            model.algorithm,
            model.catalog,
            model.shared,
            model.key,
            data.item_ids.to_list(),
            data.titles,
            People(data.user_ids.to_list(), data.interactions, model.private),
        )
        self.outcome = outcome
        self.metrics: dict[str, Any] = outcome.metrics


def fit(
    data: Any,
    algorithm: str = "slist",
    *,
    protocol: str = "none",
    out: str | Path | None = None,
    seed: int = 0,
    tune: bool = False,
    secure_sum: str = "off",
    profile: str | None = None,
    privacy: dict[str, Any] | None = None,
    **settings: Any,
) -> Fitted:
    """Train on a frame (polars, pandas, dict of columns), a file or a data set's name; return what recommends.

    ``data`` needs ``user_id`` and ``item_id`` columns, ``timestamp`` where order matters. ``settings`` are the
    algorithm's own. ``protocol`` other than "none" holds a test part out and fills ``metrics``; ``tune`` chooses
    settings on its validation part. ``out``: a folder to write the run to, for ``fedrec.load``. ``secure_sum``,
    ``profile`` and ``privacy`` ({"epsilon": 4.0, ...}) are those of ``fedrec train``.
    """
    config = run_config(
        {
            "algorithm": algorithm,
            "data": str(data) if isinstance(data, str | Path) else FRAME,
            "protocol": protocol,
            "seed": seed,
            "secure_sum": secure_sum,
            "profile": profile,
            "privacy": privacy,
            "settings": settings,
        }
    )
    folder = RunFolder(Path(out)) if out is not None else None
    if folder is not None:
        folder.check(config)
    prepared = run.prepare(config, data_layer.load(data))
    if folder is not None:
        folder.claim(config)
    if tune:
        prepared, search = run.tune(prepared)
        if folder is not None:
            folder.write_search(search, prepared.config)
    return Fitted(run.execute(prepared, folder))
