"""A run's complete settings: read from TOML, overridden by the command line, written back re-runnable."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fedrec.algorithms import registry
from fedrec.contract import Algorithm, ConfigError, did_you_mean
from fedrec.runtime.faults import Fault


class RunConfig(BaseModel):
    """Everything that decides a run; the same names as on the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    algorithm: str = Field(description="name, entry point or module:Class")
    data: str = Field(description="quickstart, synthetic:..., a file or a folder")
    items: str | None = Field(None, description="file of item titles and public features")
    users: str | None = Field(None, description="file of user columns")
    columns: dict[str, str] = Field(default_factory=dict, description="our name = the file's name")
    order: str | None = Field(None, description="integer order column where there are no times")
    duplicates: Literal["first", "last", "all"] = Field("first", description="what to keep of (user, item) repeats")
    protocol: str = Field("leave-last-out", description="how people are tested")
    basket: Literal["day", "timestamp"] = Field("day", description="last-basket: what one basket is")
    seed: int = Field(0, ge=0, lt=2**63)
    rounds: int | None = Field(None, ge=1, description="overrides the algorithm's own number of rounds")
    cohort: int | None = Field(None, ge=1, description="expected clients a round; everybody when absent")
    silos: str | None = Field(None, description="users' column whose values are the clients")
    evaluate_every: int = Field(10, ge=1, description="rounds between validations")
    checkpoint_every: int = Field(10, ge=1, description="rounds between checkpoints")
    faults: tuple[Fault, ...] = Field((), description="clients that fail on purpose")
    settings: dict[str, Any] = Field(default_factory=dict, description="the algorithm's own settings")


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's content, or say where it is wrong."""
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        raise ConfigError(f"no config file {path}: give the path of an existing .toml file") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder: expected a .toml file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def run_config(values: dict[str, Any]) -> RunConfig:
    """Return the checked settings, or one message that names what is wrong."""
    return checked(RunConfig, values, "setting")


def make_algorithm(name: str, settings: dict[str, Any], rounds: int | None = None) -> Algorithm:
    """Return an algorithm with its settings checked; ``rounds`` overrides its own number of rounds."""
    kind = registry.get(name)
    if rounds is not None:
        if "rounds" not in kind.Config.model_fields:
            raise ConfigError(
                f"--rounds {rounds}: {name} is a closed form with a fixed number of rounds; leave --rounds out"
            )
        settings = settings | {"rounds": rounds}
    return kind(checked(kind.Config, settings, f"setting of {name}"))


def checked(model: type[Any], values: dict[str, Any], what: str) -> Any:
    """Validate with pydantic and turn its complaints into one message of ours."""
    known = list(model.model_fields)
    for name in values:
        if name not in model.model_fields:
            raise ConfigError(
                f"unknown {what} {name!r}.{did_you_mean(name, known)} Known: {', '.join(known) or 'none, it has no settings'}"
            )
    try:
        return model(**values)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = ".".join(str(x) for x in problem["loc"]) or what
            got = problem.get("input")
            lines.append(f"{what} {name} = {got!r}: {problem['msg'].lower()}")
        raise ConfigError("; ".join(lines)) from error


def parse_setting(text: str) -> tuple[str, Any]:
    """Return (name, value) of a ``name=value`` from the command line; the value is JSON where it can be."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {text}: expected name=value, for example --set reg=300")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), value


def to_toml(config: RunConfig) -> str:
    """Return the settings as TOML; reading it back gives an equal config."""
    values = {k: v for k, v in config.model_dump(mode="json").items() if v is not None and v not in ({}, [])}
    lines = ["# complete settings of one fedrec run; run again with: fedrec train --config config.toml --out NEW_FOLDER"]
    tables = {k: values.pop(k) for k in ("columns", "settings") if k in values}
    faults = values.pop("faults", [])
    lines += [f"{name} = {_toml(value)}" for name, value in values.items()]
    for table, content in tables.items():
        lines += ["", f"[{table}]"] + [f"{_key(name)} = {_toml(value)}" for name, value in content.items() if value is not None]
    for fault in faults:
        lines += ["", "[[faults]]"] + [f"{name} = {_toml(value)}" for name, value in fault.items()]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
