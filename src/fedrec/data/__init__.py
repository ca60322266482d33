"""Readers, ids, splits, silos and the bundled sample. polars is imported here only, and only when data is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedrec.data.clients import silos
    from fedrec.data.dataset import Dataset
    from fedrec.data.description import describe
    from fedrec.data.sources import load

__all__ = ["Dataset", "describe", "load", "silos"]

_HOMES = {"Dataset": "dataset", "describe": "description", "load": "sources", "silos": "clients"}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that the metrics can use ``fedrec.data.task`` without polars."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fedrec.data' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"fedrec.data.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
