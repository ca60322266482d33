"""Peak memory of reading a large CSV and splitting it: 10^8 interactions must fit in 24 GiB.

    python benchmarks/memory_load.py [--users 1000000] [--folder DIR]

Writes made-up interactions (100 a user, rows not sorted by user, ids read back as text) to a CSV file of some 24 bytes
a row, then reads them in a fresh process. Writes benchmarks/results/memory_load.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from fedrec.data import load, protocols

RESULT = Path(__file__).resolve().parent / "results" / "memory_load.json"
PER_USER = 100


def peak() -> float:
    """Return the highest resident memory so far, GiB (Linux counts in KiB)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def write(path: Path, users: int) -> None:
    """Write the interactions, every user's first, then every user's second, and so on."""
    data = load(f"synthetic:users={users},items=100000,per_user={PER_USER},seed=0").interactions
    assert data.times is not None
    items, times = data.items.reshape(users, PER_USER), data.times.reshape(users, PER_USER).astype(np.int64)
    people = np.arange(users)
    with path.open("wb") as file:
        for k in range(PER_USER):
            part = pl.DataFrame({"user_id": people, "item_id": items[:, k], "timestamp": times[:, k]})
            part.write_csv(file, include_header=k == 0)
    print(json.dumps({"synthetic_peak_gib": peak(), "file_bytes": path.stat().st_size}))


def read(path: Path) -> None:
    """Read them and apply leave-last-out."""
    start = time.perf_counter()
    data = load(path)
    seconds, after_load = time.perf_counter() - start, peak()
    split = protocols.apply("leave-last-out", data)
    facts = {"users": data.n_users, "items": data.n_items, "interactions": data.n_interactions}
    figures = {"load_peak_gib": after_load, "with_split_peak_gib": peak(), "load_seconds": round(seconds, 1)}
    print(json.dumps({**facts, **figures, "cpu_seconds_in_all": round(time.process_time(), 1), **split.counts}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--step", choices=["write", "read"], default=None)
    parser.add_argument("--file", type=Path, default=None)
    asked = parser.parse_args()
    if asked.step is not None:
        write(asked.file, asked.users) if asked.step == "write" else read(asked.file)
        return
    out: dict[str, object] = {"command": f"python benchmarks/memory_load.py --users {asked.users}"}
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for step in ("write", "read"):
            command = [sys.executable, __file__, "--users", str(asked.users), "--step", step]
            command += ["--file", str(Path(folder) / "interactions.csv")]
            out |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
