"""fedrec train"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from fedrec.cli.common import Format, Verbose, mapping, show
from fedrec.contract import ConfigError


def train(
    algorithm: str | None = None,
    *,
    data: str | None = None,
    items: str | None = None,
    users: str | None = None,
    protocol: str | None = None,
    basket: Literal["day", "timestamp"] | None = None,
    out: Path | None = None,
    seed: int | None = None,
    rounds: int | None = None,
    cohort: int | None = None,
    silos: str | None = None,
    columns: str | None = None,
    order: str | None = None,
    duplicates: Literal["first", "last", "all"] | None = None,
    set: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    config: Path | None = None,
    tune: Annotated[bool, Parameter(negative="")] = False,
    twin: Annotated[bool, Parameter(negative="")] = False,
    resume: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    format: Format = "table",
    verbose: Verbose = False,
) -> int:
    """Train a federated recommender and write a run folder.

    Parameters
    ----------
    algorithm
        A name of ``fedrec algorithms``, an entry point, or module:Class.
    data
        quickstart, synthetic:users=N,items=M,per_user=K,seed=S, a CSV / TSV / Parquet / .inter file, or a folder.
    items
        File of item titles and public features.
    users
        File of user columns.
    protocol
        leave-last-out (default), last-basket, global-time, ratio, given, none, pfedrec-honest, pfedrec-leaky.
    basket
        What one basket of last-basket is.
    out
        Folder to write; without it nothing is kept.
    seed
        Same seed, same bytes.
    rounds
        Number of rounds, for algorithms that iterate.
    cohort
        Expected number of clients a round; everybody when left out.
    silos
        Column of the users' file whose values are the clients (organisations).
    columns
        Our names for the file's: user_id=customer,item_id=sku,...
    order
        Name of an integer order column, where there are no times.
    duplicates
        What to keep when a user has an item more than once.
    set
        The algorithm's own settings, name=value.
    config
        TOML file with the same names; the command line wins.
    tune
        Choose settings on validation, from the algorithm's grid.
    twin
        Also compute the centralised twin and the difference to it.
    resume
        Go on with a run that was stopped.
    dry_run
        Print what would happen; do nothing.
    """
    from fedrec.experiment import run
    from fedrec.experiment.config import parse_setting, read_toml, run_config
    from fedrec.experiment.folder import RunFolder

    given: dict[str, Any] = {
        "algorithm": algorithm, "data": data, "items": items, "users": users, "protocol": protocol, "basket": basket,
        "seed": seed, "rounds": rounds, "cohort": cohort, "silos": silos, "order": order, "duplicates": duplicates,
    }  # fmt: skip
    values: dict[str, Any] = read_toml(config) if config is not None else {}
    values |= {name: value for name, value in given.items() if value is not None}
    if columns is not None:
        values["columns"] = mapping(columns)
    if set:
        values["settings"] = values.get("settings", {}) | dict(parse_setting(text) for text in set)
    for name in ("algorithm", "data"):
        if name not in values:
            raise ConfigError(f"no {name} given: for example fedrec train slist --data quickstart --out run")
    prepared = run.prepare(run_config(values))
    if dry_run:
        facts = run.dry_run(prepared)
        show("dry run", [{"what": k, "value": _short(v)} for k, v in facts.items()], format, facts)
        return 0
    for note in prepared.data.notes + prepared.split.notes:
        print(f"fedrec: {note}", file=sys.stderr)
    folder = RunFolder(out) if out is not None else None
    if folder is not None:
        if resume and folder.done:
            print(f"fedrec: {out} is complete already; nothing to resume", file=sys.stderr)
            return 0
        folder.open(prepared.config, resume)
    elif resume:
        raise ConfigError("--resume needs --out: the folder of the run that was stopped")
    if tune:
        prepared, found = run.tune(prepared, lambda trial: _trial(trial, format))
        if folder is not None:
            folder.write_search([found])
    outcome = run.execute(prepared, folder, quiet=False, twin=twin, resume=resume)
    _report(outcome.metrics, format, out)
    return 0


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _trial(trial: Any, format: str) -> None:
    numbers = "  ".join(f"{n} {v:.4f}" for n, v in trial.validation.items() if n.startswith(("ndcg@", "hr@10")))
    print(f"fedrec: {trial.settings}  validation {numbers or trial.error}", file=sys.stderr)


def _report(metrics: dict[str, Any], format: str, out: Path | None) -> None:
    rows = [
        {"metric": name, "validation": metrics["validation"].get(name), "test": value}
        for name, value in metrics["test"].items()
        if isinstance(value, float)
    ]
    test = metrics["test"]
    title = (
        f"{metrics['algorithm']['name']} on {metrics['data']['name']}, {metrics['protocol']['name']}, "
        f"{test['users']:,} users tested; {metrics['simulated']}"
    )
    show(title, rows or [{"metric": "not tested (protocol none)", "validation": None, "test": None}], format, metrics)
    if format == "table":
        traffic = metrics["bytes"]
        print(
            f"{metrics['rounds']} round(s), {traffic['up_per_client_round'] / 1e3:,.1f} kB up and "
            f"{traffic['down_per_client_round'] / 1e3:,.1f} kB down a client and round; "
            f"{metrics['seconds']['train']:.2f} s training, {metrics['peak_rss_bytes'] / 1e6:,.0f} MB at most"
        )
        if metrics["centralised"]:
            print(
                f"centralised twin: largest relative difference {metrics['centralised']['max_relative_difference']:.1e}"
            )
        if out is not None:
            print(f"wrote {out}")
