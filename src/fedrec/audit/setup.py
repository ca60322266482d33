"""What is attacked: a run folder or a config, with its data, its algorithm and what its server would see."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Catalog, ConfigError, Interactions, Key, Phase, Total, rows_of
from fedrec.experiment import run
from fedrec.experiment.arrays import read_arrays
from fedrec.experiment.config import RunConfig, read_toml, run_config
from fedrec.experiment.fit import Options, fit
from fedrec.experiment.privacy import Federation, Safeguards, safeguards
from fedrec.privacy import RingSum
from fedrec.privacy.noise import NoiseKey
from fedrec.privacy.protection import Protection
from fedrec.privacy.secure import DEMO
from fedrec.runtime.local import LocalRuntime
from fedrec.runtime.secure import Members
from fedrec.server.cohort import sample_cohort
from fedrec.server.rounds import train

PEOPLE = 60  # whose lists are attacked, where nobody says how many
ROUNDS = 3  # of each phase that the unprotected rehearsal runs


@dataclass(frozen=True)
class Moment:
    """One round about to begin: its phase and number, what is broadcast, and what every person keeps."""

    phase: Phase
    number: int
    broadcast: Arrays
    private: Arrays

    def by_item(self, stats: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return statistics with a row an item, where the broadcast says in ``places`` which row is which item's.

        Items without a row (-1) get zeros.
        """
        places = self.broadcast.get("places")
        if places is None:
            return dict(stats)
        out = {}
        for name, array in stats.items():
            if array.ndim < 2 or len(array) != int(places.max()) + 1 or len(array) == len(places):
                out[name] = array
                continue
            wide = np.zeros((len(places), *array.shape[1:]), array.dtype)
            wide[places >= 0] = array[places[places >= 0]]
            out[name] = wide
        return out


class Setup:
    """One federation under audit.

    ``folder``: of a finished run, or None; ``people``: whose lists are attacked; all draws follow from ``seed``.
    """

    def __init__(self, config: RunConfig, folder: Path | None = None, people: int = PEOPLE, seed: int = 0) -> None:
        self.config, self.folder, self.seed = config, folder, seed
        self.prepared = run.prepare(config)
        self.algorithm: Algorithm = self.prepared.algorithm
        self.catalog: Catalog = self.prepared.catalog
        self.users: Interactions = self.prepared.split.final
        self.safeguards: Safeguards | None = self.prepared.safeguards
        self.people = min(people, self.users.n_users)

    @classmethod
    def of_folder(cls, folder: Path, people: int = PEOPLE) -> Setup:
        """Return the set-up of a finished run; ConfigError where there is none."""
        if not (folder / "metrics.json").exists() or not (folder / "config.toml").exists():
            raise ConfigError(f"{folder} holds no finished run: give the --out folder of a fedrec train")
        return cls(run_config(read_toml(folder / "config.toml")), folder, people)

    # -- what is on ---------------------------------------------------------------------------------------------
    @property
    def masked(self) -> bool:
        """Return whether the server sees sums only."""
        return self.safeguards is not None

    @property
    def noisy(self) -> bool:
        """Return whether what is released carries noise."""
        return self.safeguards is not None and self.safeguards.mechanism is not None

    @cached_property
    def plan(self) -> tuple[Phase, ...]:
        """Return what travels when."""
        return self.algorithm.plan(self.catalog)

    @property
    def clients(self) -> int:
        """Return the number of clients; a client is one person, or one organisation."""
        of = self.prepared.options.client_of
        return self.users.n_users if of is None else len(self.prepared.labels)

    @property
    def cohort(self) -> int:
        """Return the clients expected in a round."""
        return min(self.config.cohort or self.clients, self.clients)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Return how many people have each item, (n_items,): what everybody may know."""
        return np.bincount(self.users.items, minlength=self.catalog.n_items)

    def key(self, purpose: str) -> np.random.Generator:
        """Return a generator for one purpose of the audit."""
        return Key(self.seed, 0, f"audit {purpose}").generator()

    @cached_property
    def chosen(self) -> NDArray[np.int64]:
        """Return the rows of the people whose lists are attacked, ascending."""
        able = np.flatnonzero(self.users.lengths() > 0)
        drawn = self.key("people").permutation(able)[: self.people]
        return np.sort(drawn).astype(np.int64)

    def liked(self, row: int) -> NDArray[np.int64]:
        """Return the items of one person, ascending."""
        return np.unique(self.users.history(row).items).astype(np.int64)

    # -- rounds -------------------------------------------------------------------------------------------------
    @cached_property
    def moments(self) -> tuple[Moment, ...]:
        """Return the last of the first rounds of each phase, from an unprotected training: what there is to attack."""
        runtime = LocalRuntime(self.algorithm, self.catalog, self.users, self.config.seed)
        found: dict[str, Moment] = {}
        before = _copied(runtime.private)
        for step in train(_shortened(self.algorithm), self.catalog, runtime, self.config.seed):
            broadcast = {name: step.before.shared[name] for name in step.phase.broadcast}
            found[step.phase.name] = Moment(step.phase, step.record.round, broadcast, before)
            before = _copied(runtime.private)
        return tuple(found.values())

    def ring(self, moment: Moment, protection: Protection | None) -> RingSum:
        """Return an empty sum of a round, with the steps of its noise."""
        noise = None if protection is None else protection.noise(moment.phase)
        return RingSum(moment.phase, max(self.users.n_users, 1), noise)

    def plain_sum(self, moment: Moment, rows: NDArray[np.int64]) -> RingSum:
        """Return the sum of some people's updates as integers, before noise and masks."""
        total = self.ring(moment, None)
        self.add_updates(moment, rows, total)
        return total

    def add_updates(self, moment: Moment, rows: NDArray[np.int64], total: RingSum) -> None:
        """Add some people's updates to a sum."""
        self.algorithm.cohort_update(
            moment.phase, moment.broadcast, rows_of(moment.private, rows), self.users.take(rows),
            Key(self.config.seed, moment.number, "update"), total,
        )  # fmt: skip

    def protection(self) -> Protection | None:
        """Return the run's protection with a noise key of its own; its releases are charged to nobody."""
        return None if self.safeguards is None else _fresh(self.safeguards, self.clients)

    def small_protection(self, people: int) -> Protection | None:
        """Return the protection that the same settings give a training on fewer people."""
        c = self.config
        if self.safeguards is None:
            return None
        who = Federation(people, people)
        catalog = replace(self.catalog, n_users=people)
        made = safeguards(self.algorithm, catalog, who, c.secure_sum, c.privacy, c.profile)
        return None if made is None else _fresh(made, people)

    def runtime(self, moment: Moment, protection: Protection | None) -> LocalRuntime:
        """Return the run's clients as they are before a round."""
        return LocalRuntime(
            self.algorithm, self.catalog, self.users, self.config.seed, self.prepared.options.client_of,
            protection=protection, members=None if protection is None else Members(protection.profile),
        )  # fmt: skip

    @property
    def organisations(self) -> bool:
        """Return whether clients are organisations, each of which adds its people up before it sends."""
        return self.prepared.options.client_of is not None

    def cohort_of(self, moment: Moment) -> NDArray[np.int64]:
        """Return the client numbers of a round, by the run's own coins."""
        return sample_cohort(self.clients, self.config.cohort, self.config.seed, moment.number)

    def server_view(self, moment: Moment) -> Total:
        """Return what the server decodes of one round of its cohort with the run's own protection."""
        runtime = self.runtime(moment, self.protection())
        runtime.private = _copied(moment.private)
        clients = self.cohort_of(moment)
        found = runtime.round(moment.phase, moment.broadcast, clients, moment.number, self.config.seed)
        if found.total is None:
            raise ConfigError(f"no sum comes out of this set-up: {', '.join(found.failures) or 'too few clients'}")
        return found.total

    # -- models -------------------------------------------------------------------------------------------------
    @cached_property
    def released(self) -> Arrays:
        """Return what devices are sent to recommend: the folder's model, or one trained here with all protections."""
        if self.folder is not None:
            return read_arrays(self.folder / "model.safetensors")[0]
        return self.trained(self.users, self.protection())

    def trained(self, users: Interactions, protection: Protection | None) -> Arrays:
        """Return the shared state after a whole training on some people."""
        options = Options(self.config.seed, self.config.cohort if users is self.users else None)
        people = replace(users, users=np.arange(users.n_users, dtype=np.int64), _cache={})
        catalog = replace(self.catalog, n_users=users.n_users)
        model, _ = fit(self.algorithm, catalog, people, None, options, protection=protection)
        return model.shared


def _shortened(algorithm: Algorithm) -> Algorithm:
    """Return the algorithm with at most the first rounds of each phase in its plan."""
    short, whole = copy(algorithm), algorithm.plan

    def plan(catalog: Catalog) -> tuple[Phase, ...]:
        return tuple(replace(phase, rounds=min(phase.rounds, ROUNDS)) for phase in whole(catalog))

    short.plan = plan  # type: ignore[method-assign]
    return short


def _copied(arrays: Arrays) -> Arrays:
    return {name: array.copy() for name, array in arrays.items()}


def _fresh(made: Safeguards, clients: int) -> Protection:
    """Return a protection with a new noise key; among many clients masks are left out, because they cancel."""
    masks = made.masks if clients <= DEMO.most else "simulated"
    return replace(made, masks=masks).protection("audit", NoiseKey.fresh(), None)
