"""Randomness as a function: every draw is keyed by (seed, round, user, purpose).

There is no global generator. A key is a 64-bit integer made by splitmix64's finaliser (Steele, Lea, Flood, OOPSLA
2014), so a client, a kernel and another language derive the same stream from the same four values, in any order.
Not for privacy noise: that comes from a CSPRNG.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def mix(x: int) -> int:
    """Return splitmix64's finaliser of ``x`` (a 64-bit integer)."""
    x &= _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def _mix_array(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class Rng:
    """One user's randomness in one round for one purpose."""

    key: int

    def generator(self) -> np.random.Generator:
        """Return a counter-based NumPy generator (Philox) for this key."""
        return np.random.Generator(np.random.Philox(key=self.key))


@dataclass(frozen=True)
class Key:
    """Randomness of one (seed, round, purpose); users are told apart by ``rng`` and ``users``."""

    seed: int
    round: int = 0
    purpose: str = ""

    def _base(self) -> int:
        tag = int.from_bytes(hashlib.blake2b(self.purpose.encode(), digest_size=8).digest(), "little")
        return mix(mix(mix(self.seed & _MASK) ^ (self.round * GOLDEN)) ^ tag)

    def rng(self, user: int) -> Rng:
        """Return the randomness of one user (its row number in the data)."""
        return Rng(mix(self._base() ^ mix((user + 1) * GOLDEN)))

    def users(self, users: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the keys of many users, (n,) uint64; equal to ``rng(user).key`` for each."""
        with np.errstate(over="ignore"):
            step = (users.astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
            return _mix_array(np.uint64(self._base()) ^ _mix_array(step))

    def coins(self, clients: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return one uniform number in [0, 1) a client, (n,) float64."""
        return (self.users(clients) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def generator(self) -> np.random.Generator:
        """Return a generator for what belongs to nobody (initial item factors, a random basis)."""
        return np.random.Generator(np.random.Philox(key=self._base()))
