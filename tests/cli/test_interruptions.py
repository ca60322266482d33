"""Ctrl-C, a full disk, a pipe that closes, a defect: one sentence, exit code 1, what was there stays."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fedrec.cli import main
from fedrec.experiment import files, folder
from tests.cli.calling import MADE_UP, Called, call, done

TRAIN = ["train", "fedmf", "--data", MADE_UP, "--rounds", "4", "--set", "dim=8"]

REMARKS = ("fedmf train", "fedrec: made up", "fedrec: 0 of 80 test items")  # of a run that goes well


def raising(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def stopped(*arguments: str | Path) -> str:
    found = call(*arguments)
    assert found.code == 1, found
    lines = [line for line in found.lines if not line.startswith(REMARKS)]
    assert len(lines) == 1, found
    return lines[0]


def test_ctrl_c_is_one_sentence_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "c.toml"
    config.write_text("checkpoint_every = 1\n")
    line = [*TRAIN, "--config", config, "--out", tmp_path / "run"]
    real, left = folder.save_progress, [2]

    def save(*arguments: Any) -> None:
        real(*arguments)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder, "save_progress", save)
        said = stopped(*line)
    assert said == "fedrec: stopped; what was saved before is intact, and train --out goes on with --resume"
    assert (tmp_path / "run" / "private" / "checkpoint-train.safetensors").exists()
    done(*line, "--resume")
    whole = [*TRAIN, "--config", config, "--out", tmp_path / "whole"]
    done(*whole)
    for name in ("model.safetensors", "private/state.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_full_disk_is_one_sentence_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    config = tmp_path / "c.toml"
    config.write_text("checkpoint_every = 1\n")
    line = [*TRAIN, "--config", config, "--out", tmp_path / "run"]
    real, left = os.fsync, [12]

    def fsync(handle: int) -> None:
        left[0] -= 1
        if left[0] <= 0:
            raise OSError(code, os.strerror(code))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", fsync)
        said = stopped(*line)
    assert said.startswith("fedrec: cannot write")
    assert "what was saved before is intact" in said
    assert not list((tmp_path / "run").rglob("*.tmp"))
    done(*line, "--resume")
    done(*TRAIN, "--config", config, "--out", tmp_path / "whole")
    assert (tmp_path / "run/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = call("train", "popularity", "--data", MADE_UP, "--out", tmp_path / "file" / "run")
    assert found.code == 1
    assert "cannot write" in found.err
    assert "a part of the path is a file" in found.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "stopped; what was saved before is intact"),
        (MemoryError(), "out of memory: use a smaller data set or a cheaper algorithm"),
        (OSError(errno.EIO, "Input/output error", "x.csv"), "Input/output error: x.csv"),
    ],
)
def test_what_happens_to_the_machine_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, said: str
) -> None:
    monkeypatch.setattr("fedrec.experiment.run.prepare", raising(error))
    assert stopped("train", "ease", "--data", MADE_UP).startswith(f"fedrec: {said}")


def test_a_defect_of_ours_is_admitted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("fedrec.experiment.run.prepare", raising(ZeroDivisionError("division\nby zero")))
    assert main(["train", "ease", "--data", MADE_UP]) == 1
    said = capsys.readouterr().err
    assert said == (
        "fedrec: a defect of fedrec, please report it: ZeroDivisionError: division by zero (-v shows more)\n"
    )
    assert main(["train", "ease", "--data", MADE_UP, "-v"]) == 1
    assert "Traceback" in capsys.readouterr().err


class Closed(io.StringIO):
    """Standard output whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_closed_pipe_is_no_error_message(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr("fedrec.cli._nobody_reads", lambda: None)  # it would close pytest's own standard output
    with contextlib.redirect_stdout(Closed()), contextlib.redirect_stderr(said):
        found = Called(main(["algorithms", "--format", "json"]), "", said.getvalue())
    assert found == Called(1, "", "")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes as shells make them")
@pytest.mark.parametrize(
    "arguments", [["--help"], ["algorithms"], ["algorithms", "--format", "json"], ["train", "--help"]]
)
def test_a_reader_that_leaves(arguments: list[str]) -> None:
    """``fedrec ... | head -0``: nothing on standard error, no exit code 120 from a flush at the end."""
    command = [sys.executable, "-c", "import sys; from fedrec.cli import main; sys.exit(main())", *arguments]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        found = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert found.stderr == b""
    assert found.returncode in (0, 1)


def test_progress_and_results_go_different_ways(tmp_path: Path) -> None:
    found = done(*TRAIN, "--format", "json")
    assert json.loads(found.out)["rounds"] <= 4
    assert "fedmf train  round 4/4" in found.err
