"""A run's complete settings: read from TOML, overridden by the command line, written back re-runnable."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fedrec.algorithms import registry
from fedrec.contract import Algorithm, ConfigError, did_you_mean
from fedrec.experiment.privacy import PrivacyConfig
from fedrec.experiment.toml import read_toml, toml_lines
from fedrec.runtime.faults import Fault

__all__ = ["RunConfig", "checked", "make_algorithm", "parse_setting", "read_toml", "run_config", "to_toml"]

Model = TypeVar("Model", bound=BaseModel)
HEAD = "# complete settings of one fedrec run; run again with: fedrec train --config config.toml --out NEW_FOLDER"


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
    at: str | None = Field(None, description="global-time: where the test begins: share, UTC seconds or date")
    ratio: tuple[float, float] | None = Field(None, description="ratio: shares of validation and test")
    seed: int = Field(0, ge=0, lt=2**63)
    rounds: int | None = Field(None, ge=1, description="overrides the algorithm's own number of rounds")
    cohort: int | None = Field(None, ge=1, description="expected clients a round; everybody when absent")
    silos: str | None = Field(None, description="users' column whose values are the clients")
    evaluate_every: int | None = Field(
        None, ge=1, description="rounds between validations; when absent 10, under the pfedrec protocols 1"
    )
    checkpoint_every: int = Field(10, ge=1, description="rounds between checkpoints")
    faults: tuple[Fault, ...] = Field((), description="clients that fail on purpose")
    secure_sum: Literal["off", "on", "full"] = Field(
        "off", description="sums that the server sees only whole; full: every message of the protocol runs"
    )
    profile: Literal["devices", "organisations", "demo"] | None = Field(
        None, description="minimums of the secure sum; when absent organisations with silos, else devices"
    )
    privacy: PrivacyConfig | None = Field(None, description="noise: user-level differential privacy")
    settings: dict[str, Any] = Field(default_factory=dict, description="the algorithm's own settings")

    @field_validator("settings")
    @classmethod
    def _plain(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Turn NumPy's numbers into plain ones; refuse None, for which TOML has no word."""
        for name, value in settings.items():
            if value is None:
                raise ValueError(f"{name} is null: leave it out to keep the algorithm's own value")
        return {k: v.tolist() if isinstance(v, np.generic | np.ndarray) else v for k, v in settings.items()}


def run_config(values: dict[str, Any]) -> RunConfig:
    """Return the checked settings, or one message that names what is wrong.

    With ``privacy`` the settings under which the algorithm is bounded (``Algorithm.dp``) become its defaults.
    """
    config = checked(RunConfig, values, "setting")
    bounded = None if config.privacy is None else registry.get(config.algorithm).dp
    return config if not bounded else config.model_copy(update={"settings": {**bounded, **config.settings}})


def make_algorithm(name: str, settings: dict[str, Any], rounds: int | None = None) -> Algorithm:
    """Return an algorithm with its settings checked; ``rounds`` overrides its own number of rounds."""
    kind = registry.get(name)
    if rounds is not None:
        if kind.rounds_setting not in kind.Config.model_fields:
            raise ConfigError(
                f"--rounds {rounds}: {name} is a closed form with a fixed number of rounds; leave --rounds out"
            )
        settings = settings | {kind.rounds_setting: rounds}
    return kind(checked(kind.Config, settings, f"setting of {name}"))


def checked(model: type[Model], values: dict[str, Any], what: str) -> Model:
    """Validate with pydantic and turn its complaints into one message of ours."""
    known = list(model.model_fields)
    if not isinstance(values, dict):
        raise ConfigError(f"{what} {values!r}: expected a table of settings ({', '.join(known)})")
    for name in values:
        if name not in known:
            has = f"Known: {', '.join(known)}" if known else "It has no settings"
            raise ConfigError(f"unknown {what} {name!r}.{did_you_mean(name, known)} {has}")
    try:
        return model(**values)
    except ValidationError as error:
        raise ConfigError("; ".join(_complaint(problem, what) for problem in error.errors())) from error


def _complaint(problem: Any, what: str) -> str:
    name = ".".join(str(x) for x in problem["loc"])
    said = problem["msg"].removeprefix("Value error, ")
    if not name:  # settings that do not go together
        return f"{what}: {said}"
    if problem["type"] == "missing":
        return f"{what} {name} is missing: expected a value"
    return f"{what} {name} = {problem.get('input')!r}: {said[:1].lower()}{said[1:]}"


def parse_setting(text: str) -> tuple[str, Any]:
    """Return (name, value) of a ``name=value`` from the command line; the value is JSON where it can be."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set {text}: expected name=value, for example --set reg=300")
    try:
        return name.strip(), json.loads(value)
    except (ValueError, RecursionError):
        return name.strip(), value


def to_toml(config: RunConfig) -> str:
    """Return the settings as TOML; reading it back gives an equal config."""
    values = {k: v for k, v in config.model_dump().items() if v is not None and v not in ({}, ())}
    tables = {k: values.pop(k) for k in ("columns", "privacy", "settings") if k in values}
    faults = values.pop("faults", ())
    lines = [HEAD, *toml_lines(values)]
    for table, content in tables.items():
        lines += ["", f"[{table}]", *toml_lines({k: v for k, v in content.items() if v is not None})]
    for fault in faults:
        lines += ["", "[[faults]]", *toml_lines(fault)]
    return "\n".join(lines) + "\n"
