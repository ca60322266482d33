"""Everybody on one machine: the vectorised runtime.

Never one process or one Python call a client: cohorts are cut into chunks of users and handed to the algorithm's
cohort path. Memory is the data, the private state and the ring; it does not grow with the number of clients.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Catalog, Interactions, Key, Phase, rows_of
from fedrec.privacy import RingSum
from fedrec.privacy.protection import Protection, arrays_digest
from fedrec.runtime.faults import Fault, split_failures, with_reasons
from fedrec.runtime.protected import protected_sum, request
from fedrec.runtime.secure import Members
from fedrec.server.rounds import RoundResult

CHUNK = 1 << 16  # users per call of the cohort path


class LocalRuntime:
    """All clients in this process.

    ``users``: the training histories; ``client_of`` (n_users,) int64: the client of each row (None: one customer =
    one client; otherwise a silo holds many). ``private`` is everybody's private state, stacked by row; in a real
    deployment each row lives on its own device. ``protection``: what is done to a sum before the server sees it (None:
    nothing); ``members``: what the clients remember of secure sums.
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
        protection: Protection | None = None,
        members: Members | None = None,
    ) -> None:
        self.algorithm = algorithm
        self.catalog = catalog
        self.users = users
        self.chunk = chunk
        self.faults = faults
        self.client_of = client_of
        self.n_clients = users.n_users if client_of is None else int(client_of.max(initial=-1)) + 1
        self.protection = protection
        self.members = members if members is not None or protection is None else Members(protection.profile)
        self.private: Arrays = algorithm.cohort_private(users.users, Key(seed, 0, "private"), catalog)

    def round(self, phase: Phase, broadcast: Arrays, cohort: NDArray[np.int64], round: int, seed: int) -> RoundResult:
        """See fedrec.server.rounds.Runtime."""
        survivors, failures = split_failures(cohort, self.faults, seed, round)
        down = len(cohort) * sum(int(a.nbytes) for a in broadcast.values())
        if len(survivors) < (1 if self.protection is None else self.protection.fewest):
            return RoundResult(None, len(survivors), failures, 0, down)
        key = Key(seed, round, "update")
        if self.protection is not None:
            return self._protected(self.protection, phase, broadcast, (cohort, survivors), failures, key)
        total = self._summed(phase, broadcast, self._rows(survivors), key)
        up = len(survivors) * phase.up_bytes
        refused = self._refused(total)
        failures = with_reasons(failures, refused.values())
        left = len(survivors) - len(refused)
        return RoundResult(total.decode() if left else None, left, failures, up, down, total.clipped, total.saturated)

    def _summed(self, phase: Phase, broadcast: Arrays, rows: NDArray[np.int64], key: Key) -> RingSum:
        """Return the sum over some users, who keep their new private state."""
        noise = None if self.protection is None else self.protection.noise(phase)
        total = RingSum(phase, max(self.users.n_users, 1), noise)
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
        return total

    def _protected(
        self,
        protection: Protection,
        phase: Phase,
        broadcast: Arrays,
        clients: tuple[NDArray[np.int64], NDArray[np.int64]],
        failures: dict[str, int],
        key: Key,
    ) -> RoundResult:
        """Return the sum that the server may see; how many were clipped or cut is not known to it."""
        held = self._data + arrays_digest(self.private)
        asked = request(self.algorithm, protection, phase, broadcast, clients, key, held)
        members = self.members
        assert members is not None

        def sum_of(some: NDArray[np.int64]) -> tuple[RingSum, dict[int, str]]:
            total = self._summed(phase, broadcast, self._rows(some), key)
            return total, self._refused(total)

        done = protected_sum(protection, members, asked, sum_of)
        failures = with_reasons(failures, done.refused.values())
        down = done.down_bytes + len(clients[0]) * sum(int(a.nbytes) for a in broadcast.values())
        if done.vector is None:
            return RoundResult(None, 0, {**failures, done.reason: 1}, done.up_bytes, down)
        survivors = len(done.survivors)
        people = len(self._rows(np.array(done.survivors, np.int64)))
        total = protection.decode(phase, done.vector, max(self.users.n_users, 1), people, survivors)
        return RoundResult(total, survivors, failures, done.up_bytes, down)

    def _refused(self, total: RingSum) -> dict[int, str]:
        """Return {client: reason} of the clients whose whole update was left out.

        An organisation leaves out the person and stays: its own sum is as good as any.
        """
        if self.client_of is not None or not total.refused:
            return {}
        users = np.array(sorted(total.refused), np.int64)
        rows = np.flatnonzero(np.isin(self.users.users, users))
        return {int(row): total.refused[int(self.users.users[row])] for row in rows}

    @cached_property
    def _data(self) -> bytes:
        """Return a digest of everybody's history: what a round's name must tell apart."""
        users = self.users
        arrays: Arrays = {"users": users.users, "offsets": users.offsets, "items": users.items}
        for name, array in (("times", users.times), ("values", users.values)):
            if array is not None:
                arrays[name] = array
        return arrays_digest(arrays)

    def _rows(self, clients: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.client_of is None:
            return clients
        return np.flatnonzero(np.isin(self.client_of, clients)).astype(np.int64)
