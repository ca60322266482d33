"""An algorithm some of whose clients are fakes: the wrapper that puts an attack into a training."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from fedrec.audit.poisoning_attacks import Attack, Scene
from fedrec.contract import (
    Algorithm,
    Arrays,
    Catalog,
    History,
    Interactions,
    Key,
    Phase,
    Rng,
    Scores,
    Total,
    Update,
    UpdateSum,
    rows_of,
)
from fedrec.privacy import RingSum


class Poisoned(Algorithm):
    """An algorithm some of whose clients are fakes; everything else is the algorithm's own.

    ``fakes``: user numbers; ``size``: see ``poisoning_bounds.filled``. They are in every round, after the honest ones.
    """

    def __init__(
        self,
        inner: Algorithm,
        attack: Attack,
        fakes: NDArray[np.int64],
        targets: NDArray[np.int64],
        size: float | None = None,
    ) -> None:
        super().__init__(inner.config)
        self.inner, self.attack, self.fakes, self.targets, self.size = inner, attack, fakes, targets, size
        for name in ("name", "random", "model", "baseline", "selects_round", "needs_individual_updates"):
            setattr(self, name, getattr(inner, name))
        self.catalog = Catalog(0, 0)
        self.state: Arrays = {}
        self._kept: tuple[Interactions, NDArray[np.bool_], Interactions] | None = None

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        """Return the algorithm's plan."""
        return self.inner.plan(catalog)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        """Return the algorithm's shared state at the start."""
        self.catalog, self.state = catalog, self.inner.shared(catalog, seed)
        return self.state

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        """Return what one user keeps."""
        return self.inner.private(rng, catalog)

    def cohort_private(self, users: NDArray[np.int64], key: Key, catalog: Catalog) -> Arrays:
        """Return what many users keep."""
        return self.inner.cohort_private(users, key, catalog)

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        """Return the algorithm's next state."""
        self.state = self.inner.server_update(phase, shared, total, round)
        return self.state

    def adapt(self, shared: Arrays, private: Arrays, history: History, rng: Rng) -> Arrays:
        """Adapt as the algorithm does."""
        return self.inner.adapt(shared, private, history, rng)

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        """Score as the algorithm does."""
        return self.inner.score(shared, private, history)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        """Score as the algorithm does."""
        return self.inner.cohort_scores(shared, private, users, key)

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        """Add the honest updates, then the fakes', who have seen the honest sum."""
        fake, honest = self._parted(users)
        if not fake.any():
            return self.inner.cohort_update(phase, shared, private, users, key, total)
        kept = np.flatnonzero(~fake)
        after = self.inner.cohort_update(phase, shared, rows_of(private, kept), honest, key, total)
        out = {name: np.array(array) for name, array in private.items()}
        for name, array in after.items():
            out[name][kept] = array
        assert isinstance(total, RingSum)
        exact = total.decode()  # and how much noise the server expects in it, by which it may settle its steps
        noise = {n: z.quantum * sqrt(z.variance) for n, z in (total.noise or {}).items()}
        known = Total(exact.stats, self.catalog.n_users if noise else exact.users, noise)
        scene = Scene(
            self.inner, self.catalog, phase, shared, honest, after, known, self.targets, int(fake.sum()),
            self.size, key, self.state,
        )  # fmt: skip
        updates: list[Update] = self.attack(scene)
        for number, user in enumerate(users.users[fake]):
            total.offer(int(user), updates[number % len(updates)])
        return out

    def _parted(self, users: Interactions) -> tuple[NDArray[np.bool_], Interactions]:
        if self._kept is None or self._kept[0] is not users:
            fake = np.isin(users.users, self.fakes)
            self._kept = (users, fake, users.take(np.flatnonzero(~fake)))
        return self._kept[1], self._kept[2]
