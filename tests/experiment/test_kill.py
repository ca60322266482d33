"""kill -9 of a real process, then --resume: the same bytes (law 6). The 30 random moments are in benchmarks/."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "import sys; from fedrec.cli import main; sys.exit(main())"]
LINE = [
    "train", "fedmf", "--data", "synthetic:users=120,items=80,per_user=12,seed=1", "--rounds", "12", "--set", "dim=8",
    "--protocol", "last-basket",
]  # fmt: skip
SAME = ("model.safetensors", "private/state.safetensors", "config.toml")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kill -9 is for POSIX systems")]


def start(out: Path, resume: bool = False) -> subprocess.Popen[bytes]:
    config = out.parent / "every.toml"
    config.write_text("checkpoint_every = 1\n")
    line = [*COMMAND, *LINE, "--out", str(out), "--config", str(config), *["--resume"] * resume]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate()
    assert process.returncode == 0, said.decode()


def kill_when(process: subprocess.Popen[bytes], due: Callable[[], bool]) -> None:
    """Kill as soon as something is seen on the disk; on a busy machine the run may have ended by then: no harm."""
    while not due():
        try:
            process.wait(timeout=0.002)
        except subprocess.TimeoutExpired:
            continue
        break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    finish(start(out))
    return out


def rounds_done(out: Path) -> int:
    file = out / "rounds.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "before anything is written": lambda out: out.parent.exists(),
    "before the first checkpoint": lambda out: (out / "config.toml").exists(),
    "in the first stage": lambda out: rounds_done(out) >= 5,
    "between the stages": lambda out: rounds_done(out) >= 12,
    "in the refit": lambda out: rounds_done(out) >= 14,
    "while the result is written": lambda out: (out / "model.safetensors").exists(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_then_resumed(tmp_path: Path, whole: Path, moment: str) -> None:
    out = tmp_path / "run"
    kill_when(start(out), lambda: MOMENTS[moment](out))
    finish(start(out, resume=True))
    for name in SAME:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert not [p for p in out.rglob("*") if "tmp" in p.name or "checkpoint" in p.name]
