"""ease against LensKit's EASE, on the bundled purchases: other people's code, the same closed form."""

from __future__ import annotations

import numpy as np
import pytest

from fedrec.experiment import run
from fedrec.experiment.config import RunConfig
from fedrec.experiment.fit import fit

REG, PEOPLE = 50.0, 40


@pytest.fixture(scope="module")
def purchases() -> run.Prepared:
    config = RunConfig(algorithm="ease", data="quickstart", protocol="leave-last-out", settings={"reg": REG})
    return run.prepare(config, run.load_data(config))


def ours(prepared: run.Prepared) -> np.ndarray:
    """Return the federated model's scores for the first people, (PEOPLE, n_items)."""
    model, _ = fit(prepared.algorithm, prepared.catalog, prepared.split.train, None, prepared.options)
    return np.asarray(model.scorer()(prepared.split.train.slice(0, PEOPLE)), np.float64)


def theirs(prepared: run.Prepared, reg: float) -> np.ndarray:
    """Return LensKit's scores for the same people, trained on the same interactions."""
    from lenskit.data import DatasetBuilder, ItemList, RecQuery
    from lenskit.knn import EASEScorer

    train = prepared.split.train
    rows = np.repeat(np.arange(train.n_users), train.lengths())
    builder = DatasetBuilder()
    builder.add_entities("item", np.arange(train.n_items))
    builder.add_entities("user", np.arange(train.n_users))
    builder.add_interactions(
        "purchase", {"user_id": rows, "item_id": train.items}, entities=["user", "item"], default=True
    )
    scorer = EASEScorer(regularization=reg)
    scorer.train(builder.build())
    every = ItemList(item_ids=np.arange(train.n_items))
    out = []
    for _, history in train.slice(0, PEOPLE).histories():
        found = scorer(RecQuery(history_items=ItemList(item_ids=history.items)), every)
        out.append(found.scores("numpy"))
    return np.asarray(out, np.float64)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


def test_ease_scores_as_lenskit_does(purchases: run.Prepared) -> None:
    mine = ours(purchases)
    assert difference(mine, theirs(purchases, REG)) <= 1e-4
    assert difference(mine, theirs(purchases, 1.1 * REG)) > 1e-4  # a tenth more of the penalty is seen
