"""The secure sum: exactness over random rounds, and what a large round costs its clients and its server.

    python benchmarks/secure_sum.py --clients 1000 --length 640000     # the row of the table; minutes of CPU
    python benchmarks/secure_sum.py                                    # the same, small

Every message of every client is made and every vector is really masked, one at a time, so that the sum can be checked
bit for bit. One thing is not done in full: only the clients of the sample verify all signatures of the key list (1,000
each; the others are handed what the first of them read). The server is a process of its own, its memory the growth of
that process's peak; messages cross a pipe, whose cost is in neither figure. CPU seconds are process_time around calls.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fedrec.experiment.machine import environment  # noqa: E402
from fedrec.privacy import secure  # noqa: E402
from tests.privacy.secure_round import STAGES, Round, counting_keys, random_case, small  # noqa: E402

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
    with counting_keys() as (masks, sealed):
        for number in range(rounds):
            r = Round(members=3, profile=secure.ORGANISATIONS, length=1, number=number, random=secure.client.os.urandom)
            r.run()
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


def memory(field: str) -> float:
    """MiB of this process by /proc (Linux); ru_maxrss would still hold what the parent had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(field + ":")[1].split()[0]) / 1024


def serve(plan: Any, roster: list[bytes], pipe: Any) -> None:
    """The server's process: b"" ends a stage, everything else is a client's message."""
    clock = Clock()
    before = memory("VmRSS")
    server = secure.SecureSumServer(plan, roster)
    for stage in STAGES:
        while message := pipe.recv_bytes():
            clock(stage, server.receive, message)
        out = clock(stage, server.advance)
        pipe.send_bytes(json.dumps(list(out)).encode())
        for message in out.values():
            pipe.send_bytes(message)
    after = memory("VmHWM")
    pipe.send_bytes(json.dumps({"cpu": clock.stage, "mib": after - before}).encode())
    pipe.send_bytes(server.total().tobytes())


class Clients:
    """All clients of one round; those of the sample do everything and are timed."""

    def __init__(self, members: int, length: int, degree: int, gone: set[int], sample: int) -> None:
        r = Round(members=members, length=1, profile=small(), degree=degree)
        self.length, self.gone, self.roster = length, gone, r.roster
        expected = secure.Expected(small(), r.expected.model, length, 32)
        self.plan = secure.plan_round(expected, r.roster, 1, degree)
        empty = np.broadcast_to(np.int32(0), (length,))  # the real vectors are made one at a time, when they are sent
        self.all = [secure.SecureSumClient(i, r.roster, expected, secure.RoundMemory(), empty) for i in r.ids]
        self.clocks = {k: Clock() for k in [k for k in range(members) if k not in gone][:sample]}
        self.up, self.down = dict.fromkeys(self.clocks, 0), dict.fromkeys(self.clocks, 0)
        self.plain = np.zeros(length, np.int32)
        self.real, self.cohort = secure.client.read_key_list, None

    def read(self, *arguments: Any) -> Any:
        self.cohort = self.real(*arguments)
        return self.cohort

    def answer(self, stage: str, k: int, message: bytes) -> bytes:
        client = self.all[k]
        if stage == "masked":
            vector = vector_of(k, self.length)
            self.plain += vector
            client._vector = vector.view(np.uint32)
        if k not in self.clocks:
            secure.client.read_key_list = lambda *_: self.cohort
            return bytes(client.receive(message))
        secure.client.read_key_list = self.read
        answer = bytes(self.clocks[k](stage, client.receive, message))
        self.up[k] += len(answer)
        self.down[k] += len(message)
        return answer


def cost(members: int, length: int, degree: int, drop: float, sample: int) -> dict[str, Any]:
    """One round; the drop-outs leave after the shares, where they cost the server most."""
    gone = set(np.random.default_rng(0).choice(members, int(drop * members), replace=False).tolist())
    clients = Clients(members, length, degree, gone, sample)
    here, there = multiprocessing.Pipe()
    fresh = multiprocessing.get_context("spawn")
    process = fresh.Process(target=serve, args=(clients.plan, clients.roster, there))
    process.start()
    inbox = dict.fromkeys(range(members), secure.SecureSumServer(clients.plan, clients.roster).announce())
    for stage in STAGES:
        order = sorted(inbox, key=lambda k: k not in clients.clocks)  # the sample first: one reads the list for all
        for k in order:
            if not (stage == "masked" and k in gone):
                here.send_bytes(clients.answer(stage, k, inbox[k]))
        here.send_bytes(b"")
        inbox = {k: here.recv_bytes() for k in json.loads(here.recv_bytes())}
    secure.client.read_key_list = clients.real
    server = json.loads(here.recv_bytes())
    total = np.frombuffer(here.recv_bytes(), np.int32)
    process.join()
    clocks = list(clients.clocks.values())
    return {
        "clients": members, "length": length, "bits": 32, "degree": clients.plan.degree,
        "threshold": clients.plan.threshold, "dropped_after_shares": len(gone),
        "exact": bool(np.array_equal(total, clients.plain)),
        "client_cpu_s": {"clients_sampled": len(clocks), "mean": np.mean([c.total for c in clocks]),
                         "max": max(c.total for c in clocks),
                         "mean_by_stage": {s: np.mean([c.stage[s] for c in clocks]) for s in STAGES}},
        "client_bytes_up": max(clients.up.values()),
        "client_bytes_up_over_vector": max(clients.up.values()) / (4 * length),
        "client_bytes_down": max(clients.down.values()),
        "server_cpu_s": {"total": sum(server["cpu"].values()), "by_stage": server["cpu"]},
        "server_peak_rss_growth_mib": server["mib"], "vector_mib": length * 4 / 2**20,
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
    result: dict[str, Any] = {"command": " ".join(["python benchmarks/secure_sum.py", *sys.argv[1:]])}
    result["cost"] = cost(a.clients, a.length, a.degree, a.drop, a.sample)
    result["exactness"] = exactness(a.exact)
    result["keys_used"] = keys_used(a.rounds)
    result["environment"] = environment()
    a.out.write_text(json.dumps(result, indent=1, default=float) + "\n")
    print(json.dumps(result, indent=1, default=float))


if __name__ == "__main__":
    main()
