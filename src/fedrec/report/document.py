"""What a report says, as plain data: the one schema between whoever measures and whoever shows.

The layers below produce **plain dicts** of this shape (they cannot import this module) and the report reads them
with ``Document.from_dict``. Everything is JSON: numbers, text, true/false, null, lists, objects. Every key not marked
*required* may be left out; the page then leaves out the part that needs it. Unknown keys are errors. ``NaN`` and
infinities are read as null. Metrics are **fractions** (0.185) with lower-case names (``recall@20``, ``hr@10[99]``).

An *estimate* is a number, null, or ``{"value": 0.128, "low": 0.119, "high": 0.137, "std": null}``: the 95 % interval
over users (both or none), and the standard deviation over seeds where there are several.

::

    {"schema": 1,
     "kind": "bench" | "runs",                                                          # required
     "title": "Gift-shop purchases, 2,593 customers",                                   # required
     "command": "fedrec bench quick --report report.html",                              # what regenerates it
     "protection": "simulated on one machine; masks and noise off",                     # what was ON and OFF
     "summary": ["One plain sentence.", ...],          # left out: the page writes its own from the shops and results
     "environment": {"fedrec": "0.1.0", "python": "3.11.2", "numpy": "2.4", "cores": "2", "system": "Linux"},
     "data": [{"name": "quickstart", "users": 2593, "items": 1039, "interactions": 176102,    # name is required
               "fingerprint": "9c1f...", "about": "One sentence.",
               "facts": {"duplicates dropped": 12, "users who train only": 17}}],  # anything else counted
     "protocols": [{"name": "last-basket", "data": "quickstart",                        # name is required
                    "split": "...", "candidates": "all items not in the history", "negatives": "none",
                    "ties": "1 + greater + half of the tied", "fingerprint": "a1b2...", "users": 2120,
                    "about": "One sentence on what it measures and how it differs."}],
                   # in the order shown; the first is the headline
     "shops": {"data": "quickstart", "protocol": "last-basket", "metric": "recall@20",   # or null
               "algorithms": ["slist", "ease"],                                         # in the order shown
               "rows": [{"name": "Germany", "users": 64, "total": false,
                         "scores": {"slist": {"alone": E, "federated": E, "pooled": E, "gain": E}, "ease": {...}}}],
               "note": ""},
               # total: true marks a row over several shops, e.g. "14 small shops"; E = estimate;
               # gain = federated - alone, paired over the same customers
     "results": [{"algorithm": "slist",              # required: the name shown and used everywhere else in the document
                  "role": "federated",               # required: "federated" | "twin" | "control" | "baseline"
                  "twin_of": null,                   # for role "twin": the algorithm beside which it is shown
                  "data": "quickstart", "protocol": "last-basket",                      # required, both
                  "metrics": {"recall@20": E, "ndcg@20": E},
                  "users": 2120, "seeds": 1,
                  "difference": {"metric": "ndcg@20", "reference": "popularity", "value": 0.083, "low": 0.07,
                                 "high": 0.09, "p": 0.0002, "corrected": "Holm"},        # or null; p after correction
                  "rounds": 1, "up_bytes_per_client_round": 6478165, "down_bytes_per_client_round": 0,
                  "seconds": 3.1,                    # training; null for what was not timed
                  "max_relative_difference": 3e-9,   # federated rows: against the twin; null: not compared
                  "failures": {"straggler": 4},      # clients not in the sum, by reason
                  "flag": "the off control reaches this",
                  "settings": "reg 300, decay 0.6"}],
                # one entry per algorithm x data set x protocol, in the order shown
     "curves": [{"algorithm": "ials", "data": "quickstart", "protocol": "last-basket", "metric": "ndcg@20",
                 "points": [{"round": 1, "megabytes": 12.5, "seconds": 0.4, "value": 0.081,
                             "low": null, "high": null}]}],
               # validation quality; megabytes (10^6 bytes, up and down, all clients) and seconds are cumulative;
               # low / high: band over seeds
     "groups": [{"by": "history length", "data": "quickstart", "protocol": "last-basket", "metric": "recall@20",
                 "names": ["1-5", "6-20", "21-100"], "users": [700, 900, 520],         # users: counts or []
                 "values": {"slist": [E, E, E], "ease": [E, E, E]}}],                   # one value per name
     "spread": [{"algorithm": "slist", "data": "quickstart", "protocol": "last-basket", "metric": "ndcg@20",
                 "clients": 2120, "worst": 0.0, "worst_client": "",                     # name a shop, never a person
                 "p10": 0.0, "p50": 0.05, "p90": 0.4, "worst_decile": 0.0}],            # worst_decile: its mean
     "ledger": [{"algorithm": "slist", "rounds": 1,
                 "rows": [{"where": "uploaded", "name": "pairs", "phase": "sums", "shape": [1039, 1039],
                           "bytes": 2161120, "note": "symmetric: one half travels; 32-bit ring"}]}],
               # where: "uploaded" (per client and round) | "shared" (held and broadcast by the server)
               #        | "private" (kept by the user)
     "privacy": [{"algorithm": "slist-private", "data": "quickstart", "protocol": "leave-last-out",  # runs with noise
                  "unit": "person", "epsilon": 4.0, "delta": 1e-5, "everything": 5.9, "trainings": 2, "fewest": 2333,
                  "masks": "simulated" | "full", "accountant": "...", "assumptions": ["..."],
                  "noise": [{"statistic": "cross", "sigma": 1.2, "rounds": 1}]}],
     "examples": [{"customer": "12347", "about": "Finland, 120 items in 6 baskets", "data": "quickstart",
                   "protocol": "last-basket",
                   "bought": [{"id": "85116", "title": "BLACK CANDELABRA T-LIGHT HOLDER"}],
                   "held_out": [{"id": "22376", "title": "..."}],
                   "lists": [{"algorithm": "slist", "items": [{"id": "22376", "title": "...", "hit": true}]}]}],
     "controls": [{"name": "federation off", "text": "Every customer alone: 0.021 ...", "ok": true}],   # ok or null
     "ceiling": "In words: what the pooled twin reaches and what is left.",
     "config": {"bench.toml": "...text..."},                                            # name -> text, shown as it is
     "notes": ["Anything else a reader must know, one sentence each."]}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from fedrec.contract import ContractError

SCHEMA = 1
Role = Literal["federated", "twin", "control", "baseline"]
Where = Literal["uploaded", "shared", "private"]


def _finite(value: Any) -> Any:
    """Return null for NaN and infinities, so that what is embedded stays valid JSON."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _estimate(value: Any) -> Any:
    """Return a bare number as an estimate without an interval."""
    plain = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    return {"value": value} if plain else value


Number = Annotated[float | None, BeforeValidator(_finite)]


class Model(BaseModel):
    """Base of all parts: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(Model):
    """A number with its 95 % interval over users and its standard deviation over seeds, where there are any."""

    value: Number = None
    low: Number = None
    high: Number = None
    std: Number = None


E = Annotated[Estimate, BeforeValidator(_estimate)]


class Data(Model):
    """One data set, counted."""

    name: str
    users: int | None = None
    items: int | None = None
    interactions: int | None = None
    fingerprint: str = ""
    about: str = ""
    facts: dict[str, int | float | str] = {}


class Protocol(Model):
    """How quality was measured."""

    name: str
    data: str = ""
    split: str = ""
    candidates: str = ""
    negatives: str = ""
    ties: str = ""
    fingerprint: str = ""
    users: int | None = None
    about: str = ""


class Arms(Model):
    """One shop by itself, federated, and with everybody's purchases pooled in one place."""

    alone: E = Estimate()
    federated: E = Estimate()
    pooled: E = Estimate()
    gain: E = Estimate()


class Shop(Model):
    """One organisation, or a total over several."""

    name: str
    users: int | None = None
    total: bool = False
    scores: dict[str, Arms] = {}


class Shops(Model):
    """What every organisation gains."""

    data: str = ""
    protocol: str = ""
    metric: str
    algorithms: list[str]
    rows: list[Shop]
    note: str = ""


class Difference(Model):
    """A paired difference to a reference, with its corrected p value."""

    metric: str
    reference: str
    value: Number = None
    low: Number = None
    high: Number = None
    p: Number = None
    corrected: str = "Holm"


class Result(Model):
    """One algorithm on one data set under one protocol."""

    algorithm: str
    role: Role
    data: str
    protocol: str
    twin_of: str | None = None
    metrics: dict[str, E] = {}
    users: int | None = None
    seeds: int | None = None
    difference: Difference | None = None
    rounds: int | None = None
    up_bytes_per_client_round: Number = None
    down_bytes_per_client_round: Number = None
    seconds: Number = None
    max_relative_difference: Number = None
    failures: dict[str, int] = {}
    flag: str = ""
    settings: str = ""


class Point(Model):
    """Validation quality after a round, and what it had cost by then."""

    round: int
    megabytes: Number = None
    seconds: Number = None
    value: Number = None
    low: Number = None
    high: Number = None


class Curve(Model):
    """Quality against rounds, traffic and time."""

    algorithm: str
    data: str = ""
    protocol: str = ""
    metric: str
    points: list[Point]


class Groups(Model):
    """Quality by a grouping of users or items."""

    by: str
    data: str = ""
    protocol: str = ""
    metric: str
    names: list[str]
    users: list[int] = []
    values: dict[str, list[E]]

    @model_validator(mode="after")
    def _aligned(self) -> Groups:
        for name, values in [*self.values.items(), ("users", self.users or self.names)]:
            if len(values) != len(self.names):
                raise ValueError(f"{name!r} has {len(values)} values, expected one for each of {len(self.names)} names")
        return self


class Spread(Model):
    """How quality is spread over clients: who loses."""

    algorithm: str
    data: str = ""
    protocol: str = ""
    metric: str
    clients: int | None = None
    worst: Number = None
    worst_client: str = ""
    p10: Number = None
    p50: Number = None
    p90: Number = None
    worst_decile: Number = None


class LedgerRow(Model):
    """One named array and where it is."""

    where: Where
    name: str
    phase: str = ""
    shape: list[int] = []
    bytes: int | None = None
    note: str = ""


class Ledger(Model):
    """Everything an algorithm shares, keeps and uploads."""

    algorithm: str
    rounds: int | None = None
    rows: list[LedgerRow]


class Item(Model):
    """One product."""

    id: str
    title: str = ""
    hit: bool = False


class Recommended(Model):
    """One algorithm's list."""

    algorithm: str
    items: list[Item]


class StatisticNoise(Model):
    """Noise of one statistic in each of its rounds: standard deviation of a decoded entry."""

    statistic: str
    sigma: float
    rounds: int = 1


class Privacy(Model):
    """What a run with noise may claim."""

    algorithm: str
    data: str = ""
    protocol: str = ""
    unit: str
    epsilon: float
    delta: float
    everything: float
    trainings: int
    fewest: int
    masks: Literal["simulated", "full"]
    accountant: str = ""
    assumptions: list[str] = []
    noise: list[StatisticNoise] = []


class Example(Model):
    """One customer: what was bought, what was held out, and what each algorithm recommends."""

    customer: str
    about: str = ""
    data: str = ""
    protocol: str = ""
    bought: list[Item] = []
    held_out: list[Item] = []
    lists: list[Recommended] = []


class Control(Model):
    """One check of the experiment itself, in words."""

    name: str
    text: str
    ok: bool | None = None


class Document(Model):
    """A whole report; see the module's docstring for the schema."""

    schema_: Literal[1] = Field(1, alias="schema")
    kind: Literal["bench", "runs"]
    title: str
    command: str = ""
    protection: str = ""
    summary: list[str] = []
    environment: dict[str, str | int | float] = {}
    data: list[Data] = []
    protocols: list[Protocol] = []
    shops: Shops | None = None
    results: list[Result] = []
    curves: list[Curve] = []
    groups: list[Groups] = []
    spread: list[Spread] = []
    ledger: list[Ledger] = []
    privacy: list[Privacy] = []
    examples: list[Example] = []
    controls: list[Control] = []
    ceiling: str = ""
    config: dict[str, str] = {}
    notes: list[str] = []

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> Document:
        """Read a plain dict of the schema above; ContractError names the first place that does not fit."""
        try:
            return Document.model_validate(dict(plain))
        except ValidationError as error:
            problems = error.errors(include_url=False)
            first = next(
                (p for p in problems if p["type"] == "extra_forbidden"), problems[0]
            )  # a typo explains the rest
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            got = "" if first["type"] == "missing" else f" (got {str(first['input'])[:80]!r})"
            what = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
            raise ContractError(
                f"report: {where}: {what}{got}; the schema is in the docstring of fedrec.report.document"
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """Return the document as plain JSON-ready data; ``from_dict(to_dict())`` gives it back."""
        return self.model_dump(mode="json", by_alias=True)
