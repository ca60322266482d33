"""Builds with a defect in noise or clip, which the canary audit must catch; the benchmark runs them too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fedrec.contract import Phase
from fedrec.privacy import RingSum
from fedrec.privacy.mechanism import Mechanism
from fedrec.privacy.protection import Protection


def noise_halved(m: Mechanism) -> Callable[..., Protection]:
    """Return a build that adds half of the noise."""
    less = {p: {n: replace(x, variance=x.variance / 4) for n, x in s.items()} for p, s in m.noise.items()}

    class Halved(Protection):
        def add_share(self, *arguments: Any) -> None:
            guard = Protection(self.fewest, self.expected, replace(m, noise=less), key=self.key)
            guard.add_share(*arguments)

    return Halved


def wrong_divisor(m: Mechanism) -> Callable[..., Protection]:
    """Return a build whose clients divide the noise by all who may arrive, not by the fewest that must."""

    class WrongDivisor(Protection):
        def add_share(self, *arguments: Any) -> None:
            guard = Protection(self.fewest, self.expected, replace(m, fewest=m.most), key=self.key)
            guard.add_share(*arguments)

    return WrongDivisor


class Unclipped(RingSum):
    """A build that does not clip."""

    def __init__(self, phase: Phase, capacity: int, noise: Any = None) -> None:
        super().__init__(phase, capacity, noise)
        self.clip = None


DEFECTS: dict[str, Callable[[Mechanism], tuple[Callable[..., Protection], Callable[..., RingSum]]]] = {
    "noise halved": lambda m: (noise_halved(m), RingSum),
    "wrong divisor": lambda m: (wrong_divisor(m), RingSum),
    "no clip": lambda _: (Protection, Unclipped),
}
