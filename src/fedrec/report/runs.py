"""Run folders as one document: runs that differ in the seed only become one row with its deviation over seeds."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from fedrec.algorithms import registry
from fedrec.contract import Catalog, DataError, FedrecError
from fedrec.experiment.config import make_algorithm, read_toml
from fedrec.experiment.ledger import ledger_rows
from fedrec.report import html
from fedrec.report.breakdowns import breakdowns
from fedrec.report.document import Document

HEADLINE = {"last-basket": ("recall@20", "ndcg@20", "recall@10", "ndcg@10")}
USUAL = ("hr@10", "ndcg@10", "recall@20", "ndcg@20")


@dataclass(frozen=True)
class Run:
    """What one run folder says."""

    path: Path
    metrics: dict[str, Any]
    rounds: list[dict[str, Any]]
    config: dict[str, Any]
    text: str

    @property
    def place(self) -> tuple[str, str]:
        """Return the fingerprints of data and protocol: only equal ones may stand in one table."""
        return self.metrics["data"]["fingerprint"], self.metrics["protocol"]["fingerprint"]

    @property
    def kind(self) -> str:
        """Return everything that decides the run except the seed."""
        return json.dumps(
            [self.place, {k: v for k, v in self.config.items() if k != "seed"}], sort_keys=True, default=str
        )


def write_runs(directories: Sequence[str | Path], out: str | Path) -> int:
    """Write the report of one or more run folders and return its size in bytes; DataError for what is no run."""
    return html.write(out, document_of(directories, out))


def document_of(directories: Sequence[str | Path], out: str | Path = "report.html") -> Document:
    """Return the document of run folders, in the order given."""
    runs = [read_run(Path(d)) for d in directories]
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.kind, []).append(run)
    grouped = list(groups.values())
    names = _names(grouped)
    data = _label(runs, lambda r: r.metrics["data"])
    protocols = _label(runs, lambda r: r.metrics["protocol"])
    document: dict[str, Any] = {
        "kind": "runs",
        "title": _title(grouped, names),
        "command": shlex.join(["fedrec", "report", *map(str, directories), "--out", str(out)]),
        "protection": _protection(runs),
        "environment": runs[0].metrics.get("environment", {}) | {"fedrec": str(runs[0].metrics.get("fedrec", ""))},
        "data": _data(runs, data),
        "protocols": _protocols(runs, data, protocols),
        "config": {f"{run.path.name or run.path}/config.toml": run.text for run in runs},
        "notes": _notes(runs, grouped),
        **{part: [] for part in ("results", "curves", "groups", "spread", "ledger", "privacy")},
    }
    for name, group in zip(names, grouped, strict=True):
        where = {"data": data[group[0].place[0]], "protocol": protocols[group[0].place[1]]}
        document["results"] += _results(name, group, where)
        document["curves"] += _curve(name, group, where)
        document["ledger"] += _ledger(name, group[0])
        document["privacy"] += _privacy(name, group[0], where)
        breakdowns(document, {"algorithm": name, **where}, group[0].metrics)
    return Document.from_dict(document)


def read_run(path: Path) -> Run:
    """Read one run folder; DataError says what is missing and what to do."""
    metrics_file = path / "metrics.json"
    if not metrics_file.exists():
        what = "is not there" if not path.exists() else "holds no metrics.json"
        going = (path / "config.toml").exists()
        hint = (
            "the run has not ended: go on with fedrec train ... --resume"
            if going
            else "give a folder of fedrec train --out"
        )
        raise DataError(f"{path} {what}: expected a run folder; {hint}")
    try:
        metrics = json.loads(metrics_file.read_text(encoding="utf-8"))
        rounds_file = path / "rounds.jsonl"
        lines = rounds_file.read_text(encoding="utf-8").splitlines() if rounds_file.exists() else []
        rounds = [json.loads(line) for line in lines if line.strip()]
        rounds = [r for r in rounds if r.get("stage") != "final"]  # the refit repeats the rounds, unvalidated
        config_file = path / "config.toml"
        text = config_file.read_text(encoding="utf-8") if config_file.exists() else ""
        config = read_toml(config_file) if text else {}
        known = Run(path, metrics, rounds, config, text)
        _ = known.place, metrics["algorithm"]["name"], metrics["algorithm"]["config"], metrics["test"], metrics["bytes"]
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: cannot read the run ({type(error).__name__}: {error}); expected what fedrec train "
            "wrote, unchanged; train it again, or leave this folder out"
        ) from error
    return known


def _names(grouped: list[list[Run]]) -> list[str]:
    """Return a name for each group of runs: the algorithm, with what differs where it is there more than once."""
    names = [g[0].metrics["algorithm"]["name"] for g in grouped]
    flat = [_flat(g[0]) for g in grouped]
    out = []
    for k, name in enumerate(names):
        rivals = [j for j, other in enumerate(names) if other == name and grouped[j][0].place == grouped[k][0].place]
        keys = sorted({key for j in rivals for key in flat[j] if len({str(flat[i].get(key)) for i in rivals}) > 1})
        told = ", ".join(f"{key} {flat[k].get(key)}" for key in keys)
        out.append(f"{name} ({told})" if told else name)
    # the same name in one table would hide a row: the folder tells them apart
    seen = Counter((n, g[0].place) for n, g in zip(out, grouped, strict=True))
    return [f"{n} [{g[0].path.name}]" if seen[(n, g[0].place)] > 1 else n for n, g in zip(out, grouped, strict=True)]


def _flat(run: Run) -> dict[str, Any]:
    own = {k: v for k, v in run.config.items() if k not in ("seed", "settings", "data", "protocol")}
    return own | dict(run.metrics["algorithm"]["config"])


def _label(runs: list[Run], part: Callable[[Run], dict[str, Any]]) -> dict[str, str]:
    """Return fingerprint -> name, with the start of the fingerprint where two different ones share a name."""
    found = {part(r)["fingerprint"]: part(r)["name"] for r in runs}
    shared = Counter(found.values())
    return {mark: f"{name} {mark[:6]}" if shared[name] > 1 else name for mark, name in found.items()}


def _title(grouped: list[list[Run]], names: list[str]) -> str:
    on = list(dict.fromkeys(g[0].metrics["data"]["name"] for g in grouped))
    what = names[0] if len(names) == 1 else f"{len(names)} configurations"
    return f"{what} on {', '.join(on[:3])}"


def _privacy(name: str, run: Run, where: dict[str, str]) -> list[dict[str, Any]]:
    claims = run.metrics.get("privacy")
    if not claims:
        return []
    return [
        {
            "algorithm": name,
            **where,
            **{k: claims[k] for k in ("unit", "epsilon", "delta", "masks", "accountant", "assumptions")},
            "everything": claims["epsilon_of_everything_released"],
            "trainings": claims["trainings_released"],
            "fewest": claims["cohort_minimum"],
            "noise": [{k: n[k] for k in ("statistic", "sigma", "rounds")} for n in claims["noise"]],
        }
    ]


def _protection(runs: list[Run]) -> str:
    """Return what was on and what was off, of every run: nobody should take one run's noise for another's."""
    texts = {r.metrics.get("simulated", "on one machine; masks and noise off") for r in runs}
    return "; ".join(f"simulated {t}" for t in sorted(texts))


def _data(runs: list[Run], names: dict[str, str]) -> list[dict[str, Any]]:
    out = {}
    for run in runs:
        d = run.metrics["data"]
        counts = {k: d.get(k) for k in ("users", "items", "interactions", "fingerprint")}
        about = " ".join(d.get("notes", []))
        out[d["fingerprint"]] = {"name": names[d["fingerprint"]], **counts, "about": about}
    return list(out.values())


def _protocols(runs: list[Run], data: dict[str, str], names: dict[str, str]) -> list[dict[str, Any]]:
    out = {}
    for run in runs:
        p = run.metrics["protocol"]
        said = {k: p.get(k, "") for k in ("split", "candidates", "negatives", "ties", "fingerprint")}
        told = "; ".join(f"{n:,} {reason}" for reason, n in p.get("counts", {}).items() if n)
        where = {"data": data[run.place[0]], "users": run.metrics["test"].get("users")}
        out[p["fingerprint"]] = {"name": names[p["fingerprint"]], **said, **where, "about": told}
    return list(out.values())


def _notes(runs: list[Run], grouped: list[list[Run]]) -> list[str]:
    out = ["Run folders hold no numbers of single people, so there are no intervals here; fedrec bench computes them."]
    for group in grouped:
        twice = [s for s, n in Counter(r.metrics["seed"] for r in group).items() if n > 1]
        if twice:
            out.append(f"{group[0].metrics['algorithm']['name']}: seed {twice[0]} was given more than once.")
    reads = [r.path.name for r in runs if (r.metrics["test"].get("reads") or 0) > 1]
    if reads:
        out.append(f"The test part was read more than once in {', '.join(reads)}.")
    if len({json.dumps(r.metrics.get("environment", {}), sort_keys=True) for r in runs}) > 1:
        out.append("The runs come from different environments; the first one's is shown, and seconds do not compare.")
    return out


def _results(name: str, group: list[Run], where: dict[str, str]) -> list[dict[str, Any]]:
    first = group[0].metrics
    twin = first.get("centralised")
    traffic = first["bytes"]
    row = {
        "algorithm": name,
        "role": _role(first["algorithm"]["name"]),
        **where,
        "metrics": _estimates([r.metrics["test"] for r in group], first["protocol"]["name"]),
        "users": first["test"].get("users"),
        "seeds": len({r.metrics["seed"] for r in group}),
        "rounds": first.get("rounds"),
        "up_bytes_per_client_round": traffic.get("up_per_client_round"),
        "down_bytes_per_client_round": traffic.get("down_per_client_round"),
        "seconds": fmean(r.metrics.get("seconds", {}).get("train", 0.0) for r in group),
        "max_relative_difference": None if twin is None else twin.get("max_relative_difference"),
        "failures": first.get("failures", {}),
        "settings": ", ".join(f"{k} {v}" for k, v in first["algorithm"]["config"].items()),
    }
    if twin is None:
        return [row]
    metrics = _estimates([twin["test"]], first["protocol"]["name"])
    pooled = {"algorithm": f"{name}, centralised twin", "role": "twin", "twin_of": name, **where, "metrics": metrics}
    return [row, pooled]


def _role(algorithm: str) -> str:
    try:
        return "baseline" if registry.get(algorithm).baseline else "federated"
    except FedrecError:  # somebody's own algorithm that is not at hand here
        return "federated"


def _estimates(tests: list[dict[str, Any]], protocol: str) -> dict[str, Any]:
    """Return {metric: estimate}: the mean over seeds and its deviation, the usual metrics first."""
    names = [n for n, v in tests[0].items() if isinstance(v, float)]
    order = HEADLINE.get(protocol, USUAL)
    names.sort(key=lambda n: order.index(n.split("[")[0]) if n.split("[")[0] in order else len(order))
    out = {}
    for name in names:
        values = [t[name] for t in tests if isinstance(t.get(name), float)]
        out[name] = {"value": fmean(values), "std": stdev(values) if len(values) > 1 else None}
    return out


def _curve(name: str, group: list[Run], where: dict[str, str]) -> list[dict[str, Any]]:
    """Return the validation curve of the first seed, with the band from the lowest to the highest seed."""
    metric = next((m for r in group[0].rounds for m in _ordered(r.get("validation") or {})), None)
    if metric is None:
        return []
    seeds = [{r["round"]: (r.get("validation") or {}).get(metric) for r in run.rounds} for run in group]
    points, megabytes, seconds = [], 0.0, 0.0
    for record in group[0].rounds:
        megabytes += (record.get("up_bytes", 0) + record.get("down_bytes", 0)) / 1e6
        seconds += record.get("seconds", 0.0)
        values = [v for s in seeds if (v := s.get(record["round"])) is not None]
        if values:
            band = {"low": min(values), "high": max(values)} if len(values) > 1 else {}
            cost = {"round": record["round"] + 1, "megabytes": megabytes, "seconds": seconds}
            points.append({**cost, "value": fmean(values), **band})
    return [{"algorithm": name, **where, "metric": metric, "points": points}]


def _ordered(validation: dict[str, Any]) -> list[str]:
    return sorted(validation, key=lambda m: not m.startswith("ndcg@10"))


def _ledger(name: str, run: Run) -> list[dict[str, Any]]:
    said = run.metrics["algorithm"]
    try:
        algorithm = make_algorithm(said["name"], said["config"])
        rows = ledger_rows(algorithm, Catalog(run.metrics["data"]["items"], run.metrics["data"]["users"]))
    except FedrecError:  # somebody's own algorithm that is not at hand here: the page does without its ledger
        return []
    keys = ("where", "name", "phase", "bytes", "note")
    shaped = [
        {k: r[k] for k in keys} | {"shape": [int(n.replace(",", "")) for n in r["shape"].split(" x ")]} for r in rows
    ]
    return [{"algorithm": name, "rounds": run.metrics.get("rounds"), "rows": shaped}]
