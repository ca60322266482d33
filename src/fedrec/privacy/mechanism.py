"""How much noise each statistic of a plan gets, derived from the bounds that the plan declares.

A training is a list of releases: each statistic, each round. Their Gaussians share one budget mu^2 (accountant.py) by
the statistics' ``share``. A statistic with an ``l2`` of its own is one release; those under the phase's clip are one
release together. The ring's step is the finest power of two at which the sum of all people plus the tail of the noise
of all clients that may arrive fits; everything is charged for the integers that run.

Symmetric statistics: the norm is that of the whole matrix, in which an entry beside the diagonal counts twice; so does
its noise, and what travels once gets half of the variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum, sqrt

import numpy as np

from fedrec.contract import ConfigError, Phase, Stat
from fedrec.privacy.accountant import (
    Cost,
    Release,
    cost,
    gaussian_epsilon,
    gaussian_mu,
    rounded_sensitivity,
    rounding_variance,
)
from fedrec.privacy.noise import tail

FINE = 2.0**20
CLOSE = 1.01  # epsilon of the integers may exceed that of continuous noise by 1 %


@dataclass(frozen=True)
class Target:
    """What is asked for one training: ``epsilon`` at ``delta`` for a person known to ``memberships`` organisations."""

    epsilon: float
    delta: float
    memberships: int = 1


@dataclass(frozen=True)
class Noise:
    """The noise of one statistic in one round.

    ``quantum``: value of a ring step; ``lift``: counts are multiplied by 2^lift before noise; ``variance``: of the
    noise of the fewest clients together, in squared steps; ``sensitivity``: L2 of one person after rounding, in steps.
    """

    quantum: float
    lift: int
    variance: float
    sensitivity: float


@dataclass(frozen=True)
class Mechanism:
    """A plan's noise: by phase and statistic; what it costs; ``fewest`` and ``most`` clients in a sum.

    ``releases``: (phase, what one round of it releases, with ``times`` 1); ``continuous``: epsilon of continuous noise
    on unrounded statistics, for comparison.
    """

    target: Target
    fewest: int
    most: int
    noise: Mapping[str, Mapping[str, Noise]]
    releases: Mapping[str, tuple[Release, ...]]
    rounds: Mapping[str, int]
    cost: Cost
    continuous: float

    def training(self) -> list[Release]:
        """Return the releases of one whole training."""
        return [replace(r, times=self.rounds[p]) for p, listed in self.releases.items() for r in listed]

    def sigma(self, phase: str, name: str, clients: int | None = None) -> float:
        """Return the standard deviation of a decoded entry (on the diagonal) when so many clients add their share."""
        noise = self.noise[phase][name]
        return noise.quantum * sqrt(noise.variance * (self.fewest if clients is None else clients) / self.fewest)


@dataclass(frozen=True)
class _Group:
    """Statistics whose norm is bounded together, in one phase."""

    phase: Phase
    names: tuple[str, ...]
    l2: float

    @property
    def stats(self) -> list[Stat]:
        return [self.phase.stats[name] for name in self.names]

    @property
    def share(self) -> float:
        return fsum(s.share for s in self.stats)

    @property
    def symmetric(self) -> bool:
        return any(s.symmetric for s in self.stats)

    @property
    def numbers(self) -> int:
        return sum(s.numbers for s in self.stats)


def calibrate(plan: Sequence[Phase], capacity: int, target: Target, fewest: int, most: int) -> Mechanism:
    """Return the noise at which the whole plan costs at most the target.

    ``capacity``: people that may be in a sum; ``fewest``: clients without which no sum is released; ``most``: clients
    that may arrive. Raises ConfigError where a statistic has no bound or a ring is too narrow.
    """
    if not 1 <= fewest <= most:
        raise ConfigError(f"noise for {fewest} to {most} clients: at least 1 client must reach the sum")
    groups = [group for phase in plan for group in _groups(phase)]
    if not groups:
        raise ConfigError("nothing is released by this plan, so there is nothing to add noise to")
    budget = (gaussian_mu(target.epsilon, target.delta) / target.memberships) ** 2
    whole = fsum(g.phase.rounds * g.share for g in groups)
    for _ in range(40):
        made = [_noise(g, capacity, budget * g.share / whole, fewest, most) for g in groups]
        releases: dict[str, tuple[Release, ...]] = {}
        for group, (_, release) in zip(groups, made, strict=True):
            releases[group.phase.name] = (*releases.get(group.phase.name, ()), release)
        rounds = {phase.name: phase.rounds for phase in plan}
        every = [replace(r, times=rounds[p]) for p, listed in releases.items() for r in listed]
        paid = cost(every, target.delta, target.memberships)
        if paid.epsilon <= target.epsilon:
            break
        budget *= 1 - 1e-9
    else:
        raise ConfigError(f"no noise was found at which the plan costs epsilon {target.epsilon:g}: use wider rings")
    noise = {
        phase.name: {n: x for g, (found, _) in zip(groups, made, strict=True) if g.phase is phase for n, x in found}
        for phase in plan
    }
    plain = _continuous(groups, noise, target)
    if paid.epsilon > CLOSE * plain:
        raise ConfigError(
            f"integers cost epsilon {paid.epsilon:.4g} where continuous noise would cost {plain:.4g}: the ring's steps "
            "are too coarse; use wider rings (--set bits=64, where the algorithm has it), or bound the statistics more "
            "tightly"
        )
    return Mechanism(target, fewest, most, noise, releases, rounds, paid, plain)


def _groups(phase: Phase) -> list[_Group]:
    own = [_Group(phase, (name,), stat.l2) for name, stat in phase.stats.items() if stat.l2 is not None]
    together = tuple(name for name, stat in phase.stats.items() if stat.l2 is None)
    if together and phase.clip is None:
        raise ConfigError(
            f"phase {phase.name!r} declares no L2 bound for {', '.join(together)}: noise needs one (Stat.l2, or a clip)"
        )
    if together and phase.clip is not None:
        own.append(_Group(phase, together, phase.clip))
    return own


def _noise(group: _Group, capacity: int, mu2: float, fewest: int, most: int) -> tuple[list[tuple[str, Noise]], Release]:
    """Return each statistic's noise, and the release."""
    sigma = group.l2 / sqrt(mu2)
    # 2 % for what rounding adds to the variance; tail() gives whole numbers, so it is asked in fine units
    room = tail(sigma * sigma * most / fewest * 1.02 * FINE * FINE, group.numbers) / FINE
    # as fine as the ring allows, but no finer than the sampler's largest variance, 2^80 steps
    finest = 2.0 ** (np.ceil(np.log2(sigma * sqrt(most / fewest))) - 38)
    quantum = max(finest, *(_quantum(s, capacity * min(s.linf, group.l2), room) for s in group.stats))
    exact = all(s.counts for s in group.stats) and quantum <= 1.0
    entries = sum(int(np.prod(s.shape)) for s in group.stats)
    steps = group.l2 / quantum if exact else rounded_sensitivity(group.l2, quantum, entries)
    half = 2.0 if group.symmetric else 1.0
    variance = half * (steps * steps / mu2 / half + rounding_variance(group.numbers))
    release = Release(steps / sqrt(half), variance / half, group.numbers, most)
    lift = max(-int(np.log2(quantum)), 0)
    return [
        (name, Noise(quantum, lift if s.counts else 0, variance, steps))
        for name, s in zip(group.names, group.stats, strict=True)
    ], release


def _quantum(stat: Stat, peak: float, room: float) -> float:
    """Return the finest step at which all people's ``peak`` and the noise fit; a count is a whole number of steps."""
    exponent = np.ceil(np.log2(peak + room)) - (stat.bits - 1) + 1
    if stat.counts and exponent > 0:
        raise ConfigError(f"counts up to {peak:,.0f} have no room for noise in {stat.bits} bits: declare bits=64")
    return float(2.0**exponent)


def _continuous(groups: list[_Group], noise: Mapping[str, Mapping[str, Noise]], target: Target) -> float:
    squares = []
    for group in groups:
        one = noise[group.phase.name][group.names[0]]
        squares.append(group.phase.rounds * (group.l2 / one.quantum) ** 2 / one.variance)
    return gaussian_epsilon(target.memberships * sqrt(fsum(squares)), target.delta)
