"""One run: data, split, training, evaluation, and the folder it writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec import data as data_layer
from fedrec.contract import Algorithm, Arrays, Catalog, ConfigError, DataError, Interactions
from fedrec.data.dataset import Dataset
from fedrec.data.features import public_features
from fedrec.data.protocols import apply, describe_protocol
from fedrec.data.splits import Split
from fedrec.data.task import Task
from fedrec.experiment import evaluate
from fedrec.experiment.config import RunConfig, make_algorithm, run_config
from fedrec.experiment.fit import Model, Options, Progress, chooses_round, fit
from fedrec.experiment.folder import RunFolder
from fedrec.experiment.guard import Guard, guarded
from fedrec.experiment.machine import environment, peak_rss_bytes, refuse_beyond_memory
from fedrec.experiment.privacy import Federation, Safeguards, protection_in_words, safeguards
from fedrec.experiment.progress import Reporter
from fedrec.experiment.tune import Search, Tuner, search
from fedrec.experiment.twin import compare_with_twin
from fedrec.metrics.ranks import Ranks
from fedrec.server.rounds import Record, schedule

EVALUATE_EVERY = 10  # rounds, where the config does not say


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
    safeguards: Safeguards | None = None


@dataclass(frozen=True)
class Outcome:
    """A finished run: the model to ship, how training went (``progress``: of the last stage), and metrics.json."""

    prepared: Prepared
    model: Model
    progress: Progress
    metrics: dict[str, Any]
    ranks: Ranks | None
    records: list[Record]


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
    split = split_of(config, data)
    features = public_features(data) if algorithm.uses_features else None
    catalog = Catalog(data.n_items, data.n_users, features)
    client_of: NDArray[np.int64] | None = None
    labels: list[str] = []
    if config.silos is not None:
        client_of, labels = data_layer.silos(data, config.silos)
    memory = refuse_beyond_memory(algorithm, catalog)
    every = config.evaluate_every or (1 if on_broadcast(config) else EVALUATE_EVERY)
    options = Options(config.seed, config.cohort, client_of, config.faults, every, selection(config.protocol))
    guards = safeguards(
        algorithm, catalog, _federation(config, split, labels), config.secure_sum, config.privacy, config.profile
    )
    return Prepared(config, data, split, catalog, algorithm, options, labels, memory, guards)


def _federation(config: RunConfig, split: Split, labels: list[str]) -> Federation:
    people = split.final.n_users
    clients = len(labels) if config.silos is not None else people
    return Federation(clients, people, config.cohort, config.silos is not None, 2 if split.refit else 1)


def split_of(config: RunConfig, data: Dataset) -> Split:
    """Return the split of a config's protocol."""
    held = config.ratio or (0.1, 0.1)
    return apply(config.protocol, data, config.seed, config.basket, at=config.at, held=held)


def selection(protocol: str) -> tuple[str, int]:
    """Return the validation metric that chooses settings and rounds under a protocol."""
    if protocol.startswith("pfedrec"):
        return ("hr", 10)
    return ("ndcg", 20) if protocol == "last-basket" else ("ndcg", 10)


def on_broadcast(config: RunConfig) -> bool:
    """Return whether rounds are judged on their broadcast (the PFedRec protocols do)."""
    return config.protocol.startswith("pfedrec")


def validation_part(prepared: Prepared) -> Task:
    """Return what settings are chosen on; DataError where the protocol holds none out, ConfigError under noise."""
    if prepared.safeguards is not None and prepared.safeguards.mechanism is not None:
        raise ConfigError(
            "--tune with --privacy: each setting that is tried is one more training on the same people, and would be "
            "charged as one. Tune on other people's data or on a public set without --privacy, then pass --set; "
            "--dry-run shows what a year of trainings costs"
        )
    if prepared.split.validation is None:
        raise DataError(
            f"--tune needs a validation part, and --protocol {prepared.config.protocol} holds none out here: "
            f"tune with --protocol leave-last-out, then train with the settings it chose"
        )
    return prepared.split.validation


def tune(prepared: Prepared, watch: Callable[..., None] | None = None) -> tuple[Prepared, Search]:
    """Choose the algorithm's settings on validation and return the run with them."""
    config, split = prepared.config, prepared.split
    validation = validation_part(prepared)
    metric = "{}@{}".format(*selection(config.protocol)) if config.protocol == "last-basket" else "ndcg@10"
    tuner = Tuner(
        config.algorithm,
        dict(config.settings),
        prepared.catalog,
        split.train,
        validation,
        prepared.options,
        config.rounds,
        on_broadcast(config),
    )
    found = search(tuner, metric, watch)
    chosen = run_config(config.model_dump() | {"settings": config.settings | found.best.settings})
    return with_config(prepared, chosen), found


def with_config(prepared: Prepared, config: RunConfig) -> Prepared:
    """Return the run with other settings of its algorithm."""
    return replace(prepared, config=config, algorithm=make_algorithm(config.algorithm, config.settings, config.rounds))


def execute(
    prepared: Prepared, folder: RunFolder | None = None, quiet: bool = True, twin: bool = False, resume: bool = False
) -> Outcome:
    """Train, validate, refit where the protocol does, test once, and write the folder."""
    began = time.perf_counter()
    split = prepared.split
    fingerprint = prepared.data.fingerprint()
    with guarded(prepared.safeguards, folder, resume) as guard:
        stages = Stages(prepared, folder, fingerprint, quiet, resume, guard)
        model, progress = stages.run("train", split.train)
        records = progress.records
        validation: dict[str, float] = {}
        spent = 0.0
        if split.validation is not None:
            started = time.perf_counter()
            validation = evaluate.metrics(model.rank(split.validation), split.validation)
            spent += time.perf_counter() - started
        if split.refit:
            model, progress = stages.run("final", split.final, model.round)
            records = records + progress.records
    trained = time.perf_counter() - began - spent
    started = time.perf_counter()
    tested, ranks = _test(prepared, model)
    centralised = compare_with_twin(model, split) if twin else None
    spent += time.perf_counter() - started
    seconds = {"train": trained, "evaluate": spent, "total": time.perf_counter() - began}
    numbers = {
        **_about(prepared, fingerprint),
        "rounds": model.round,
        "key": asdict(model.key),
        "validation": validation,
        **tested,
        "centralised": centralised,
        "bytes": traffic(prepared, model, records),
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "peak_rss_bytes": peak_rss_bytes(),
        "privacy": None if prepared.safeguards is None else prepared.safeguards.facts(),
        "simulated": protection_in_words(prepared.safeguards),
        "failures": _failures(records),
        "environment": environment(),
    }
    if folder is not None:
        folder.write(prepared.data, model, prepared.config, numbers)
    return Outcome(prepared, model, progress, numbers, ranks, records)


@dataclass(frozen=True)
class Stages:
    """Trains the stages of a run: "train" for validation, "final" on all before the test where the protocol refits."""

    prepared: Prepared
    folder: RunFolder | None
    fingerprint: str
    quiet: bool
    resume: bool
    guard: Guard | None = None

    def run(self, stage: str, users: Interactions, stop_after: int | None = None) -> tuple[Model, Progress]:
        """Train, from the stage's checkpoint on if there is one; ``stop_after``: the round the first stage chose."""
        prepared, folder = self.prepared, self.folder
        algorithm, catalog, config = prepared.algorithm, prepared.catalog, prepared.config
        options, validation = prepared.options, prepared.split.validation
        if stage == "final":
            chose = chooses_round(algorithm, len(schedule(algorithm.plan(catalog)))) and validation is not None
            options, validation = replace(options, stop_after=stop_after if chose else None), None
        progress = None
        if folder is not None and self.resume:
            progress = folder.load(stage, algorithm, catalog, self.fingerprint)
        report = Reporter(f"{config.algorithm} {stage}", self.quiet)

        def watch(now: Progress, rounds: int) -> None:
            report(now, rounds)
            if folder is not None and (now.state.round % config.checkpoint_every == 0 or now.state.round == rounds):
                folder.save(stage, now, self.fingerprint)

        with report:
            protection, members = (None, None) if self.guard is None else self.guard.of(stage)
            return fit(
                algorithm, catalog, users, validation, options, progress, watch, on_broadcast(config),
                protection=protection, members=members,
            )  # fmt: skip


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


def _about(prepared: Prepared, fingerprint: str) -> dict[str, Any]:
    """Return what metrics.json says of algorithm, data and protocol."""
    from fedrec import __version__

    config, data = prepared.config, prepared.data
    return {
        "fedrec": __version__,
        "algorithm": {"name": config.algorithm, "config": prepared.algorithm.config.model_dump(mode="json")},
        "data": {
            "name": data.name,
            "users": data.n_users,
            "items": data.n_items,
            "interactions": data.n_interactions,
            "fingerprint": fingerprint,
            "notes": data.notes,
        },
        "protocol": describe_protocol(prepared.split) | {"counts": prepared.split.counts},
        "seed": config.seed,
    }


def traffic(prepared: Prepared, model: Model, records: list[Record]) -> dict[str, int]:
    """Return bytes a client and round (the largest), and in all; the final model's download is part of ``down``."""
    phases = prepared.algorithm.plan(prepared.catalog)
    download = sum(int(model.shared[name].nbytes) for name in prepared.algorithm.model)
    per_round = [r.down_bytes // max(r.cohort, 1) for r in records]
    return {
        "up_per_client_round": max((p.up_bytes for p in phases), default=0),
        "down_per_client_round": max(per_round, default=0),
        "model_download": download,
        "up_total": sum(r.up_bytes for r in records),
        "down_total": sum(r.down_bytes for r in records) + download * _clients(prepared),
    }


def _clients(prepared: Prepared) -> int:
    client_of: NDArray[np.int64] | None = prepared.options.client_of
    return prepared.catalog.n_users if client_of is None else len(prepared.labels)


def _failures(records: list[Record]) -> dict[str, int]:
    out: dict[str, int] = {}
    for record in records:
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
        "privacy": f"simulated {protection_in_words(prepared.safeguards)}",
        **({} if prepared.safeguards is None else prepared.safeguards.forecast()),
    }
