"""Kill a training run with SIGKILL at random moments, resume it, and compare its bytes with a run never stopped.

    python benchmarks/kill_and_resume.py [MOMENTS]

Each of the 30 moments is drawn anew: a run is killed there, resumed, killed again at another moment (every second
time), and resumed to its end. Writes benchmarks/results/kill_and_resume.json. Not for Windows: it has no SIGKILL.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from fedrec.experiment.machine import environment

RESULT = Path(__file__).parent / "results" / "kill_and_resume.json"
DATA = "synthetic:users=400,items=300,per_user=30,seed=5"
RUNS: dict[str, list[str]] = {  # many rounds, a checkpoint after each; with and without a refit; with the round chosen
    "fedmf, leave-last-out": ["fedmf", "--rounds", "120", "--set", "dim=16"],
    "fedmf, last-basket (refitted)": ["fedmf", "--rounds", "60", "--protocol", "last-basket", "--set", "dim=16"],
    "pfedrec, pfedrec-honest": ["pfedrec", "--rounds", "60", "--protocol", "pfedrec-honest", "--set", "dim=16"],
    "ials, last-basket (refitted)": ["ials", "--rounds", "60", "--protocol", "last-basket", "--set", "dim=16"],
    "slist, leave-last-out (one round)": ["slist"],
}
SAME = ("model.safetensors", "private/state.safetensors", "config.toml", "items.parquet")
COMMAND = [sys.executable, "-c", "import sys; from fedrec.cli import main; sys.exit(main())"]


def start(arguments: list[str], folder: Path, out: Path, resume: bool = False) -> subprocess.Popen[bytes]:
    config = folder / "every.toml"
    config.write_text("checkpoint_every = 1\n")
    line = [*COMMAND, "train", *arguments, "--data", DATA, "--out", str(out), "--config", str(config)]
    return subprocess.Popen(
        line + ["--resume"] * resume, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"a run failed: {said.decode()}")


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Kill a run; False where it had ended before."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    return False


def stage(out: Path) -> str:
    """Say how far a killed run had come."""
    if (out / "metrics.json").exists():
        return "after its end"
    if (out / "model.safetensors").exists():
        return "while writing the result"
    for name in ("final", "train"):
        if (out / "private" / f"checkpoint-{name}.safetensors").exists():
            return f"in the stage {name!r}, after a checkpoint"
    return "before the first checkpoint" if (out / "config.toml").exists() else "before it wrote anything"


def differing(out: Path, whole: Path) -> list[str]:
    return [name for name in SAME if (out / name).read_bytes() != (whole / name).read_bytes()]


def once(arguments: list[str], folder: Path, out: Path, moments: list[float]) -> list[str]:
    """Kill at each moment, resume, and return how far the run had come each time."""
    stages = []
    for number, moment in enumerate(moments):
        if kill_after(start(arguments, folder, out, resume=number > 0), moment):
            stages.append(stage(out))
    finish(start(arguments, folder, out, resume=True))
    return stages


def main(moments: int) -> None:
    draw = np.random.Generator(np.random.Philox(key=30))
    kills: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, seconds = {}, {}
        for run, arguments in RUNS.items():
            whole[run] = folder / f"whole {len(whole)}"
            finish(start(arguments, folder, whole[run]))  # compiles
            shutil.rmtree(whole[run])
            began = time.perf_counter()
            finish(start(arguments, folder, whole[run]))
            seconds[run] = time.perf_counter() - began
        for number in range(moments):
            run = list(RUNS)[number % len(RUNS)]
            out = folder / f"killed {number}"
            # most of the first part of a run is the start of Python: the draws lean towards the later part
            shares = np.sqrt(draw.random(1 + number // len(RUNS) % 2))
            stages: list[str] = []
            while not stages:  # a run that was quicker this time and ended before its kill does not count
                shutil.rmtree(out, ignore_errors=True)
                stages = once(RUNS[run], folder, out, [float(s) * seconds[run] for s in shares])
                shares *= 0.9
            differ = differing(out, whole[run])
            kills.append({"run": run, "killed": stages, "differing files": differ})
            result = ", ".join(differ) + " differ" if differ else "the same bytes"
            print(f"{number + 1:>3} {run:<36} {', then '.join(stages)}: {result}", flush=True)
            shutil.rmtree(out)
    counts: dict[str, int] = {}
    for one in kills:
        for where in one["killed"]:
            counts[where] = counts.get(where, 0) + 1
    document = {
        "command": "python benchmarks/kill_and_resume.py",
        "moments": moments,
        "killed": sum(len(k["killed"]) for k in kills),
        "same bytes": sum(not k["differing files"] for k in kills),
        "files compared": list(SAME),
        "killed where": dict(sorted(counts.items())),
        "data": DATA,
        "runs": {k: ["fedrec", "train", *v] for k, v in RUNS.items()},
        "each": kills,
        "environment": environment(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{document['same bytes']} of {moments} the same bytes; killed {document['killed where']}")
    if document["same bytes"] != moments:
        raise SystemExit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
