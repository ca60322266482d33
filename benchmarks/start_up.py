"""How long a person waits: `fedrec --help`, `--version`, and training slist on the bundled purchases.

    python benchmarks/start_up.py

The first training run compiles its kernels into a new, empty cache; the later ones find them there. Wall times in
seconds of whole processes; targets: --help 0.2 s, training 5 s after the first run. Writes results/start_up.json.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fedrec.experiment.machine import environment

RESULT = Path(__file__).parent / "results" / "start_up.json"
FEDREC = str(Path(sys.executable).with_name("fedrec"))  # the command that pip put beside this Python
TARGETS = {"--help": 0.2, "train": 5.0}
TRAIN = ["train", "slist", "--data", "quickstart"]


def timed(arguments: list[str], cache: str) -> dict[str, float]:
    """Run the command once and return its wall and CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [FEDREC, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
    )  # fmt: skip
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def repeated(arguments: list[str], cache: str, times: int) -> dict[str, Any]:
    runs = [timed(arguments, cache) for _ in range(times)]
    return {
        "runs": times,
        **{f"{kind} median": round(statistics.median(r[kind] for r in runs), 3) for kind in ("wall", "cpu")},
        **{f"{kind} best": round(min(r[kind] for r in runs), 3) for kind in ("wall", "cpu")},
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        timed(["--help"], cache)  # files into the operating system's cache
        found = {"--help": repeated(["--help"], cache, 15), "--version": repeated(["--version"], cache, 5)}
        first = timed(TRAIN, cache)
        found["train"] = repeated(TRAIN, cache, 5)
    compiling = {kind: round(first[kind] - found["train"][f"{kind} median"], 3) for kind in ("wall", "cpu")}
    document = {
        "command": "python benchmarks/start_up.py",
        "unit": "seconds of a whole process",
        "fedrec --help": found["--help"],
        "fedrec --version": found["--version"],
        "fedrec train slist --data quickstart, first run": {k: round(v, 3) for k, v in first.items()},
        "fedrec train slist --data quickstart, later runs": found["train"],
        "compile time (first run minus later ones)": compiling,
        "targets": {"fedrec --help": TARGETS["--help"], "train, later runs": TARGETS["train"]},
        "reached": {k: found[k]["wall median"] <= limit for k, limit in TARGETS.items()},
        "load": "shared machine, other work running" if os.getloadavg()[0] > 1.5 else "otherwise idle",
        "environment": environment(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps({k: v for k, v in document.items() if k != "environment"}, indent=1))


if __name__ == "__main__":
    main()
