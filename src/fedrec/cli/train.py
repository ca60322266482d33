"""fedrec train"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from fedrec.cli.common import Flag, Format, Verbose, ids_from, mapping, say, show
from fedrec.contract.errors import ConfigError

if TYPE_CHECKING:
    from fedrec.experiment.config import RunConfig
    from fedrec.experiment.folder import RunFolder
    from fedrec.experiment.run import Prepared


@Parameter(name="privacy", help="User-level differential privacy: noise for this plan, before anything runs.")
@dataclass(frozen=True)
class Privacy:
    """The options --privacy.*; there is none for a seed, because noise that can be repeated can be taken off."""

    epsilon: Annotated[float | None, Parameter(help="What one training may cost a person.")] = None
    delta: Annotated[float | None, Parameter(help="Well below 1 / people; 1e-5 when left out.")] = None
    survivors: Annotated[float | None, Parameter(help="Share of the cohort whose noise suffices (.9).")] = None
    memberships: Annotated[int | None, Parameter(help="Organisations that may know one person (1).")] = None
    ledger: Annotated[str | None, Parameter(help="File that counts all releases on these people.")] = None
    budget: Annotated[float | None, Parameter(help="Epsilon of that file, over all commands.")] = None
    trainings: Annotated[int | None, Parameter(help="Trainings a year, for --dry-run (12).")] = None

    def given(self) -> dict[str, Any]:
        """Return what the command line says."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def train(
    algorithm: str | None = None,
    *,
    data: str | None = None,
    items: str | None = None,
    users: str | None = None,
    protocol: str | None = None,
    basket: Literal["day", "timestamp"] | None = None,
    at: str | None = None,
    ratio: str | None = None,
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
    tune: Annotated[bool, Flag] = False,
    twin: Annotated[bool, Flag] = False,
    resume: Annotated[bool, Flag] = False,
    dry_run: Annotated[bool, Flag] = False,
    secure_sum: Literal["off", "on", "full"] | None = None,
    profile: Literal["devices", "organisations", "demo"] | None = None,
    privacy: Privacy | None = None,
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
    at
        Where the test of global-time begins: a share of the interactions, UTC seconds, or a date.
    ratio
        Shares of validation and test under the protocol ratio: 0.1,0.1.
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
        Print what would happen, with noise and epsilon; do nothing.
    secure_sum
        The server sees sums only, of enough clients; "--secure-sum full" runs every message of the protocol.
    profile
        Minimums of the secure sum; demo is for 8 to 20 clients and says so.
    """
    from fedrec.experiment import run

    given: dict[str, Any] = {
        "algorithm": algorithm, "data": data, "items": items, "users": users, "protocol": protocol, "basket": basket,
        "at": at, "ratio": ids_from(ratio), "seed": seed, "rounds": rounds, "cohort": cohort, "silos": silos,
        "columns": mapping(columns) or None, "order": order, "duplicates": duplicates,
        "secure_sum": secure_sum, "profile": profile, "privacy": None if privacy is None else privacy.given(),
    }  # fmt: skip
    settled = _config(config, given, set)
    if resume and out is None:
        raise ConfigError("--resume needs --out: the folder of the run that was stopped")
    folder = _folder(out)
    if folder is not None and not dry_run:
        settled = folder.check(settled, resume, tune)
        if folder.done:
            return _finished(folder, format)
    prepared = run.prepare(settled)
    if tune:
        run.validation_part(prepared)
    if dry_run:
        facts = run.dry_run(prepared)
        show("dry run", [{"what": k, "value": _short(v)} for k, v in facts.items()], format, facts)
        return 0
    for note in prepared.data.notes + prepared.split.notes:
        say(note)
    if folder is not None:
        folder.claim(settled)
    if tune:
        prepared = _tuned(prepared, folder)
    outcome = run.execute(prepared, folder, quiet=False, twin=twin, resume=resume)
    _report(outcome.metrics, format)
    if out is not None:
        say(f"wrote {out}")
    return 0


def _config(file: Path | None, given: dict[str, Any], settings: list[str] | None) -> RunConfig:
    """Return the settings: the TOML file's, overridden by what the command line gives."""
    from fedrec.experiment.config import parse_setting, read_toml, run_config

    values: dict[str, Any] = read_toml(file) if file is not None else {}
    both = {**_table(values.get("privacy")), **_table(given.get("privacy"))}
    values |= {name: value for name, value in given.items() if value is not None}
    if both:
        values["privacy"] = both
    if settings:
        known = values.get("settings", {})
        values["settings"] = (known if isinstance(known, dict) else {}) | dict(parse_setting(x) for x in settings)
    for name in ("algorithm", "data"):
        if name not in values:
            raise ConfigError(f"no {name} given: for example fedrec train slist --data quickstart --out run")
    return run_config(values)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _folder(out: Path | None) -> RunFolder | None:
    from fedrec.experiment.folder import RunFolder

    return RunFolder(out) if out is not None else None


def _finished(folder: RunFolder, format: str) -> int:
    from fedrec.experiment.files import read_json

    folder.tidy()
    say(f"{folder.path} is complete already; nothing to resume")
    _report(read_json(folder.metrics_file), format)
    return 0


def _tuned(prepared: Prepared, folder: RunFolder | None) -> Prepared:
    """Return the run with settings chosen on validation; a search that a stopped run had finished is not repeated."""
    from fedrec.experiment import run

    if folder is not None and folder.chosen() is not None:
        return prepared
    prepared, found = run.tune(prepared, _trial)
    if folder is not None:
        folder.write_search(found, prepared.config)
    return prepared


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _trial(trial: Any) -> None:
    numbers = "  ".join(f"{n} {v:.4f}" for n, v in trial.validation.items() if n.startswith(("ndcg@", "hr@10")))
    say(f"{trial.settings}  validation {numbers or trial.error}")


def _report(metrics: dict[str, Any], format: str) -> None:
    test = metrics["test"]
    rows = [
        {"metric": name, "validation": metrics["validation"].get(name), "test": value}
        for name, value in test.items()
        if isinstance(value, float)
    ]
    title = (
        f"{metrics['algorithm']['name']} on {metrics['data']['name']}, {metrics['protocol']['name']}, "
        f"{test['users']:,} users tested; simulated {metrics['simulated']}"
    )
    show(title, rows or [{"metric": "not tested (protocol none)", "validation": None, "test": None}], format, metrics)
    if format != "table":
        return
    if metrics["privacy"]:
        private = metrics["privacy"]
        print(
            f"epsilon {private['epsilon']:.4g} at delta {private['delta']:g} for each {private['unit']} and training "
            f"({private['epsilon_continuous']:.4g} if noise were continuous); "
            f"{private['epsilon_of_everything_released']:.4g} with all {private['trainings_released']} of this command"
        )
    traffic = metrics["bytes"]
    print(
        f"{metrics['rounds']} round(s), {traffic['up_per_client_round'] / 1e3:,.1f} kB up and "
        f"{traffic['down_per_client_round'] / 1e3:,.1f} kB down a client and round; "
        f"{metrics['seconds']['train']:.2f} s training, {metrics['peak_rss_bytes'] / 1e6:,.0f} MB at most"
    )
    if metrics["centralised"]:
        worst = metrics["centralised"]["max_relative_difference"]
        print(f"centralised twin: largest relative difference {worst:.1e}")
