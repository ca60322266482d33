"""Timing that the speed benchmarks share: CPU seconds of jobs in turn, and the file their rows go to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fedrec.experiment.machine import environment


def in_turn(jobs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each repeat of each job, after one that compiles.

    In turn, so that a noisy machine disturbs all alike.
    """
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            began = time.process_time()
            job()
            seconds[name].append(time.process_time() - began)
    return seconds


def report(result: Path, command: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows and write them with the command that makes them."""
    for row in rows:
        print(json.dumps(row))
    result.parent.mkdir(exist_ok=True)
    result.write_text(json.dumps({"command": command, "environment": environment(), "rows": rows}, indent=1) + "\n")
