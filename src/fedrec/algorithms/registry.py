"""Names to algorithms: the line an author adds."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import entry_points

from fedrec.contract import Algorithm, ConfigError, did_you_mean

BUILT_IN = {
    "popularity": "fedrec.algorithms.popularity:Popularity",
    "markov": "fedrec.algorithms.markov:Markov",
    "itemknn": "fedrec.algorithms.itemknn:ItemKNN",
    "ease": "fedrec.algorithms.ease:Ease",
    "fedmf": "fedrec.algorithms.fedmf:FedMF",
    "pfedrec": "fedrec.algorithms.pfedrec:PFedRec",
    "ials": "fedrec.algorithms.ials:Ials",
    "dpals": "fedrec.algorithms.dpals:DpAls",
    "lowpass": "fedrec.algorithms.lowpass:LowPass",
    "slist": "fedrec.algorithms.slist:Slist",
    "slist-lowrank": "fedrec.algorithms.slist_lowrank:SlistLowRank",
    "slist-private": "fedrec.algorithms.slist_private:SlistPrivate",
    "alone": "fedrec.algorithms.alone:Alone",
}


def names() -> list[str]:
    """Return the names of all algorithms: built in, and entry points of the group ``fedrec.algorithms``."""
    return [*BUILT_IN, *sorted(e.name for e in entry_points(group="fedrec.algorithms") if e.name not in BUILT_IN)]


def get(name: str) -> type[Algorithm]:
    """Return an algorithm's class by name, entry point or ``module:Class``."""
    target = BUILT_IN.get(name, name if ":" in name else None)
    if target is None:
        target = next((e.value for e in entry_points(group="fedrec.algorithms") if e.name == name), None)
    if target is None:
        raise ConfigError(
            f"no algorithm is called {name!r}.{did_you_mean(name, names())} "
            f"Known: {', '.join(names())}; or give your own as module:Class"
        )
    module_name, _, class_name = target.partition(":")
    if os.getcwd() not in sys.path:  # a third party's file beside the user needs no installation
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # whatever a third party's module raises while it is imported
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ConfigError(f"cannot load the algorithm {name!r}: {what}; expected an importable module:Class") from error
    if not (isinstance(found, type) and issubclass(found, Algorithm)):
        raise ConfigError(f"{name!r} is not an algorithm: expected a subclass of fedrec.contract.Algorithm")
    return found
