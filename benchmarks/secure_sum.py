"""The secure sum: exactness over random rounds, and what a large round costs its clients and its server.

    python benchmarks/secure_sum.py --clients 1000 --length 640000     # the row of the table; minutes of CPU
    python benchmarks/secure_sum.py                                    # the same, small

Every message of every client is made and every vector is really masked, one at a time, so that the sum can be checked
bit for bit. Two things are not done in full: only the clients of the sample verify all signatures of the key list
(1,000 each; the others are handed the list as read by the server), and all run in one process, so the memory figure
holds the state of the simulated clients as well as the server's. CPU seconds are process_time around the calls.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter as Tally
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fedrec.experiment.machine import environment  # noqa: E402
from fedrec.privacy import secure  # noqa: E402
from tests.privacy.secure_round import STAGES, Round, random_case, small  # noqa: E402

RESULT = Path(__file__).parent / "results" / "secure_sum.json"


def exactness(rounds: int) -> dict[str, Any]:
    """Random clients, lengths, widths and drop-outs at any stage, against the plain sum."""
    equal = 0
    for case in range(rounds):
        r, drops = random_case(case)
        equal += np.array_equal(r.run(drops), r.plain())
    return {"rounds": rounds, "equal": equal, "target": "all"}


def keys_used(rounds: int) -> dict[str, Any]:
    """Count keys that mask or seal more often than they should over many rounds of three organisations."""
    masks: Tally[bytes] = Tally()
    sealed: Tally[bytes] = Tally()
    real_mask, real_seal = secure.client.add_mask, secure.client.seal

    def mask(target: Any, key: bytes, sign: int) -> None:
        masks[key] += 1
        real_mask(target, key, sign)

    def seal(key: bytes, plain: bytes, session: bytes) -> bytes:
        sealed[key] += 1
        return bytes(real_seal(key, plain, session))

    secure.client.add_mask, secure.client.seal = mask, seal
    try:
        for number in range(rounds):
            r = Round(members=3, profile=secure.ORGANISATIONS, length=1, number=number, random=secure.client.os.urandom)
            r.run()
    finally:
        secure.client.add_mask, secure.client.seal = real_mask, real_seal
    own, pair = (sum(n == times for n in masks.values()) for times in (1, 2))
    return {
        "rounds": rounds, "clients": 3, "self_masks": own, "pair_masks": pair, "envelopes": len(sealed),
        "used_too_often": sum(n > 2 for n in masks.values()) + sum(n > 1 for n in sealed.values()),
        "as_many_as_expected": (own, pair, len(sealed)) == (3 * rounds, 3 * rounds, 6 * rounds),
    }  # fmt: skip


class Clock:
    """CPU seconds by stage."""

    def __init__(self) -> None:
        self.stage = dict.fromkeys(STAGES, 0.0)

    def __call__(self, stage: str, call: Any, *arguments: Any) -> Any:
        began = time.process_time()
        out = call(*arguments)
        self.stage[stage] += time.process_time() - began
        return out

    @property
    def total(self) -> float:
        return sum(self.stage.values())


def vector_of(k: int, length: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=k)).integers(-(2**31), 2**31, length, dtype=np.int32)


def skip_verification(server: Any) -> Any:
    """Return the reader of the key list for clients outside the sample."""
    return lambda body, plan, roster, own, client: server._cohort


def cost(clients: int, length: int, degree: int, drop: float, sample: int) -> dict[str, Any]:
    """One round; the drop-outs leave after the shares, where they cost the server most."""
    r = Round(members=clients, length=1, profile=small(), degree=degree)
    expected = secure.Expected(small(), r.expected.model, length, 32)
    plan = secure.plan_round(expected, r.roster, 1, degree)
    empty = np.broadcast_to(np.int32(0), (length,))
    r.clients = [secure.SecureSumClient(i, r.roster, expected, secure.RoundMemory(), empty) for i in r.ids]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    server = secure.SecureSumServer(plan, r.roster)
    rng = np.random.default_rng(0)
    gone = set(rng.choice(clients, int(drop * clients), replace=False).tolist())
    sampled = [k for k in range(clients) if k not in gone][:sample]
    clocks, server_clock = {k: Clock() for k in sampled}, Clock()
    up, down = dict.fromkeys(sampled, 0), dict.fromkeys(sampled, 0)
    inbox = dict.fromkeys(range(clients), server.announce())
    plain = np.zeros(length, np.int32)
    real = secure.client.read_key_list
    for stage in STAGES:
        for k, message in inbox.items():
            if stage == "masked" and k in gone:
                continue
            if stage == "masked":
                vector = vector_of(k, length)
                plain += vector
                r.clients[k]._vector = vector.view(np.uint32)
            secure.client.read_key_list = real if k in clocks else skip_verification(server)
            if k in clocks:
                answer = clocks[k](stage, r.clients[k].receive, message)
                up[k] += len(answer)
                down[k] += len(message)
            else:
                answer = r.clients[k].receive(message)
            server_clock(stage, server.receive, answer)
        inbox = server_clock(stage, server.advance)
    secure.client.read_key_list = real
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    totals = [c.total for c in clocks.values()]
    return {
        "clients": clients, "length": length, "bits": 32, "degree": plan.degree, "threshold": plan.threshold,
        "dropped_after_shares": len(gone), "exact": bool(np.array_equal(server.total(), plain)),
        "client_cpu_s": {"clients_sampled": len(totals), "mean": np.mean(totals), "max": max(totals),
                         "by_stage_mean": {s: np.mean([c.stage[s] for c in clocks.values()]) for s in STAGES}},
        "client_bytes_up": max(up.values()), "client_bytes_up_over_vector": max(up.values()) / (4 * length),
        "client_bytes_down": max(down.values()),
        "server_cpu_s": {"total": server_clock.total, "by_stage": server_clock.stage},
        "peak_rss_growth_mib_server_and_clients": (after - before) / 1024, "vector_mib": length * 4 / 2**20,
        "targets": {"client_cpu_s": 0.3, "bytes_up_over_vector": 1.02, "server_cpu_s": 20,
                    "memory_mib": 64 + 4 * length * 4 / 2**20},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--length", type=int, default=20_000)
    parser.add_argument("--degree", type=int, default=50)
    parser.add_argument("--drop", type=float, default=0.1)
    parser.add_argument("--sample", type=int, default=5)
    parser.add_argument("--exact", type=int, default=200, help="random rounds compared with the plain sum")
    parser.add_argument("--rounds", type=int, default=500, help="rounds in which used keys are counted")
    parser.add_argument("--out", type=Path, default=RESULT)
    a = parser.parse_args()
    result: dict[str, Any] = {"command": " ".join(["benchmarks/secure_sum.py", *sys.argv[1:]])}
    result["cost"] = cost(a.clients, a.length, a.degree, a.drop, a.sample)
    result["exactness"] = exactness(a.exact)
    result["keys_used"] = keys_used(a.rounds)
    result["environment"] = environment()
    a.out.write_text(json.dumps(result, indent=1, default=float) + "\n")
    print(json.dumps(result, indent=1, default=float))


if __name__ == "__main__":
    main()
