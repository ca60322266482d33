"""TOML in both directions: settings a person can read, edit and run again."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from fedrec.contract import ConfigError

BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's content; ConfigError says where it is wrong."""
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        raise ConfigError(f"no config file {path}: give the path of an existing .toml file") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder: expected a .toml file") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}; expected a .toml file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {str(error) or type(error).__name__}") from error


def toml_value(value: Any) -> str:
    """Return a plain value (text, number, truth, list, dictionary) as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, int):
        return int.__repr__(value)
    return _quoted(str(value))


def toml_key(name: str) -> str:
    """Return a key, quoted where TOML wants it."""
    return name if BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_lines(values: dict[str, Any]) -> list[str]:
    """Return one line a key."""
    return [f"{toml_key(name)} = {toml_value(value)}" for name, value in values.items()]
