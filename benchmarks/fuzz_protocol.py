"""Damaged messages against the secure sum: half of those of clients signed again by an enrolled client.

    python benchmarks/fuzz_protocol.py --messages 1000000

Each message goes to a server or a client that waits for its kind. A crash is anything but the protocol's own error; an
accepted message must keep the rules (tests/privacy/secure_fuzz.py). Writes results/fuzz_protocol.json.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fedrec.experiment.machine import environment  # noqa: E402
from tests.privacy.secure_fuzz import Target  # noqa: E402

RESULT = Path(__file__).parent / "results" / "fuzz_protocol.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    target, rng, seen = Target(), random.Random(a.seed), Counter[str]()
    began = time.process_time()
    for _ in range(a.messages):
        try:
            seen[target.feed(rng)] += 1
        except AssertionError as error:
            seen[f"BROKE A RULE: {error}"] += 1
        except Exception as error:
            seen[f"CRASH: {type(error).__name__}: {error}"] += 1
    document = {
        "command": f"python benchmarks/fuzz_protocol.py --messages {a.messages} --seed {a.seed}",
        "messages": a.messages,
        "crashes": sum(n for what, n in seen.items() if what.startswith("CRASH")),
        "rules_broken": sum(n for what, n in seen.items() if what.startswith("BROKE")),
        "seen": dict(seen.most_common()),
        "cpu_seconds": round(time.process_time() - began, 1),
        "environment": environment(),
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
