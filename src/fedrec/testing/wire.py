"""A runtime double in which every client is a device of its own and everything between is bytes.

The server's broadcast and each client's reply are safetensors messages; a device holds its own history and private
state and answers one request at a time. Slow on purpose: it is what a deployment does, without sockets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Catalog, History, Interactions, Key, Phase, Stat, row_of
from fedrec.privacy import RingSum
from fedrec.server.rounds import RoundResult
from fedrec.testing.subject import as_bytes, from_bytes


def pack(stat: Stat, ring: NDArray[np.signedinteger]) -> NDArray[np.signedinteger]:
    """Return what travels of one statistic: all of it, or the upper half where it is symmetric."""
    if not stat.symmetric:
        return ring
    rows, columns = np.triu_indices(stat.shape[-1])
    return np.ascontiguousarray(ring[..., rows, columns])


def unpack(stat: Stat, packed: NDArray[np.signedinteger]) -> NDArray[np.signedinteger]:
    """Return the whole statistic from what travelled."""
    if not stat.symmetric:
        return packed
    rows, columns = np.triu_indices(stat.shape[-1])
    out = np.zeros(stat.shape, packed.dtype)
    out[..., rows, columns] = packed
    out[..., columns, rows] = packed
    return out


class Device:
    """One person's machine: the history and the private state never leave it."""

    def __init__(self, algorithm: Algorithm, user: int, history: History, private: Arrays) -> None:
        self.algorithm = algorithm
        self.user = user
        self.history = history
        self.private = private

    def reply(self, phase: Phase, capacity: int, number: int, seed: int, request: bytes) -> bytes:
        """Answer one broadcast with one clipped, quantised, dense update."""
        rng = Key(seed, number, "update").rng(self.user)
        update, self.private = self.algorithm.client_update(phase, from_bytes(request), self.private, self.history, rng)
        own = RingSum(phase, capacity)
        own.add(update)
        return as_bytes({name: pack(stat, own.ring[name]) for name, stat in phase.stats.items()})


class WireRuntime:
    """Runtime.round over devices that exchange bytes."""

    def __init__(self, algorithm: Algorithm, catalog: Catalog, users: Interactions, seed: int) -> None:
        self.n_clients = users.n_users
        private = algorithm.cohort_private(users.users, Key(seed, 0, "private"), catalog)
        self.devices = [
            Device(algorithm, user, history, {n: np.array(a) for n, a in row_of(private, row).items()})
            for row, (user, history) in enumerate(users.histories())
        ]

    def round(self, phase: Phase, broadcast: Arrays, cohort: NDArray[np.int64], round: int, seed: int) -> RoundResult:
        """See fedrec.server.rounds.Runtime."""
        request = as_bytes(broadcast)
        total = RingSum(phase, self.n_clients)
        up = 0
        for client in cohort:
            message = self.devices[int(client)].reply(phase, self.n_clients, round, seed, request)
            up += len(message)
            for name, packed in from_bytes(message).items():
                total.ring[name] += unpack(phase.stats[name], packed)
            total.note(1)
        decoded = total.decode() if len(cohort) else None
        return RoundResult(decoded, len(cohort), {}, up, len(cohort) * len(request))
