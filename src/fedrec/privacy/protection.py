"""From one client's integers to what the server may see: noise share -> mask -> sum -> decode.

``Protection`` is what a runtime is given when a sum must not be seen without noise or masks. In one process the masks
of everybody cancel, so they may be left out ("simulated"), and the shares of all clients are drawn as one; "full"
runs every message of the secure sum (runtime/secure.py). Both end in ``decode``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Arrays, Phase, Total
from fedrec.privacy import travel
from fedrec.privacy.accountant import Release
from fedrec.privacy.mechanism import Mechanism, Noise
from fedrec.privacy.noise import DiscreteGaussian, NoiseKey
from fedrec.privacy.pipeline import decoded
from fedrec.privacy.secure import DEVICES, Profile, RoundMemory

Spend = Callable[[str, tuple[Release, ...]], None]


def nothing(name: str, releases: tuple[Release, ...]) -> None:
    """Count a release nowhere: for sums without noise."""


@dataclass
class Protection:
    """What is done to a sum before anybody sees it.

    ``mechanism``: the noise, or None; ``masks``: "simulated" or "full"; ``fewest``: clients without which nothing is
    released; ``spend``: writes a release down before it is made, and raises where it must not be made; ``label`` names
    the training in what is written down; ``expected``: people that the server divides by instead of the true number.
    """

    fewest: int
    expected: int
    mechanism: Mechanism | None = None
    masks: str = "simulated"
    profile: Profile = DEVICES
    label: str = "training"
    key: NoiseKey = field(default_factory=NoiseKey.fresh, repr=False)
    spend: Spend = nothing
    memory: RoundMemory = field(default_factory=RoundMemory, repr=False)

    def noise(self, phase: Phase) -> Mapping[str, Noise] | None:
        """Return the noise of a phase's statistics."""
        return None if self.mechanism is None else self.mechanism.noise[phase.name]

    def add_share(self, phase: Phase, vector: NDArray[Any], clients: int, context: bytes) -> None:
        """Add the noise shares of ``clients`` clients to a travelling vector in place, modulo its ring.

        One draw of the shares' summed variance: their sum has that law up to a factor the accountant charges for.
        """
        if self.mechanism is None:
            return
        for name, where in travel.segments(phase).items():
            stat, part = phase.stats[name], vector[where]
            variance = self.mechanism.noise[phase.name][name].variance * clients / self.mechanism.fewest
            about = context + b"\0" + name.encode()
            if not stat.symmetric:
                part += _draw(variance, self.key, about, len(part)).astype(vector.dtype)
                continue
            on = travel.on_diagonal(stat)
            part[on] += _draw(variance, self.key, about + b"\0diagonal", int(on.sum())).astype(vector.dtype)
            part[~on] += _draw(variance / 2, self.key, about + b"\0beside", int((~on).sum())).astype(vector.dtype)

    def announce(self, phase: Phase, name: str) -> None:
        """Write down what is about to be released."""
        if self.mechanism is not None:
            self.spend(name, self.mechanism.releases[phase.name])

    def decode(self, phase: Phase, vector: NDArray[Any], capacity: int, users: int, clients: int) -> Total:
        """Return the sum of so many clients' vectors as numbers; with noise counts are no longer whole."""
        ring = travel.restore(phase, vector)
        if self.mechanism is None:
            return decoded(phase, ring, {n: s.quantum(capacity) for n, s in phase.stats.items()}, users)
        noise = self.mechanism.noise[phase.name]
        return Total(
            {name: values * noise[name].quantum for name, values in ring.items()},
            self.expected,
            {name: self.mechanism.sigma(phase.name, name, clients) for name in ring},
        )


def _draw(variance: float, key: NoiseKey, context: bytes, n: int) -> NDArray[np.int64]:
    return DiscreteGaussian.keyed(variance, key, context).draw(n)


def round_name(label: str, number: int, parts: Mapping[str, Any]) -> str:
    """Return the name of one round's release: of whose, of what and from which broadcast.

    A round that is repeated after a crash has the same name, so the same noise, and is no new release; if anything
    that goes into the sum differs, so does the name.
    """
    digest = hashlib.sha256()
    for name in sorted(parts):
        value = parts[name]
        digest.update(f"{name}\0".encode())
        digest.update(value if isinstance(value, bytes) else repr(value).encode())
    return f"{label} round {number} {digest.hexdigest()[:32]}"


def arrays_digest(arrays: Arrays) -> bytes:
    """Return a SHA-256 over named arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
        digest.update(array.data)
    return digest.digest()
