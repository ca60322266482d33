"""A run that was stopped and resumed ends in the same bytes as one that was never stopped (law 6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fedrec.contract import ConfigError
from fedrec.experiment import fit, folder, run
from fedrec.experiment.config import RunConfig, run_config
from fedrec.experiment.folder import RunFolder
from fedrec.experiment.run import Prepared
from tests.experiment.cases import PICKY, TINY, finish, prepared, purchases
from tests.experiment.tiny_algorithm import Picky, PickyStopping, Stopping, Tiny

SAME = ("model.safetensors", "config.toml", "items.parquet", "private/state.safetensors", "private/users.parquet")


class Killed(BaseException):
    """What nothing in fedrec catches."""


def stopping(ready: Prepared, at: int) -> Prepared:
    """The same run, whose machine fails in the server step of round ``at``."""
    kind = PickyStopping if isinstance(ready.algorithm, Picky) else Stopping
    kind.at = at
    object.__setattr__(ready, "algorithm", kind(ready.algorithm.config))
    return ready


def settings(protocol: str, algorithm: str, **more: Any) -> dict[str, Any]:
    return {"protocol": protocol, "algorithm": algorithm, "checkpoint_every": 1, "evaluate_every": 1} | more


def rounds(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (path / "rounds.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def numbers(path: Path) -> dict[str, Any]:
    found = json.loads((path / "metrics.json").read_text())
    return {k: v for k, v in found.items() if k not in ("seconds", "peak_rss_bytes")}


def assert_same(stopped: Path, whole: Path) -> None:
    for name in SAME:
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name
    assert rounds(stopped) == rounds(whole)
    assert numbers(stopped) == numbers(whole)
    assert {p.name for p in stopped.iterdir()} == {p.name for p in whole.iterdir()}
    assert {p.name for p in (stopped / "private").iterdir()} == {"state.safetensors", "users.parquet"}


@pytest.mark.parametrize("algorithm", [TINY, PICKY])
@pytest.mark.parametrize("protocol", ["leave-last-out", "last-basket", "none"])
@pytest.mark.parametrize("at", [0, 1, 4, 5])
def test_stopped_in_any_round(tmp_path: Path, algorithm: str, protocol: str, at: int) -> None:
    values = settings(protocol, algorithm)
    finish(prepared(**values), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        finish(stopping(prepared(**values), at), tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "metrics.json").exists()
    finish(prepared(**values), tmp_path / "stopped", resume=True)
    assert_same(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.parametrize("more", [{"cohort": 12}, {"faults": [{"reason": "rain", "share": 0.3}]}, {"seed": 7}])
def test_cohorts_and_faults_are_the_same_after_a_stop(tmp_path: Path, more: dict[str, Any]) -> None:
    values = settings("last-basket", PICKY, checkpoint_every=2, **more)
    finish(prepared(**values), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        finish(stopping(prepared(**values), 3), tmp_path / "stopped")
    finish(prepared(**values), tmp_path / "stopped", resume=True)
    assert_same(tmp_path / "stopped", tmp_path / "whole")


def test_stopped_again_and_again(tmp_path: Path) -> None:
    values = settings("last-basket", PICKY)
    finish(prepared(**values), tmp_path / "whole")
    for at in range(6):
        with pytest.raises(KeyboardInterrupt):
            finish(stopping(prepared(**values), at), tmp_path / "stopped", resume=at > 0)
    finish(prepared(**values), tmp_path / "stopped", resume=True)
    assert_same(tmp_path / "stopped", tmp_path / "whole")


def _killed_at_each_write(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], whole: Path, out: Path) -> None:
    """Kill before the n-th file of the run is written, for every n; resume; the result is the same."""
    real, left = folder.write_bytes, 0

    def write(path: Path, data: bytes) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        real(path, data)

    total = 0
    while True:
        left = total
        target = out / str(total)
        with monkeypatch.context() as patch:
            for name in ("files", "folder", "arrays"):
                patch.setattr(f"fedrec.experiment.{name}.write_bytes", write)
            try:
                finish(prepared(**values), target)
            except Killed:
                pass
            else:
                break
        finish(prepared(**values), target, resume=True)
        assert_same(target, whole)
        total += 1
    assert total > 12


@pytest.mark.parametrize("protocol", ["leave-last-out", "last-basket"])
def test_killed_before_any_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    values = settings(protocol, PICKY, rounds=3)
    finish(prepared(**values), tmp_path / "whole")
    _killed_at_each_write(monkeypatch, values, tmp_path / "whole", tmp_path)


def test_the_pfedrec_protocol_is_resumed_on_the_broadcast(tmp_path: Path) -> None:
    data = purchases(users=60, items=400)
    values = settings("pfedrec-honest", PICKY, evaluate_every=None)
    finish(prepared(data, **values), tmp_path / "whole")
    found = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    assert found["key"] == {"seed": 0, "round": found["rounds"] - 1, "purpose": "update"}
    for at in (1, 5):
        with pytest.raises(KeyboardInterrupt):
            finish(stopping(prepared(data, **values), at), tmp_path / str(at))
        finish(prepared(data, **values), tmp_path / str(at), resume=True)
        assert_same(tmp_path / str(at), tmp_path / "whole")


def test_checkpoints_are_sparse_where_asked_and_gone_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    real = folder.save_progress

    def note(path: Path, progress: fit.Progress, data: str) -> None:
        saved.append((path.stem, progress.state.round))
        real(path, progress, data)

    monkeypatch.setattr(folder, "save_progress", note)
    finish(prepared(protocol="last-basket", checkpoint_every=4), tmp_path / "run")
    assert saved == [("checkpoint-train", 4), ("checkpoint-train", 6), ("checkpoint-final", 4), ("checkpoint-final", 6)]
    assert not list((tmp_path / "run" / "private").glob("checkpoint*"))


def stopped_run(tmp_path: Path, **more: Any) -> Path:
    with pytest.raises(KeyboardInterrupt):
        finish(stopping(prepared(**settings("leave-last-out", TINY, **more)), 3), tmp_path / "run")
    return tmp_path / "run"


def asked(**more: Any) -> RunConfig:
    return run_config({"data": "purchases"} | settings("leave-last-out", TINY) | more)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed: was 0, now 1"),
        ({"rounds": 9}, "rounds: was None, now 9"),
        ({"settings": {"pull": 0.25}}, "settings: was {}, now {'pull': 0.25}"),
        ({"protocol": "none", "seed": 1}, "protocol: was 'leave-last-out', now 'none'; seed: was 0, now 1"),
        ({"faults": [{"reason": "rain", "share": 0.1}]}, "faults: was []"),
    ],
)
def test_resume_with_another_config_names_the_difference(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = stopped_run(tmp_path)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    with pytest.raises(ConfigError) as caught:
        RunFolder(path).check(asked(**change), resume=True)
    assert words in str(caught.value)
    assert "use the same settings, or a new --out" in str(caught.value)
    assert before == {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_resume_with_other_data_is_refused(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    ready = prepared(purchases(seed=1), **settings("leave-last-out", TINY))
    with pytest.raises(ConfigError, match="the data differ from those of the run that was stopped"):
        finish(ready, path, resume=True)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    with pytest.raises(ConfigError, match=r"already holds another run: .*add --resume"):
        RunFolder(path).check(asked())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(b"")
    with pytest.raises(ConfigError, match="already holds other files"):
        RunFolder(tmp_path / "photos").check(asked())
    with pytest.raises(ConfigError, match=r"the folder holds no run \(there is 'me.jpg', but no config.toml\)"):
        RunFolder(tmp_path / "photos").check(asked(), resume=True)
    with pytest.raises(ConfigError, match="is a file: give a folder"):
        RunFolder(tmp_path / "photos" / "me.jpg").check(asked())


def test_an_empty_or_missing_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing", "deep/er"):
        for resume in (False, True):
            assert RunFolder(tmp_path / name).check(asked(), resume) == asked()
    assert not (tmp_path / "missing").exists()


def test_a_search_that_had_ended_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "run"
    ready = prepared(**settings("leave-last-out", TINY))
    place = RunFolder(path)
    place.claim(ready.config)
    tuned, search = run.tune(ready)
    place.write_search(search, tuned.config)
    assert tuned.config.settings == search.best.settings
    again = RunFolder(path)
    assert again.check(asked(), resume=True, tune=True) == tuned.config
    assert again.chosen() == tuned.config.settings
    with pytest.raises(ConfigError, match="settings: was"):
        again.check(asked(), resume=True, tune=False)
    with pytest.raises(ConfigError, match="seed: was 0, now 1"):
        again.check(asked(seed=1), resume=True, tune=True)
    again.claim(ready.config)  # killed after the search was written, before the settings were
    assert RunFolder(path).check(asked(), resume=True, tune=True) == tuned.config


def test_kinds_are_told_apart() -> None:
    assert not Tiny.selects_round
    assert Picky.selects_round
