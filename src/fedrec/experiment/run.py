"""One run: data, split, training, evaluation, and the folder it writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec import data as data_layer
from fedrec.contract import Algorithm, Arrays, Catalog, DataError, Interactions
from fedrec.data.dataset import Dataset
from fedrec.data.protocols import apply, describe_protocol
from fedrec.data.splits import Split
from fedrec.experiment import evaluate
from fedrec.experiment.config import RunConfig, make_algorithm
from fedrec.experiment.fit import Model, Options, Progress, chooses_round, fit
from fedrec.experiment.folder import RunFolder
from fedrec.experiment.machine import environment, peak_rss_bytes, refuse_beyond_memory
from fedrec.experiment.progress import Reporter
from fedrec.experiment.tune import Search, search
from fedrec.experiment.twin import compare_with_twin
from fedrec.metrics.ranks import Ranks
from fedrec.server.rounds import schedule


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs, checked, before any work."""

    config: RunConfig
    data: Dataset
    split: Split
    catalog: Catalog
    algorithm: Algorithm
    options: Options
    labels: list[str]
    memory: int


@dataclass(frozen=True)
class Outcome:
    """A finished run: the model to ship, how training went, and metrics.json."""

    prepared: Prepared
    model: Model
    progress: Progress
    metrics: dict[str, Any]
    ranks: Ranks | None


def load_data(config: RunConfig) -> Dataset:
    """Read the data a config names."""
    return data_layer.load(
        config.data,
        items=config.items,
        users=config.users,
        columns=config.columns,
        order=config.order,
        duplicates=config.duplicates,
    )


def prepare(config: RunConfig, data: Dataset | None = None) -> Prepared:
    """Read the data, split it and check every setting; refuses what the machine cannot do."""
    algorithm = make_algorithm(config.algorithm, config.settings, config.rounds)
    data = data if data is not None else load_data(config)
    split = apply(config.protocol, data, seed=config.seed, basket=config.basket)
    catalog = Catalog(data.n_items, data.n_users)
    client_of, labels = None, []
    if config.silos is not None:
        client_of, labels = data_layer.silos(data, config.silos)
    memory = refuse_beyond_memory(algorithm, catalog)
    options = Options(
        config.seed, config.cohort, client_of, config.faults, config.evaluate_every, selection(config.protocol)
    )
    return Prepared(config, data, split, catalog, algorithm, options, labels, memory)


def selection(protocol: str) -> tuple[str, int]:
    """Return the validation metric that chooses settings and rounds under a protocol."""
    if protocol.startswith("pfedrec"):
        return ("hr", 10)
    return ("ndcg", 20) if protocol == "last-basket" else ("ndcg", 10)


def on_broadcast(config: RunConfig) -> bool:
    """Return whether rounds are judged on their broadcast (the PFedRec protocols do)."""
    return config.protocol.startswith("pfedrec")


def tune(prepared: Prepared, watch: Callable[..., None] | None = None) -> tuple[Prepared, Search]:
    """Choose the algorithm's settings on validation and return the run with them."""
    config, split = prepared.config, prepared.split
    if split.validation is None:
        raise DataError(
            f"--tune needs a validation part, and --protocol {config.protocol} holds none out here: "
            f"tune with --protocol leave-last-out, then train with the settings it chose"
        )
    metric = "{}@{}".format(*selection(config.protocol)) if config.protocol == "last-basket" else "ndcg@10"
    found = search(
        config.algorithm,
        dict(config.settings),
        prepared.catalog,
        split.train,
        split.validation,
        prepared.options,
        metric,
        config.rounds,
        on_broadcast(config),
        watch,
    )
    chosen = config.model_copy(update={"settings": config.settings | found.best.settings})
    algorithm = make_algorithm(config.algorithm, chosen.settings, config.rounds)
    return replace(prepared, config=chosen, algorithm=algorithm), found


def execute(
    prepared: Prepared, folder: RunFolder | None = None, quiet: bool = True, twin: bool = False, resume: bool = False
) -> Outcome:
    """Train, validate, refit where the protocol does, test once, and write the folder."""
    began = time.perf_counter()
    split, config = prepared.split, prepared.config
    model, progress = _stage(prepared, split.train, "train", folder, quiet, resume)
    validation: dict[str, float] = {}
    spent = 0.0
    if split.validation is not None:
        started = time.perf_counter()
        validation = evaluate.metrics(model.rank(split.validation), split.validation)
        spent += time.perf_counter() - started
    if split.refit:
        model, progress = _stage(prepared, split.final, "final", folder, quiet, resume, model.round)
    trained = time.perf_counter() - began - spent
    started = time.perf_counter()
    tested, ranks = _test(prepared, model)
    centralised = compare_with_twin(model, split) if twin else None
    spent += time.perf_counter() - started
    seconds = {"train": trained, "evaluate": spent, "total": time.perf_counter() - began}
    numbers = _metrics(prepared, model, progress, validation, tested, centralised, seconds)
    if folder is not None:
        folder.write(prepared.data, model, progress, config, numbers)
    return Outcome(prepared, model, progress, numbers, ranks)


def _stage(
    prepared: Prepared,
    users: Interactions,
    stage: str,
    folder: RunFolder | None,
    quiet: bool,
    resume: bool,
    stop_after: int | None = None,
) -> tuple[Model, Progress]:
    options, validation = prepared.options, prepared.split.validation
    if stage == "final":
        iterative = chooses_round(prepared.algorithm, len(schedule(prepared.algorithm.plan(prepared.catalog))))
        options = replace(options, stop_after=stop_after if iterative else None)
        validation = None
    progress = folder.load(stage, prepared.algorithm, prepared.catalog) if folder is not None and resume else None
    report = Reporter(f"{prepared.config.algorithm} {stage}", quiet)
    every = prepared.config.checkpoint_every

    def watch(now: Progress, rounds: int) -> None:
        report(now, rounds)
        if folder is not None and (now.state.round % every == 0 or now.state.round == rounds):
            folder.save(stage, now)

    return fit(
        prepared.algorithm,
        prepared.catalog,
        users,
        validation,
        options,
        progress,
        watch,
        on_broadcast(prepared.config),
    )


def _test(prepared: Prepared, model: Model) -> tuple[dict[str, Any], Ranks | None]:
    """Read the test part, once."""
    task = prepared.split.test
    if task is None:
        return {"test": {"users": 0, "reads": 0}, "groups": {}, "coverage@10": None}, None
    ranks = model.rank(task, top=0 if task.candidates is not None else 10)
    tested = {
        "test": evaluate.metrics(ranks, task) | {"users": task.n_users, "reads": 1},
        "groups": evaluate.groups(ranks, task, prepared.split.final, prepared.options.client_of, prepared.labels),
        "coverage@10": None if ranks.top is None else evaluate.coverage(ranks, prepared.catalog.n_items),
    }
    return tested, ranks


def _metrics(
    prepared: Prepared,
    model: Model,
    progress: Progress,
    validation: dict[str, float],
    tested: dict[str, Any],
    centralised: dict[str, Any] | None,
    seconds: dict[str, float],
) -> dict[str, Any]:
    from fedrec import __version__

    config, data = prepared.config, prepared.data
    return {
        "fedrec": __version__,
        "algorithm": {
            "name": config.algorithm,
            "config": prepared.algorithm.config.model_dump(mode="json"),
        },
        "data": {
            "name": data.name,
            "users": data.n_users,
            "items": data.n_items,
            "interactions": data.n_interactions,
            "fingerprint": data.fingerprint(),
            "notes": data.notes,
        },
        "protocol": describe_protocol(prepared.split) | {"counts": prepared.split.counts},
        "seed": config.seed,
        "rounds": model.round,
        "validation": validation,
        **tested,
        "centralised": centralised,
        "bytes": traffic(prepared, model, progress),
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "peak_rss_bytes": peak_rss_bytes(),
        "privacy": None,
        "simulated": "simulated on one machine; masks and noise off",
        "failures": _failures(progress),
        "environment": environment(),
    }


def traffic(prepared: Prepared, model: Model, progress: Progress) -> dict[str, int]:
    """Return bytes a client and round (the largest), and in all; the final model's download is part of ``down``."""
    clients = _clients(prepared)
    phases = prepared.algorithm.plan(prepared.catalog)
    download = sum(int(model.shared[name].nbytes) for name in prepared.algorithm.model)
    per_round = [r.down_bytes // max(r.cohort, 1) for r in progress.records]
    return {
        "up_per_client_round": max((p.up_bytes for p in phases), default=0),
        "down_per_client_round": max(per_round, default=0),
        "model_download": download,
        "up_total": sum(r.up_bytes for r in progress.records),
        "down_total": sum(r.down_bytes for r in progress.records) + download * clients,
    }


def _clients(prepared: Prepared) -> int:
    client_of: NDArray[np.int64] | None = prepared.options.client_of
    return prepared.catalog.n_users if client_of is None else len(prepared.labels)


def _failures(progress: Progress) -> dict[str, int]:
    out: dict[str, int] = {}
    for record in progress.records:
        for reason, count in record.failures.items():
            out[reason] = out.get(reason, 0) + count
    return out


def dry_run(prepared: Prepared) -> dict[str, Any]:
    """Return what would happen: resolved settings, clients, rounds, bytes and memory, before any work."""
    phases = prepared.algorithm.plan(prepared.catalog)
    shared: Arrays = prepared.algorithm.shared(prepared.catalog, prepared.config.seed)
    return {
        "algorithm": prepared.config.algorithm,
        "settings": prepared.algorithm.config.model_dump(mode="json"),
        "data": {"name": prepared.data.name, "users": prepared.data.n_users, "items": prepared.data.n_items},
        "protocol": describe_protocol(prepared.split),
        "clients": _clients(prepared),
        "phases": [
            {
                "name": p.name,
                "rounds": p.rounds,
                "up_bytes_per_client_round": p.up_bytes,
                "down_bytes_per_client_round": sum(int(shared[n].nbytes) for n in p.broadcast if n in shared),
            }
            for p in phases
        ],
        "memory_estimate_bytes": prepared.memory,
        "privacy": "simulated on one machine; masks and noise off",
    }
