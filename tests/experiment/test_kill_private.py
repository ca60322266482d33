"""kill -9 of a private run: resumed with the same noise, charged once; benchmarks/kill_private.py has 100 moments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.experiment.test_kill import COMMAND, ROOT, SAME, finish, kill_when, rounds_done

LINE = [
    "train", "fedmf", "--data", "synthetic:users=18,items=80,per_user=12,seed=1", "--rounds", "12", "--set", "dim=8",
    "--protocol", "last-basket", "--profile", "demo", "--privacy.epsilon", "8", "--privacy.delta", "1e-3",
]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is for POSIX systems")]


def start(out: Path) -> subprocess.Popen[bytes]:
    """Start or resume a run whose noise key is known: it lies where a stopped run would have left it."""
    if not out.exists():
        (out / "private").mkdir(parents=True)
        (out / "private" / "noise.key").write_bytes(bytes(range(32)))
    config = out.parent / "every.toml"
    config.write_text("checkpoint_every = 1\n")
    line = [*COMMAND, *LINE, "--out", str(out), "--config", str(config), "--resume"]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ})


def counted(out: Path) -> bytes:
    """Return the ledger without what is drawn anew when it is opened: its id, and the checksums that follow from it."""
    lines = (out / "private" / "budget.jsonl").read_bytes().splitlines()[1:]
    return b"\n".join(line.split(b'"chain"')[0] for line in lines)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    finish(start(out))
    return out


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "before the first release": lambda out: (out / "private" / "budget.jsonl").exists(),
    "among the releases": lambda out: rounds_done(out) >= 5,
    "in the second training": lambda out: rounds_done(out) >= 14,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_then_resumed_with_the_same_noise_and_charged_once(tmp_path: Path, whole: Path, moment: str) -> None:
    out = tmp_path / "run"
    kill_when(start(out), lambda: MOMENTS[moment](out))
    finish(start(out))
    for name in SAME:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert counted(out) == counted(whole)
    assert not (out / "private" / "noise.key").exists()
