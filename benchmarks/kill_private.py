"""Kill a private training run with SIGKILL at random moments, resume it, and look at its ledger and its bytes.

    python benchmarks/kill_private.py [MOMENTS]

At each of the 100 moments a run with noise is killed, then resumed to its end. Its noise key is put there before, so
that an undisturbed run can be compared byte for byte; a key is never an option of a command. Checked at each kill:
every round that was saved is counted in the ledger; at the end: the ledger of the undisturbed run, line by line, and
the same bytes. Writes benchmarks/results/kill_private.json. Not for Windows.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from kill_and_resume import COMMAND, SAME, differing, finish, kill_after, stage

from fedrec.experiment.machine import environment

RESULT = Path(__file__).parent / "results" / "kill_private.json"
DATA = "synthetic:users=600,items=300,per_user=30,seed=5"
LINE = [
    "train", "fedmf", "--rounds", "60", "--set", "dim=16", "--protocol", "last-basket", "--data", DATA,
    "--privacy.epsilon", "8",
]  # fmt: skip
KEY = bytes(range(32))


def start(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    config = folder / "every.toml"
    config.write_text("checkpoint_every = 1\n")
    if not out.exists():
        (out / "private").mkdir(parents=True)
        (out / "private" / "noise.key").write_bytes(KEY)
    line = [*COMMAND, *LINE, "--out", str(out), "--config", str(config), "--resume"]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def counted(out: Path) -> list[str]:
    """Return the names in the ledger; a torn last line is completed by its witness when it is opened again."""
    path = out / "private" / "budget.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [str(json.loads(line).get("name")) for line in lines]


def rounds_saved(out: Path) -> int:
    path = out / "rounds.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_one(folder: Path, out: Path, seconds: float) -> dict[str, Any] | None:
    """Kill a run after so many seconds; None where it had ended before."""
    shutil.rmtree(out, ignore_errors=True)
    if not kill_after(start(folder, out), seconds):
        return None
    saved, names = rounds_saved(out), counted(out)
    return {"killed": stage(out), "rounds saved": saved, "releases counted": max(len(names) - 1, 0)}


def main(moments: int) -> None:
    draw = np.random.Generator(np.random.Philox(key=31))
    each: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = folder / "whole"
        for _ in range(2):  # the first one compiles
            shutil.rmtree(whole, ignore_errors=True)
            began = time.perf_counter()
            finish(start(folder, whole))
            seconds = time.perf_counter() - began
        expected = counted(whole)
        for number in range(moments):
            out, share, found = folder / "killed", float(np.sqrt(draw.random())), None
            while found is None:
                found = kill_one(folder, out, share * seconds)
                share *= 0.9
            finish(start(folder, out))
            found["under-counted"] = found["releases counted"] < found["rounds saved"] or counted(out) != expected
            found["differing files"] = differing(out, whole)
            each.append(found)
            print(number + 1, found, flush=True)
    document = {
        "command": "python benchmarks/kill_private.py",
        "moments": moments,
        "resumed to the end": len(each),
        "under-counted": sum(x["under-counted"] for x in each),
        "same bytes": sum(not x["differing files"] for x in each),
        "files compared": list(SAME),
        "releases in all": len(expected) - 1,
        "run": ["fedrec", *LINE],
        "each": each,
        "environment": environment(),
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    print({k: document[k] for k in ("resumed to the end", "under-counted", "same bytes")})
    if document["under-counted"] or document["same bytes"] != moments:
        raise SystemExit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
