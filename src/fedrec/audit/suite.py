"""The list of experiments, in the order in which a reader needs them, and the document they end in."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from fedrec.audit import flow, threats
from fedrec.audit.line import Line
from fedrec.audit.setup import Setup
from fedrec.contract import FedrecError
from fedrec.experiment.config import to_toml
from fedrec.experiment.machine import environment

SCHEMA = 1
EXPERIMENTS = (  # each has ``lines(setup) -> list[Line]``
    "fedrec.audit.inversion",
    "fedrec.audit.linking",
    "fedrec.audit.subtraction",
    "fedrec.audit.inference",
    "fedrec.audit.canary",
    "fedrec.audit.sizes",
    "fedrec.audit.trust",
    "fedrec.audit.poisoning",
    "fedrec.audit.budget",
    "fedrec.audit.published",
)
Watch = Callable[[Line], None]


def every_line(setup: Setup) -> Iterator[Line]:
    """Yield the lines of all experiments as they are found."""
    for module in EXPERIMENTS:
        name = module.rpartition(".")[2]
        try:
            yield from importlib.import_module(module).lines(setup)
        except FedrecError as error:
            yield Line(name, "FAIL", "could not be run on this set-up", detail=str(error))


def audit(setup: Setup, command: str = "", watch: Watch | None = None) -> dict[str, Any]:
    """Run everything and return the document: plain data, all that the page shows."""
    began, found = time.perf_counter(), []
    for line in every_line(setup):
        found.append(line)
        if watch is not None:
            watch(line)
    verdicts = Counter(line.verdict for line in found)
    data = setup.prepared.data
    return {
        "schema": SCHEMA,
        "title": f"{setup.algorithm.name} on {data.name}",
        "command": command,
        "off": switched_off(setup),
        "lines": [line.to_dict() for line in found],
        "verdicts": dict(verdicts),
        "failed": verdicts["FAIL"] > 0,
        "data": {"name": data.name, "users": data.n_users, "items": data.n_items, "interactions": data.n_interactions},
        "flow": flow.rows(setup),
        "threats": threats.rows(setup),
        "budget": None if setup.safeguards is None else setup.safeguards.facts(),
        "config": to_toml(setup.config),
        "environment": environment(),
        "seconds": round(time.perf_counter() - began, 1),
    }


def switched_off(setup: Setup) -> list[str]:
    """Return the first paragraph: what protects this set-up, what is off first."""
    out = []
    guard = setup.safeguards
    if guard is None:
        out.append("OFF: masks. The server may see every single update.")
    if guard is None or guard.mechanism is None:
        out.append("OFF: noise. Whatever is released is exact, and no epsilon is claimed for anybody.")
    if guard is not None:
        out.append(f"ON: sums only, over {guard.fewest:,} clients at least (profile {guard.profile.name}).")
        if guard.masks != "full":
            out.append("Simulated: the masks were left out here, because in one process they cancel.")
        if guard.profile.notice:
            out.append(guard.profile.notice + ".")
    if guard is not None and guard.mechanism is not None:
        target = guard.mechanism.target
        out.append(f"ON: noise, epsilon {target.epsilon:g} at delta {target.delta:g} for each training.")
    return out
