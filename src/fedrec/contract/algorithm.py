"""The contract: what an algorithm author writes is one client; cohorts come for free, faster ones are optional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from fedrec.contract.interactions import History, Interactions
from fedrec.contract.random import Key, Rng
from fedrec.contract.update import Arrays, Phase, Total, Update, UpdateSum

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Catalog:
    """What everybody knows before training: the public item list, and how many people are expected.

    ``features`` (n_items, f) float32 or None: public item features.
    """

    n_items: int
    n_users: int
    features: NDArray[np.float32] | None = None


class Settings(BaseModel):
    """Base of every algorithm's Config: unknown names are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Card:
    """What the algorithm table says of an algorithm."""

    summary: str
    source: str
    differs: str = ""


class Algorithm:
    """One federated recommender.

    A subclass writes ``plan``, ``shared``, ``client_update``, ``server_update`` and ``score`` for **one** client.
    ``private``, ``adapt`` are for algorithms that keep something with the user. ``cohort_*`` are optional faster
    forms that must equal the one-client form (law 2).
    """

    name: ClassVar[str] = ""
    card: ClassVar[Card]
    Config: ClassVar[type[Settings]] = Settings
    #: True for what cannot recommend personally (popularity, alone): laws 7 and 8 do not apply.
    baseline: ClassVar[bool] = False
    #: True where the server must see single updates; secure sums then refuse the algorithm.
    needs_individual_updates: ClassVar[bool] = False
    #: True where initial values or local sampling depend on the seed (several seeds are then reported).
    random: ClassVar[bool] = False
    #: names in ``shared`` that a device needs to recommend.
    model: ClassVar[tuple[str, ...]] = ()
    #: True where the round is chosen on validation (local training overfits); closed forms take the last round.
    selects_round: ClassVar[bool] = False
    #: name of the setting that ``--rounds`` sets, where the Config has it; closed forms have none.
    rounds_setting: ClassVar[str] = "rounds"
    #: grid for ``--tune``: {setting: values}; one grid for all data sets.
    grid: ClassVar[dict[str, list[Any]]] = {}
    #: settings that only change the last server step, so a tuner may reuse the sums.
    server_only: ClassVar[frozenset[str]] = frozenset()

    #: settings under which each statistic has a norm that noise can cover; None: not to be released with noise.
    dp: ClassVar[Mapping[str, Any] | None] = None
    #: True where training starts from public item features (Catalog.features), if there are any.
    uses_features: ClassVar[bool] = False

    def __init__(self, config: Settings | None = None, **settings: Any) -> None:
        self.config: Any = config if config is not None else self.Config(**settings)

    # -- the contract -------------------------------------------------------------------------------------------
    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        """Return what travels when."""
        raise NotImplementedError

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        """Return what the server holds before the first round, by name."""
        return {}

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        """Return what one user keeps; it never leaves."""
        return {}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        """Return one user's update and its new private state."""
        raise NotImplementedError

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        """Return the next shared state; pure. ``round`` counts from 0 within the phase."""
        raise NotImplementedError

    def adapt(self, shared: Arrays, private: Arrays, history: History, rng: Rng) -> Arrays:
        """Bring the private state up to date on the device with the shared state frozen; default: nothing to do."""
        return private

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        """Return the scores of all items for one user, (n_items,) float32, after ``adapt``."""
        raise NotImplementedError

    # -- optional: many users at once; must equal the above -----------------------------------------------------
    def cohort_private(self, users: NDArray[np.int64], key: Key, catalog: Catalog) -> Arrays:
        """Return the stacked initial private state of many users, each array (n_users, ...)."""
        return stack([self.private(key.rng(int(u)), catalog) for u in users])

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        """Add every user's update to ``total`` and return their new private state, stacked."""
        kept = []
        for row, (user, history) in enumerate(users.histories()):
            update, mine = self.client_update(phase, shared, row_of(private, row), history, key.rng(user))
            total.add(update)
            kept.append(mine)
        return stack(kept)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        """Adapt, then score all items for many users, (n_users, n_items) float32."""
        out = np.empty((users.n_users, users.n_items), np.float32)
        for row, (user, history) in enumerate(users.histories()):
            mine = self.adapt(shared, row_of(private, row), history, key.rng(user))
            out[row] = self.score(shared, mine, history)
        return out

    def explain(self, catalog: Catalog) -> Egress:
        """Return the egress ledger: every array by name, shape and bytes, and whether it leaves the client."""
        phases = self.plan(catalog)
        private = self.private(Rng(1), catalog)
        return Egress(
            uploaded={p.name: {n: (s.shape, s.wire_bytes, s.bits) for n, s in p.stats.items()} for p in phases},
            rounds={p.name: p.rounds for p in phases},
            clip={p.name: p.clip for p in phases},
            shared={n: a.shape for n, a in self.shared(catalog, 0).items()},
            private={n: a.shape for n, a in private.items()},
        )

    def memory_estimate(self, catalog: Catalog) -> int:
        """Return the bytes the server needs at its peak, from the plan; override where a step needs more."""
        return max(sum(_ring_bytes(p) + 3 * 8 * _numbers(p) for p in [phase]) for phase in self.plan(catalog))


def _numbers(phase: Phase) -> int:
    return sum(int(np.prod(s.shape)) for s in phase.stats.values())


def _ring_bytes(phase: Phase) -> int:
    return sum(int(np.prod(s.shape)) * s.bits // 8 for s in phase.stats.values())


@dataclass(frozen=True)
class Egress:
    """What is shared, private and uploaded, with shapes and bytes."""

    uploaded: dict[str, dict[str, tuple[tuple[int, ...], int, int]]]
    rounds: dict[str, int]
    clip: dict[str, float | None]
    shared: dict[str, tuple[int, ...]]
    private: dict[str, tuple[int, ...]] = field(default_factory=dict)


def stack(states: list[Arrays]) -> Arrays:
    """Stack one-user states along a new first axis."""
    if not states or not states[0]:
        return {}
    return {name: np.stack([s[name] for s in states]) for name in states[0]}


def row_of(private: Arrays, row: int) -> Arrays:
    """Return one user's state out of a stacked one."""
    return {name: array[row] for name, array in private.items()}


def rows_of(private: Arrays, rows: NDArray[np.int64] | slice) -> Arrays:
    """Return the states of some users out of a stacked one."""
    return {name: array[rows] for name, array in private.items()}
