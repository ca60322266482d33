"""A loaded run tested again: the same figures on the same data, people folded in on other data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fedrec
from fedrec.contract import DataError, InputError
from fedrec.experiment import run
from fedrec.experiment.config import run_config
from fedrec.experiment.folder import RunFolder
from fedrec.serve.evaluate import evaluate_bundle, history_from, read_data

SYNTHETIC = "synthetic:users=90,items=320,per_user=9,seed=2"


def train(out: Path, **values: Any) -> Path:
    ready = run.prepare(run_config({"data": SYNTHETIC} | values))
    folder = RunFolder(out)
    folder.claim(ready.config)
    run.execute(ready, folder)
    return out


@pytest.mark.parametrize("protocol", ["leave-last-out", "last-basket", "global-time", "ratio", "pfedrec-honest"])
@pytest.mark.parametrize("algorithm", ["ease", "slist", "popularity", "fedmf", "pfedrec"])
def test_same_data_same_figures_to_the_last_bit(tmp_path: Path, algorithm: str, protocol: str) -> None:
    few = {"rounds": 3, "dim": 8} if algorithm in ("fedmf", "pfedrec") else {}
    out = train(tmp_path / "run", algorithm=algorithm, protocol=protocol, settings=few, seed=4)
    told = json.loads((out / "metrics.json").read_text())
    found = evaluate_bundle(fedrec.load(out))
    assert found["test"] == {k: v for k, v in told["test"].items() if k != "reads"}
    assert found["protocol"]["fingerprint"] == told["protocol"]["fingerprint"]
    assert found["groups"] == told["groups"]
    assert found["notes"] == told["data"]["notes"] + run.prepare(fedrec.load(out).config).split.notes


def rows(users: range, items: range, prefix: str = "") -> str:
    lines = ["user_id,item_id,timestamp"]
    lines += [f"{prefix}{u},{items[(7 * u + 5 * n) % len(items)]},{1000 * u + n}" for u in users for n in range(5)]
    return "\n".join(lines) + "\n"


def test_other_people_are_folded_in_and_unknown_items_left_out(tmp_path: Path) -> None:
    bundle = fedrec.load(train(tmp_path / "run", algorithm="ease"))
    (tmp_path / "other.csv").write_text(rows(range(30), range(300, 340), "new "))
    found = evaluate_bundle(bundle, str(tmp_path / "other.csv"))
    assert 0 < found["test"]["users"] <= 30
    assert any("interactions with items the model does not know were left out" in note for note in found["notes"])
    assert not any("flatter" in note for note in found["notes"])


def test_items_in_another_order_are_the_same_items(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(rows(range(40), range(30)))
    lines = rows(range(40), range(30)).splitlines()
    (tmp_path / "b.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    bundle = fedrec.load(train(tmp_path / "run", algorithm="ease", data=str(tmp_path / "a.csv")))
    here, there = (evaluate_bundle(bundle, str(tmp_path / name))["test"] for name in ("a.csv", "b.csv"))
    assert here == pytest.approx(there, abs=1e-12)


def test_data_without_a_known_item_are_refused(tmp_path: Path) -> None:
    bundle = fedrec.load(train(tmp_path / "run", algorithm="ease"))
    (tmp_path / "other.csv").write_text(rows(range(30), range(9000, 9040)))
    with pytest.raises(DataError, match=r"has none of the model's 320 items \(there: 0, here: "):
        evaluate_bundle(bundle, str(tmp_path / "other.csv"))


def test_another_protocol_on_the_training_data_is_flagged(tmp_path: Path) -> None:
    bundle = fedrec.load(train(tmp_path / "run", algorithm="ease", protocol="none"))
    with pytest.raises(DataError, match="protocol none holds nothing out"):
        evaluate_bundle(bundle)
    found = evaluate_bundle(bundle, protocol="leave-last-out")
    assert found["notes"][-1].endswith("it may have seen what is tested here, and then these figures flatter it")
    assert found["test"]["ndcg@10"] > 0


def test_a_run_on_a_frame_needs_data_to_be_tested_on(tmp_path: Path) -> None:
    frame = {"user_id": [1, 1, 1, 2, 2, 2], "item_id": [1, 2, 3, 3, 2, 1], "timestamp": [1, 2, 3, 1, 2, 3]}
    fedrec.fit(frame, "ease", out=tmp_path / "run")
    with pytest.raises(DataError, match="was trained on a data frame: give --data"):
        evaluate_bundle(fedrec.load(tmp_path / "run"))


def test_history_from_a_file_with_one_person_and_other_column_names(tmp_path: Path) -> None:
    bundle = fedrec.load(train(tmp_path / "run", algorithm="ease"))
    (tmp_path / "me.csv").write_text("who,what,when\nme,17,2\nme,5,1\n")
    names = {"user_id": "who", "item_id": "what", "timestamp": "when"}
    history = history_from(bundle, str(tmp_path / "me.csv"), "me", names, None)
    assert [bundle.item_ids[i] for i in history.items] == [5, 17]
    assert bundle.recommend("me", history=history, k=3) == bundle.recommend(items=[5, 17], k=3)
    with pytest.raises(InputError, match="user 'you' is not in me"):
        history_from(bundle, str(tmp_path / "me.csv"), "you", names, None)


def test_order_of_the_data_decides_the_order_of_the_history(tmp_path: Path) -> None:
    bundle = fedrec.load(train(tmp_path / "run", algorithm="slist"))
    (tmp_path / "me.csv").write_text("user_id,item_id,step\nme,17,2\nme,5,1\n")
    assert read_data(bundle, str(tmp_path / "me.csv"), None, "step", fewest=1).interactions.items.tolist() == [5, 17]
