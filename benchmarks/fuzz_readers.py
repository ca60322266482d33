"""Malformed files by the thousand: every one is read or refused in words, none ends in a traceback.

    python benchmarks/fuzz_readers.py [--cases 20000]

Writes benchmarks/results/fuzz_readers.json. The short form of this is tests/data/test_fuzz.py. A case is: load the
files, and where that works describe them and apply every protocol.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.data.malformed import Case, cases, survives  # noqa: E402

CHUNK = 1_000


def run(number: int, size: int, folder: Path, seen: Counter[str], bad: list[str]) -> None:
    """Run one chunk of cases with its own seed; what comes through as anything but an answer is kept."""

    @seed(number)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def one(case: Case) -> None:
        seen["cases"] += 1
        try:
            seen[survives(case, folder)] += 1
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            seen["uncaught"] += 1
            bad.append(f"{type(error).__name__}: {str(error)[:200]} for {case!r}"[:2000])

    one()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    wanted = parser.parse_args().cases
    seen: Counter[str] = Counter(cases=0, read=0, refused=0, uncaught=0)
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        number = 0
        while seen["cases"] < wanted:
            run(number, min(CHUNK, wanted - seen["cases"]), Path(folder) / "case", seen, bad)
            number += 1
            print(dict(seen), flush=True)
    result = {"command": f"python benchmarks/fuzz_readers.py --cases {wanted}", **seen, "examples": bad[:5]}
    if wanted >= 20_000:  # a shorter trial does not replace the figure
        path = ROOT / "benchmarks" / "results" / "fuzz_readers.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
    for line in bad[:5]:
        print(line, file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
