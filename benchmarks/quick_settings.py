"""Choose the settings of `fedrec bench quick` on validation of the bundled purchases; the test part is not read.

    python benchmarks/quick_settings.py [ALGORITHM ...]

Writes src/fedrec/experiment/quick_settings.toml (the comment at its head, which says where each section is from, is
kept) and benchmarks/results/quick_search.jsonl.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from fedrec.algorithms.registry import BUILT_IN
from fedrec.experiment import run
from fedrec.experiment.config import RunConfig
from fedrec.experiment.toml import toml_value

HERE = Path(__file__).parent
TARGET = HERE.parent / "src" / "fedrec" / "experiment" / "quick_settings.toml"
SEARCH = HERE / "results" / "quick_search.jsonl"
PROTOCOLS = ("last-basket", "leave-last-out")
FIXED: dict[str, dict[str, Any]] = {  # sizes that keep the main job short; the rest is chosen on validation
    "ials": {"dim": 32, "sweeps": 8},
    "fedmf": {"rounds": 40},
    "pfedrec": {"rounds": 30},
    "lowpass": {"columns": 128, "iterations": 4},
}


def main(names: list[str]) -> None:
    before = TARGET.read_text()
    chosen: dict[str, dict[str, Any]] = tomllib.loads(before)
    head = "".join(itertools.takewhile(lambda line: line.startswith("#"), before.splitlines(keepends=True)))
    lines = [json.loads(x) for x in SEARCH.read_text().splitlines()] if SEARCH.exists() else []
    data = run.load_data(RunConfig(algorithm="popularity", data="quickstart"))
    for name in names:
        for protocol in PROTOCOLS:
            began = time.perf_counter()
            fixed = FIXED.get(name, {})
            config = RunConfig(algorithm=name, data="quickstart", protocol=protocol, settings=fixed)
            prepared = run.prepare(config, data)
            if not type(prepared.algorithm).grid:
                chosen.setdefault(name, {})[protocol] = fixed
                continue
            _, found = run.tune(prepared)
            chosen.setdefault(name, {})[protocol] = fixed | found.best.settings
            lines = [x for x in lines if (x["algorithm"], x["protocol"]) != (name, protocol)]
            lines += [{"protocol": protocol} | x for x in found.lines()]
            best = f"{found.best.settings}  validation {found.metric} {found.best.validation[found.metric]:.4f}"
            seconds = time.perf_counter() - began
            print(f"{name:<11} {protocol:<15} {len(found.trials):>3} points {seconds:6.1f} s  {best}", flush=True)
        SEARCH.parent.mkdir(exist_ok=True)
        SEARCH.write_text("".join(json.dumps(x) + "\n" for x in lines))
        order = [n for n in BUILT_IN if n in chosen]
        text = [f"\n[{n}]\n" + "".join(f"{p} = {toml_value(chosen[n][p])}\n" for p in PROTOCOLS) for n in order]
        TARGET.write_text(head + "".join(text))


if __name__ == "__main__":
    main(sys.argv[1:] or list(BUILT_IN))
