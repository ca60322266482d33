"""Everybody on one machine: the vectorised runtime.

Never one process or one Python call a client: cohorts are cut into chunks of users and handed to the algorithm's
cohort path. Memory is the data, the private state and the ring; it does not grow with the number of clients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Catalog, Interactions, Key, Phase, rows_of
from fedrec.privacy import RingSum
from fedrec.runtime.faults import Fault, split_failures
from fedrec.server.rounds import RoundResult

CHUNK = 1 << 16  # users per call of the cohort path


class LocalRuntime:
    """All clients in this process.

    ``users``: the training histories; ``client_of`` (n_users,) int64: the client of each row (None: one customer =
    one client; otherwise a silo holds many). ``private`` is everybody's private state, stacked by row; in a real
    deployment each row lives on its own device.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        catalog: Catalog,
        users: Interactions,
        seed: int,
        client_of: NDArray[np.int64] | None = None,
        faults: tuple[Fault, ...] = (),
        chunk: int = CHUNK,
    ) -> None:
        self.algorithm = algorithm
        self.catalog = catalog
        self.users = users
        self.chunk = chunk
        self.faults = faults
        self.client_of = client_of
        self.n_clients = users.n_users if client_of is None else int(client_of.max(initial=-1)) + 1
        self.private: Arrays = algorithm.cohort_private(users.users, Key(seed, 0, "private"), catalog)

    def round(self, phase: Phase, broadcast: Arrays, cohort: NDArray[np.int64], round: int, seed: int) -> RoundResult:
        """See fedrec.server.rounds.Runtime."""
        survivors, failures = split_failures(cohort, self.faults, seed, round)
        rows = self._rows(survivors)
        down = len(cohort) * sum(int(a.nbytes) for a in broadcast.values())
        if len(rows) == 0:
            return RoundResult(None, 0, failures, 0, down)
        total = RingSum(phase, max(self.users.n_users, 1))
        key = Key(seed, round, "update")
        everybody = len(rows) == self.users.n_users
        for first in range(0, len(rows), self.chunk):
            part = rows[first : first + self.chunk]
            if everybody and len(rows) <= self.chunk:
                users = self.users
            elif everybody:
                users = self.users.slice(first, first + len(part))
            else:
                users = self.users.take(part)
            mine = rows_of(self.private, part)
            after = self.algorithm.cohort_update(phase, broadcast, mine, users, key, total)
            for name, array in after.items():
                self.private[name][part] = array
        return RoundResult(
            total.decode(),
            len(survivors),
            failures,
            len(survivors) * phase.up_bytes,
            down,
            total.clipped,
            total.saturated,
        )

    def _rows(self, clients: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.client_of is None:
            return clients
        return np.flatnonzero(np.isin(self.client_of, clients)).astype(np.int64)
