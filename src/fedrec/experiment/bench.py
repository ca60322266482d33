"""Compare algorithms under the same protocols: one table, with twins, controls and intervals.

The result is a plain dictionary; its shape is written down in fedrec.report.document, which shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from fedrec.algorithms import registry
from fedrec.data.dataset import Dataset
from fedrec.data.protocols import describe_protocol
from fedrec.experiment import run
from fedrec.experiment.config import RunConfig, checked, read_toml, run_config
from fedrec.experiment.control_rows import control_rows
from fedrec.experiment.ledger import ledger_rows
from fedrec.experiment.machine import environment
from fedrec.experiment.run import Outcome
from fedrec.experiment.tune import Search
from fedrec.metrics.bootstrap import difference, holm, interval
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import Ranks

Say = Callable[[str], None]
PROTECTION = "simulated on one machine; masks and noise off"
ABOUT = {
    "last-basket": "All items of a customer's last active day are held out, so the rest of the basket cannot give "
    "them away: this is the headline.",
    "leave-last-out": "Only the last interaction is held out, so the rest of its basket stays in the history: easier, "
    "and it flatters models that learn which items are bought together.",
    "pfedrec-honest": "99 sampled candidates as in the literature; negatives avoid the training items only.",
    "pfedrec-leaky": "As published: negatives avoid the held-out items too, so the test item gives itself away.",
    "global-time": "Everything after one moment is held out: no model sees anybody's future.",
}
HEADLINE = {"last-basket": (("recall", 20), ("ndcg", 20), ("recall", 10), ("ndcg", 10))}
USUAL = (("hr", 10), ("ndcg", 10), ("recall", 20), ("ndcg", 20))


class Strict(BaseModel):
    """Base: unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(Strict):
    """One algorithm of a comparison; ``per_protocol`` adds settings for one protocol."""

    algorithm: str
    settings: dict[str, Any] = Field(default_factory=dict)
    per_protocol: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Source(Strict):
    """One data set, with the options of ``fedrec train``."""

    data: str
    items: str | None = None
    users: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    order: str | None = None
    duplicates: str = "first"


class BenchConfig(Strict):
    """A comparison: data sets x algorithms x seeds x protocols."""

    title: str = "comparison"
    data: list[Source] = Field(min_length=1)
    algorithms: list[Entry] = Field(min_length=1)
    protocols: list[str] = Field(default_factory=lambda: ["leave-last-out"], min_length=1)
    seeds: int = Field(5, ge=1, description="seeds of methods whose result depends on one")
    tune: bool = Field(False, description="choose settings on validation, with the same grid budget for all")
    twins: bool = Field(True, description="centralised twin beside each federated row")
    controls: bool = Field(True, description="federation off and permuted labels")
    control_users: int | None = Field(None, ge=1, description="people for whom federation off is run; all when absent")
    reference: str = Field("popularity", description="algorithm the differences are taken to")


def read_bench(path: Path) -> BenchConfig:
    """Read a comparison from TOML: names, or tables where an entry has settings."""
    values = read_toml(path)
    for name, model in (("data", Source), ("algorithms", Entry)):
        listed = values.get(name, [])
        listed = listed if isinstance(listed, list) else [listed]
        first = next(iter(model.model_fields))
        values[name] = [checked(model, {first: x} if isinstance(x, str) else x, f"{name} entry") for x in listed]
    config: BenchConfig = checked(BenchConfig, values, "setting")
    for entry in config.algorithms:
        registry.get(entry.algorithm)
    return config


@dataclass
class Bench:
    """Results as they come in; ``document`` is what the report shows."""

    config: BenchConfig
    say: Say
    document: dict[str, Any]
    ranks: list[dict[str, Any]] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)
    outcomes: dict[tuple[str, str, str], Outcome] = field(default_factory=dict)

    def data_sets(self) -> dict[str, Dataset]:
        """Return the data sets by name."""
        return {name: outcome.prepared.data for (name, _, _), outcome in self.outcomes.items()}


def start(config: BenchConfig, command: str, say: Say) -> Bench:
    """Return an empty comparison."""
    document: dict[str, Any] = {
        "schema": 1, "kind": "bench", "title": config.title, "command": command, "protection": PROTECTION,
        "environment": environment(), "data": [], "protocols": [], "results": [], "curves": [], "groups": [],
        "spread": [], "ledger": [], "controls": [], "notes": [],
    }  # fmt: skip
    return Bench(config, say, document)


def compare(config: BenchConfig, command: str, say: Say) -> Bench:
    """Run a whole comparison."""
    bench = start(config, command, say)
    for source in config.data:
        base = RunConfig(algorithm=config.algorithms[0].algorithm, **source.model_dump(), seed=0)
        data = run.load_data(base)
        add_data(bench, data)
        for protocol in config.protocols:
            compare_on(bench, base, data, protocol)
    return bench


def add_data(bench: Bench, data: Dataset) -> None:
    """Describe a data set in the document."""
    bench.document["data"].append(
        {
            "name": data.name,
            "users": data.n_users,
            "items": data.n_items,
            "interactions": data.n_interactions,
            "fingerprint": data.fingerprint(),
            "about": " ".join(data.notes),
        }
    )


def compare_on(bench: Bench, base: RunConfig, data: Dataset, protocol: str) -> None:
    """Add every algorithm's rows under one protocol."""
    first = len(bench.document["results"])
    for entry in bench.config.algorithms:
        outcomes = _outcomes(bench, base, data, protocol, entry)
        bench.outcomes[(data.name, protocol, entry.algorithm)] = outcomes[0]
        if entry is bench.config.algorithms[0]:
            _add_protocol(bench, outcomes[0])
        row = _result(outcomes, protocol)
        bench.document["results"].append(row)
        _add_details(bench, outcomes, row)
        twin = _twin_row(outcomes[0], row, protocol)
        if twin is not None:
            bench.document["results"].append(twin)
        if bench.config.controls:
            rows, words = control_rows(outcomes[0], row, names_for(protocol), bench.say, bench.config.control_users)
            bench.document["results"] += rows
            bench.document["controls"] += words
    _differences(bench, data.name, protocol, bench.document["results"][first:])


def names_for(protocol: str) -> tuple[tuple[str, int], ...]:
    """Return the metrics shown under a protocol, the headline first."""
    return HEADLINE.get(protocol, USUAL)


def _outcomes(bench: Bench, base: RunConfig, data: Dataset, protocol: str, entry: Entry) -> list[Outcome]:
    kind = registry.get(entry.algorithm)
    values = base.model_dump(exclude_defaults=True) | {
        "algorithm": entry.algorithm, "data": base.data, "protocol": protocol,
        "settings": entry.settings | entry.per_protocol.get(protocol, {}),
    }  # fmt: skip
    prepared = run.prepare(run_config(values), data)
    if bench.config.tune:
        prepared, search = run.tune(prepared)
        bench.searches.append(search)
    outcomes = []
    for seed in range(bench.config.seeds if kind.random else 1):
        seeded = run.prepare(prepared.config.model_copy(update={"seed": seed}), data)
        outcome = run.execute(seeded, twin=bench.config.twins and seed == 0)
        outcomes.append(outcome)
        bench.say(_line(outcome, protocol))
        if outcome.ranks is not None:
            bench.ranks.append(
                {
                    "data": data.name,
                    "protocol": protocol,
                    "algorithm": entry.algorithm,
                    "seed": seed,
                    "ranks": outcome.ranks,
                }
            )
    return outcomes


def _line(outcome: Outcome, protocol: str) -> str:
    test = outcome.metrics["test"]
    names = [f"{m}@{k}" for m, k in names_for(protocol)[:2]]
    tag = next((n[n.index("[") :] for n in test if "[" in n), "")
    numbers = "  ".join(f"{name}{tag} {test[name + tag]:.3f}" for name in names)
    seconds = outcome.metrics["seconds"]["train"]
    return f"{protocol}  {outcome.metrics['algorithm']['name']:<11} {numbers}  {seconds:.1f} s"


def estimates(ranks: list[Ranks], names: tuple[tuple[str, int], ...], tag: str = "") -> dict[str, Any]:
    """Return {metric: estimate}: the mean over seeds of per-user values, its interval over users, std over seeds."""
    out = {}
    for metric, k in names:
        values = np.stack([per_user(r, metric, k) for r in ranks])
        around = interval(values.mean(axis=0))
        spread = float(values.mean(axis=1).std(ddof=1)) if len(ranks) > 1 else None
        out[f"{metric}@{k}{tag}"] = {"value": around.mean, "low": around.low, "high": around.high, "std": spread}
    return out


def tag_of(outcome: Outcome) -> str:
    """Return the mark of sampled metrics, such as [99], or nothing."""
    task = outcome.prepared.split.test
    return "" if task is None or task.candidates is None else f"[{task.candidates.shape[1] - 1}]"


def _result(outcomes: list[Outcome], protocol: str) -> dict[str, Any]:
    first = outcomes[0]
    ranks = [o.ranks for o in outcomes if o.ranks is not None]
    numbers = first.metrics
    kind = type(first.prepared.algorithm)
    twin = numbers["centralised"]
    return {
        "algorithm": kind.name,
        "role": "baseline" if kind.baseline else "federated",
        "data": numbers["data"]["name"],
        "protocol": protocol,
        "metrics": estimates(ranks, names_for(protocol), tag_of(first)),
        "users": numbers["test"]["users"],
        "seeds": len(outcomes),
        "rounds": numbers["rounds"],
        "up_bytes_per_client_round": numbers["bytes"]["up_per_client_round"],
        "down_bytes_per_client_round": numbers["bytes"]["down_per_client_round"],
        "seconds": float(np.mean([o.metrics["seconds"]["train"] for o in outcomes])),
        "max_relative_difference": None if twin is None else twin["max_relative_difference"],
        "failures": numbers["failures"],
        "settings": settings_text(first),
    }


def settings_text(outcome: Outcome) -> str:
    """Return the settings that were given, in one line."""
    given = outcome.prepared.config.settings
    return ", ".join(f"{name} {value}" for name, value in given.items()) or "defaults"


def _twin_row(outcome: Outcome, row: dict[str, Any], protocol: str) -> dict[str, Any] | None:
    twin = outcome.metrics["centralised"]
    if twin is None:
        return None
    tag = tag_of(outcome)
    return {
        "algorithm": f"{row['algorithm']}, centralised twin",
        "role": "twin",
        "twin_of": row["algorithm"],
        "data": row["data"],
        "protocol": protocol,
        "metrics": {f"{m}@{k}{tag}": twin["test"][f"{m}@{k}{tag}"] for m, k in names_for(protocol)},
        "users": row["users"],
        "seeds": 1,
    }


def _add_protocol(bench: Bench, outcome: Outcome) -> None:
    split = outcome.prepared.split
    about = describe_protocol(split)
    known = {"name", "split", "candidates", "negatives", "ties", "fingerprint"}
    bench.document["protocols"].append(
        {k: v for k, v in about.items() if k in known}
        | {
            "data": outcome.prepared.data.name,
            "users": 0 if split.test is None else split.test.n_users,
            "about": ABOUT.get(split.name, " ".join(split.notes)),
        }
    )


def _add_details(bench: Bench, outcomes: list[Outcome], row: dict[str, Any]) -> None:
    outcome, document = outcomes[0], bench.document
    where = {"algorithm": row["algorithm"], "data": row["data"], "protocol": row["protocol"]}
    metric, points = curve(outcome)
    if points:
        document["curves"].append(where | {"metric": metric, "points": points})
    groups = outcome.metrics["groups"]
    document["spread"].append(
        where
        | {"metric": "ndcg@10", "clients": row["users"]}
        | {key.replace(" ", "_"): value for key, value in groups["spread"].items()}
    )
    _add_groups(document, where, groups)
    if not any(entry["algorithm"] == row["algorithm"] for entry in document["ledger"]):
        rows = ledger_rows(outcome.prepared.algorithm, outcome.prepared.catalog)
        document["ledger"].append(
            {"algorithm": row["algorithm"], "rounds": row["rounds"], "rows": [_ledger(r) for r in rows]}
        )


def _ledger(row: dict[str, Any]) -> dict[str, Any]:
    shape = [int(n.replace(",", "")) for n in row["shape"].split(" x ")]
    return {k: row[k] for k in ("where", "name", "phase", "bytes", "note")} | {"shape": shape}


def _add_groups(document: dict[str, Any], where: dict[str, Any], groups: dict[str, Any]) -> None:
    for by, metric, count in (("history length", "ndcg@10", "users"), ("items", "hr@10", "held-out")):
        rows = groups[by]
        key = {"by": by, "data": where["data"], "protocol": where["protocol"], "metric": metric}
        table = next((g for g in document["groups"] if all(g[k] == v for k, v in key.items())), None)
        if table is None:
            table = key | {"names": [r["group"] for r in rows], "users": [r[count] for r in rows], "values": {}}
            document["groups"].append(table)
        table["values"][where["algorithm"]] = [r[metric] for r in rows]


def curve(outcome: Outcome) -> tuple[str, list[dict[str, Any]]]:
    """Return (metric, points of validation quality against rounds, megabytes and seconds)."""
    points, megabytes, seconds, metric = [], 0.0, 0.0, ""
    for record in outcome.records:
        megabytes += (record.up_bytes + record.down_bytes) / 1e6
        seconds += record.seconds
        found = next(((n, v) for n, v in record.validation.items() if n.startswith("ndcg@10")), None)
        if found is not None:
            metric = found[0]
            points.append({"round": record.round + 1, "megabytes": megabytes, "seconds": seconds, "value": found[1]})
    return metric, points


def _differences(bench: Bench, data: str, protocol: str, rows: list[dict[str, Any]]) -> None:
    """Add each federated row's paired difference to the reference, with Holm-corrected p values."""
    reference = _values(bench, data, protocol, bench.config.reference)
    metric, k = names_for(protocol)[1]
    found = []
    for row in rows:
        mine = _values(bench, data, protocol, row["algorithm"])
        if row["role"] not in ("federated", "baseline") or row["algorithm"] == bench.config.reference:
            continue
        if mine is not None and reference is not None:
            found.append((row, difference(mine, reference)))
    for (row, gap), p in zip(found, holm([g.p or 1.0 for _, g in found]), strict=True):
        row["difference"] = {
            "metric": f"{metric}@{k}", "reference": bench.config.reference, "value": gap.mean,
            "low": gap.low, "high": gap.high, "p": p, "corrected": "Holm",
        }  # fmt: skip


def _values(bench: Bench, data: str, protocol: str, algorithm: str) -> NDArray[np.float64] | None:
    mine = [
        r["ranks"] for r in bench.ranks if (r["data"], r["protocol"], r["algorithm"]) == (data, protocol, algorithm)
    ]
    if not mine:
        return None
    metric, k = names_for(protocol)[1]
    return np.asarray(np.mean([per_user(r, metric, k) for r in mine], axis=0))
