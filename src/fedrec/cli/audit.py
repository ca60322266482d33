"""fedrec audit"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from fedrec.cli.common import Format, Verbose, show
from fedrec.contract.errors import InputError

if TYPE_CHECKING:
    from fedrec.audit.line import Line
    from fedrec.audit.setup import Setup

PEOPLE = 60


def audit(
    directory: Path | None = None,
    *,
    config: Path | None = None,
    out: Path | None = None,
    people: int = PEOPLE,
    format: Format = "table",
    verbose: Verbose = False,
) -> int:
    """Attack your own set-up and write the officer's report; exit code 1 where a line fails.

    Parameters
    ----------
    directory
        A folder written by fedrec train.
    config
        A TOML file with a run's settings, instead of a folder.
    out
        The HTML file to write; the same figures go beside it as JSON.
    people
        How many people's lists are attacked.
    """
    from fedrec.audit.page import write
    from fedrec.audit.suite import audit as run_audit
    from fedrec.audit.suite import switched_off

    target = _out(out)
    setup, command = _setup(directory, config, people), _command(directory, config, out, people)
    table = format == "table"
    if table:
        print("\n".join(switched_off(setup)) + "\n", flush=True)
    found = run_audit(setup, command, _live if table else None)
    write(target, found)
    if table:
        counted = ", ".join(f"{n} {verdict}" for verdict, n in found["verdicts"].items())
        print(f"{counted}; {found['seconds']:.0f} s\nwrote {target} and {target.with_suffix('.json')}")
    else:
        show("audit", _rows(found), format, found)
    return 1 if found["failed"] else 0


def _rows(found: dict[str, object]) -> list[dict[str, object]]:
    keys = ("verdict", "name", "figure", "baseline", "unit", "interval", "experiment", "detail")
    lines = found["lines"]
    assert isinstance(lines, list)
    return [{k: _short(line[k]) for k in keys} for line in lines]


def _short(value: object) -> object:
    return f"{value[0]:.3f} to {value[1]:.3f}" if isinstance(value, tuple | list) else value


def _live(line: Line) -> None:
    """Print one line as soon as it is known."""
    from fedrec.audit.line import number

    print(f"{line.verdict:<14}  {line.name}", flush=True)
    if line.figure is not None:
        between = "" if line.interval is None else f" ({number(line.interval[0])} to {number(line.interval[1])})"
        beside = "" if line.baseline is None else f"; baseline {number(line.baseline)}"
        target = f"; passes: {line.target}" if line.target else ""
        print(f"{'':16}{line.unit} {number(line.figure)}{between}{beside}{target}")
    print(f"{'':16}{line.experiment}\n{'':16}{line.detail}", flush=True)


def _out(out: Path | None) -> Path:
    if out is None:
        raise InputError("no --out given: fedrec audit DIR --out audit.html, or fedrec audit --config FILE --out ...")
    if out.is_dir():
        raise InputError(f"--out {out} is a folder: give the name of the HTML file to write")
    if out.suffix.lower() == ".json":
        raise InputError(f"--out {out}: give the HTML file's name; the JSON file is written beside it")
    return out


def _setup(directory: Path | None, config: Path | None, people: int) -> Setup:
    from fedrec.audit.setup import Setup
    from fedrec.experiment.config import read_toml, run_config

    if (directory is None) == (config is None):
        raise InputError("give either a run folder or --config FILE: fedrec audit DIR --out audit.html")
    if people < 3:
        raise InputError(f"--people {people}: expected 3 or more, or an interval means nothing")
    if directory is not None:
        return Setup.of_folder(directory, people)
    assert config is not None
    return Setup(run_config(read_toml(config)), None, people)


def _command(directory: Path | None, config: Path | None, out: Path | None, people: int) -> str:
    given = ["--config", str(config)] if directory is None else [str(directory)]
    few = [] if people == PEOPLE else ["--people", str(people)]
    return shlex.join(["fedrec", "audit", *given, "--out", str(out), *few])
