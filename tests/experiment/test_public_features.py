import json
from pathlib import Path

import numpy as np

import fedrec
from fedrec.experiment import run
from fedrec.experiment.config import RunConfig
from fedrec.experiment.folder import RunFolder
from fedrec.serve.evaluate import evaluate_bundle

SMALL = {"rank": 8, "second_rank": 8}


def test_only_who_asks_gets_public_features() -> None:
    data = run.load_data(RunConfig(algorithm="ease", data="quickstart"))
    plain = run.prepare(RunConfig(algorithm="ease", data="quickstart"), data)
    asked = run.prepare(RunConfig(algorithm="slist-private", data="quickstart", settings=SMALL), data)
    assert plain.catalog.features is None
    assert asked.catalog.features is not None
    assert asked.catalog.features.shape[0] == data.n_items


def test_a_trained_model_needs_no_features(tmp_path: Path) -> None:
    config = RunConfig(algorithm="slist-private", data="quickstart", protocol="leave-last-out", settings=SMALL)
    ready = run.prepare(config)
    out = tmp_path / "run"
    outcome = run.execute(ready, RunFolder(out))
    bundle = fedrec.load(out)
    assert bundle.catalog.features is None
    np.testing.assert_array_equal(bundle.shared["core"], outcome.model.shared["core"])
    told = json.loads((out / "metrics.json").read_text())
    found = evaluate_bundle(bundle)
    assert found["test"] == {k: v for k, v in told["test"].items() if k != "reads"}
