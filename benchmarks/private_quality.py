"""Quality of private models by the mechanism that ships: integer noise, its calibration, the ledger's names, decoding.

    python benchmarks/private_quality.py FOLDER [--full] [NAME ...]

FOLDER holds ml-1m and ml-100k. The settings are those that benchmarks/private_slist.py and private_dpals.py chose on
validation under simulated continuous noise; nothing is chosen here. A row is the mean of three trainings with noise
keys from the operating system, so another run gives slightly other figures. Noise shares are sized for 90 % of the
clients and all arrive, so the sums carry 11 % more variance than epsilon needs. Masks are left out, as they cancel;
``--full`` runs one training of one row with every message of every client. Rows that
benchmarks/results/private_quality.json holds are not measured again.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import private_dpals
import private_slist

from fedrec.contract import Algorithm, Catalog, Interactions, Key
from fedrec.data.task import Task
from fedrec.experiment.config import make_algorithm
from fedrec.experiment.machine import environment
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import rank_all
from fedrec.privacy.mechanism import Target, calibrate
from fedrec.privacy.protection import Protection
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import train

RESULT = Path(__file__).parent / "results" / "private_quality.json"
DELTA, RUNS, SURVIVORS = 1e-5, 3, 0.9
FULL = "gift-shop slist-private, epsilon 4"


def trained(
    algorithm: Algorithm, catalog: Catalog, users: Interactions, epsilon: float, masks: str
) -> tuple[dict[str, Any], float, int]:
    """Return (shared state, epsilon of the integers that ran, bytes up a client and round)."""
    n = users.n_users
    mechanism = calibrate(algorithm.plan(catalog), n, Target(epsilon, DELTA), int(SURVIVORS * n), n)
    guard = Protection(mechanism.fewest, n, mechanism, masks)
    runtime = LocalRuntime(algorithm, catalog, users, 0, protection=guard)
    steps = list(train(algorithm, catalog, runtime, 0))
    return steps[-1].after.shared, mechanism.cost.epsilon, max(s.record.up_bytes // s.record.survivors for s in steps)


def measured(algorithm: Algorithm, shared: dict[str, Any], task: Task, metrics: list[str]) -> dict[str, float]:
    ranks = rank_all(lambda people: algorithm.cohort_scores(shared, {}, people, Key(0)), task)
    return {m: float(per_user(ranks, m.split("@")[0], int(m.split("@")[1])).mean()) for m in metrics}


def jobs(folder: Path) -> dict[str, Any]:
    """Return {name: (algorithm, settings, epsilon, a function for (catalog, users, task), metric, target)}."""
    out: dict[str, Any] = {}
    found = json.loads(private_slist.RESULT.read_text())
    rows = {row.name: row for row in private_slist.ROWS}
    for r in found["rows"]:
        if r["epsilon"]:
            row = rows[r["row"]]
            metric = "ndcg@20" if row.protocol == private_slist.BASKET else "ndcg@10"
            out[r["name"]] = ("slist-private", r["settings"], r["epsilon"], lambda row=row: _slist(row, folder), metric,
                              row.targets.get(r["epsilon"]))  # fmt: skip
    found = json.loads(private_dpals.RESULT.read_text())
    whole = {r["name"]: r["test"]["ndcg@20"] for r in found["rows"]}.get(private_dpals.title("ml-1m", "ials", 1e999))
    for r in found["rows"]:
        if r["algorithm"] == "dpals" and r["epsilon"]:
            share = private_dpals.TARGETS.get(r["epsilon"]) if "target" in r else None
            featured = "features" in r["name"]
            out[r["name"]] = (
                "dpals", r["settings"], r["epsilon"],
                lambda r=r, featured=featured: _dpals(r["data"], folder, featured), "ndcg@20",
                None if share is None or whole is None else (share, whole),
            )  # fmt: skip
    return out


def _slist(row: Any, folder: Path) -> tuple[Catalog, Interactions, Task]:
    prepared = private_slist.Trainer(row, folder).prepared
    assert prepared.split.test is not None
    return prepared.catalog, prepared.split.final, prepared.split.test


def _dpals(name: str, folder: Path, featured: bool) -> tuple[Catalog, Interactions, Task]:
    job = private_dpals.job(name, str(folder))
    catalog = job.features if featured and job.features is not None else job.catalog
    return catalog, *job.test


def measure(name: str, job: Any, masks: str = "simulated", runs: int = RUNS) -> dict[str, Any]:
    kind, settings, epsilon, load, metric, target = job
    catalog, users, task = load()
    algorithm = make_algorithm(kind, settings)
    began, each, paid, up = time.process_time(), [], 0.0, 0
    for _ in range(runs):
        shared, paid, up = trained(algorithm, catalog, users, epsilon, masks)
        each.append(measured(algorithm, shared, task, [metric])[metric])
    mean = statistics.mean(each)
    out = {
        "name": name, "algorithm": kind, "epsilon": epsilon, "epsilon of the integers": paid, "delta": DELTA,
        "settings": settings, "masks": masks, metric: round(mean, 4), "each": [round(x, 4) for x in each],
        "bytes up a client and round": up, "cpu seconds": round(time.process_time() - began, 1),
    }  # fmt: skip
    if isinstance(target, tuple):
        share, whole = target
        out |= {"share of ials without noise": round(mean / whole, 3), "target": f"{share:.0%} of {whole:.4f}"}
        out["reached"] = round(mean / whole, 2) >= share
    elif target is not None:
        out |= {"target": {metric: target}, "reached": round(mean, 3) >= target}
    return out


def main(folder: Path, names: list[str], full: bool) -> None:
    document = json.loads(RESULT.read_text()) if RESULT.exists() else {"rows": []}
    document["command"] = "python benchmarks/private_quality.py FOLDER [--full]"
    done = {(r["name"], r["masks"]) for r in document["rows"]}
    masks = "full" if full else "simulated"
    for name, job in jobs(folder).items():
        wanted = name in names if names else (not full or name == FULL)
        if not wanted or (name, masks) in done:
            continue
        document["rows"].append(measure(name, job, masks, 1 if full else RUNS))
        document["environment"] = environment()
        print(json.dumps(document["rows"][-1]), flush=True)
        RESULT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    given = [a for a in sys.argv[1:] if a != "--full"]
    if not given:
        raise SystemExit(__doc__)
    main(Path(given[0]), given[1:], "--full" in sys.argv)
