"""Does the noise hold what the declared epsilon says? A one-run audit with canaries through the real pipeline.

Canaries are made-up clients whose vectors point in random directions; a coin decides for each whether it takes part.
They go through the clip, the rounding and the noise that run, and an attacker who knows every direction says of each
whether it was in (Andrew et al., "One-shot Empirical Privacy Estimation", arXiv 2302.03098). Two figures: the epsilon
of the Gaussian that fits the scores, and a lower bound that holds with 95 % whatever the noise is (Steinke, Nasr,
Jagielski, "Privacy Auditing with One (1) Training Run", NeurIPS 2023, theorem 5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from fedrec.audit.line import Interval, Line, judged, skipped
from fedrec.audit.setup import Setup
from fedrec.contract import Key, Part, Phase, Stat
from fedrec.privacy import RingSum
from fedrec.privacy.accountant import gaussian_epsilon
from fedrec.privacy.mechanism import Mechanism
from fedrec.privacy.noise import NoiseKey
from fedrec.privacy.protection import Protection

NAME = "canaries: what the noise hides"
CANARIES = 1000
FEW = 40  # canaries below which nothing can be said
SPREAD = 0.05  # canaries over dimensions: more would hide each other
DIMENSIONS = 20_000  # entries of a statistic that canaries use, drawn at random
REPEATS = 20  # trainings, each with canaries of its own, where one has room for few
BEYOND = 3.0  # a canary's norm over its bound, so that a clip that is missing shows
CERTAIN = 3.3  # standard errors between the estimate and a verdict that noise is missing (1 in 2,000)
GUESSES = 0.1  # share of canaries named as in, and as out

Make = Callable[..., Protection]


@dataclass(frozen=True)
class Found:
    """One audit: scores of the canaries that were in and out, and what they say about epsilon."""

    inside: NDArray[np.float64]
    outside: NDArray[np.float64]
    delta: float

    @property
    def mu(self) -> float:
        """Return the mu of the Gaussian that fits: distance of the means over the standard deviation of those out."""
        return float((self.inside.mean() - self.outside.mean()) / self._deviation)

    @property
    def _deviation(self) -> float:
        both = np.concatenate([self.inside - self.inside.mean(), self.outside - self.outside.mean()])
        return float(np.sqrt(np.square(both).sum() / (len(both) - 2)))

    @property
    def error(self) -> float:
        """Return the standard error of ``mu``."""
        a, b = len(self.inside), len(self.outside)
        return sqrt(1 / a + 1 / b + self.mu**2 / (2 * (a + b)))

    def epsilon(self, errors: float = 0.0) -> float:
        """Return the estimate of epsilon, moved by so many standard errors of mu."""
        mu = self.mu + errors * self.error
        return gaussian_epsilon(mu, self.delta) if mu > 0 else 0.0

    @property
    def interval(self) -> Interval:
        """Return the 95 % interval of the estimate."""
        return (self.epsilon(-1.96), self.epsilon(1.96))

    @property
    def bound(self) -> float:
        """Return the lower bound of epsilon that holds with 95 %."""
        scores = np.concatenate([self.inside, self.outside])
        truth = np.arange(len(scores)) < len(self.inside)
        order = np.argsort(scores, kind="stable")
        k = max(int(GUESSES * len(scores)), 5)
        right = int(truth[order[-k:]].sum() + (~truth[order[:k]]).sum())
        return lower_bound(len(scores), 2 * k, right, self.delta)


def p_value(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """Return a bound on P(at least so many right guesses) under (epsilon, delta) (Steinke et al., theorem 5.2)."""
    truth = 1 / (1 + exp(-epsilon))
    beta = float(binom.sf(right - 1, guesses, truth))
    below = np.cumsum(binom.pmf(np.arange(right - 1, -1, -1), guesses, truth))
    alpha = float(np.max(below / np.arange(1, right + 1), initial=0.0))
    return min(beta + alpha * delta * 2 * canaries, 1.0)


def lower_bound(canaries: int, guesses: int, right: int, delta: float, level: float = 0.05) -> float:
    """Return the largest epsilon that so many right guesses refute at ``level``, 0 where they refute none."""
    low, high = 0.0, 1.0
    if p_value(canaries, guesses, right, 0.0, delta) > level:
        return 0.0
    while p_value(canaries, guesses, right, high, delta) < level and high < 64:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if p_value(canaries, guesses, right, middle, delta) < level else (low, middle)
    return low


@dataclass(frozen=True)
class Canaries:
    """The directions of one phase: for each statistic, where in it they lie and their entries there.

    ``index``: rows (and columns) of the block that canaries use, drawn at random; ``shape``: of the block; ``places``
    (d,): flat positions in it; ``values`` (m, d): entries of each canary, before clipping.
    """

    index: dict[str, tuple[NDArray[np.int64], ...]]
    shape: dict[str, tuple[int, ...]]
    places: dict[str, NDArray[np.int64]]
    values: dict[str, NDArray[np.float64]]


def dimensions(stat: Stat) -> int:
    """Return how many entries of a statistic canaries may use."""
    return min(stat.numbers, DIMENSIONS)


def large(phase: Phase) -> list[str]:
    """Return the statistics with room for enough canaries; the others carry none."""
    return [name for name, stat in phase.stats.items() if SPREAD * dimensions(stat) >= FEW]


def covered(plan: Sequence[Phase], mechanism: Mechanism) -> float:
    """Return the epsilon of the releases that carry canaries, which is what the estimate is to be held against."""
    squares = 0.0
    for phase in plan:
        for name in large(phase):
            noise = mechanism.noise[phase.name][name]
            part_of = 1.0 if phase.stats[name].l2 is not None else 1.0 / _sharing(phase)
            squares += phase.rounds * part_of * noise.sensitivity**2 / noise.variance
    return gaussian_epsilon(sqrt(squares), mechanism.target.delta) if squares else 0.0


def make(phase: Phase, canaries: int, draw: np.random.Generator) -> Canaries:
    """Draw random directions: real statistics beyond their bound, counts of random signs within it."""
    out = Canaries({}, {}, {}, {})
    for name in large(phase):
        stat = phase.stats[name]
        index = _block(stat, draw)
        shape = (*(len(rows) for rows in index), *stat.shape[len(index) :])
        where = np.sort(draw.permutation(_positions(stat, shape))[:DIMENSIONS])
        bound = float(stat.l2 if stat.l2 is not None else (phase.clip or 0.0) / sqrt(_sharing(phase)))
        out.index[name], out.shape[name], out.places[name] = index, shape, where
        if stat.counts:
            out.values[name] = _counts(stat, bound, (canaries, len(where)), draw)
            continue
        values = draw.normal(size=(canaries, len(where)))
        twice = sqrt(2.0) if stat.symmetric else 1.0  # an entry beside the diagonal stands twice in the matrix
        out.values[name] = values * (BEYOND * bound / np.sqrt(np.square(values).sum(axis=1)) / twice)[:, None]
    return out


def _block(stat: Stat, draw: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    """Return random rows (of a symmetric matrix: and the same columns) that hold about as many entries as are used."""
    square = stat.symmetric and len(stat.shape) == 2
    wide = 1 if square else int(np.prod(stat.shape[1:]))
    many = ceil(sqrt(2.0 * DIMENSIONS)) + 1 if square else -(-DIMENSIONS // wide) * (2 if stat.symmetric else 1)
    rows = np.sort(draw.permutation(stat.shape[0])[:many]).astype(np.int64)
    return (rows, rows) if square else (rows,)


def _positions(stat: Stat, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the flat positions of a block that canaries may use: of symmetric matrices above the diagonal."""
    able = np.ones(shape, np.bool_)
    return np.flatnonzero(np.triu(able, 1) if stat.symmetric else able).astype(np.int64)


def _sharing(phase: Phase) -> int:
    return sum(s.l2 is None for s in phase.stats.values())


def _counts(stat: Stat, bound: float, shape: tuple[int, int], draw: np.random.Generator) -> NDArray[np.float64]:
    """Return canaries of entries -1, 0 and 1 with a norm just within the bound."""
    out = np.zeros(shape)
    square = bound**2 * (1 + 1e-9) / (2 if stat.symmetric else 1)
    ones = min(max(int(square / min(stat.linf, 1.0) ** 2), 1), shape[1])
    for row in out:
        row[draw.permutation(shape[1])[:ones]] = draw.choice([-1.0, 1.0], ones)
    return out


def contribution(stat: Stat, drawn: Canaries, name: str, k: int) -> Part:
    """Return one canary's part of a statistic, which is nothing where it carries none."""
    if name not in drawn.places:
        return Part(np.zeros(stat.shape))
    flat = np.zeros(int(np.prod(drawn.shape[name])))
    flat[drawn.places[name]] = drawn.values[name][k]
    block = flat.reshape(drawn.shape[name])
    return Part(block + np.swapaxes(block, -1, -2) if stat.symmetric else block, drawn.index[name])


def scores(
    phase: Phase,
    mechanism: Mechanism,
    drawn: Canaries,
    inside: NDArray[np.bool_],
    protection: Protection,
    ring: Callable[..., RingSum] = RingSum,
    rounds: int = 1,
) -> NDArray[np.float64]:
    """Send the chosen canaries through the pipeline and return each one's score: log-likelihood of being in.

    ``ring`` and ``protection`` are what runs, or a build with a defect.
    """
    total = ring(phase, len(inside), mechanism.noise[phase.name])
    for k in np.flatnonzero(inside):
        total.add({n: contribution(s, drawn, n, int(k)) for n, s in phase.stats.items()})
    clients = mechanism.fewest
    out = np.zeros(len(inside))
    for number in range(rounds):
        vector = total.vector()
        protection.add_share(phase, vector, clients, f"audit round {number}".encode())
        seen = protection.decode(phase, vector, len(inside), len(inside), clients)
        for name in drawn.places:
            stat = phase.stats[name]
            block = np.asarray(seen[name], np.float64)[np.ix_(*drawn.index[name])]
            entries = block.ravel()[drawn.places[name]]
            unit = drawn.values[name] / np.sqrt(np.square(drawn.values[name]).sum(axis=1))[:, None]
            twice = sqrt(2.0) if stat.symmetric else 1.0  # the same entry below the diagonal
            sigma = mechanism.sigma(phase.name, name, clients)
            bound = mechanism.noise[phase.name][name].sensitivity * mechanism.noise[phase.name][name].quantum
            out += twice * (unit @ entries) * bound / sigma**2
    return out


def run(
    plan: Sequence[Phase],
    mechanism: Mechanism,
    seed: int,
    canaries: int | None = None,
    protect: Make = Protection,
    ring: Callable[..., RingSum] = RingSum,
) -> Found | None:
    """Audit a whole plan with canaries that take part in every release; None where there is room for too few.

    Where the statistics are small, several trainings are audited, each with its own canaries: for each canary they are
    one release with the declared epsilon, so their scores belong together.
    """
    room = min((dimensions(phase.stats[name]) for phase in plan for name in large(phase)), default=0)
    many = min(CANARIES, int(SPREAD * room)) if canaries is None else canaries
    if many < FEW:
        return None
    draw = Key(seed, 0, "audit canaries").generator()
    found, coins = [], []
    for _ in range(min(-(-CANARIES // many), REPEATS) if canaries is None else 1):
        inside = draw.random(many) < 0.5
        total = np.zeros(many)
        for phase in plan:
            guard = protect(mechanism.fewest, many, mechanism, key=NoiseKey.fresh())
            drawn = make(phase, many, draw)
            total += scores(phase, mechanism, drawn, inside, guard, ring, phase.rounds)
        found.append(total)
        coins.append(inside)
    every, taken = np.concatenate(found), np.concatenate(coins)
    return Found(every[taken], every[~taken], mechanism.target.delta)


def lines(setup: Setup) -> list[Line]:
    """Return the canary line of this set-up."""
    experiment = "made-up clients in random directions, half of them in, through the clip, rounding and noise that run"
    if not setup.noisy:
        return [skipped(NAME, experiment, "noise is off: no epsilon is declared that could be wrong")]
    assert setup.safeguards is not None
    mechanism = setup.safeguards.mechanism
    assert mechanism is not None
    found = run(setup.plan, mechanism, setup.seed)
    if found is None:
        return [skipped(NAME, experiment, f"the statistics are too small to hide {FEW} canaries from each other")]
    return [verdict(found, mechanism.cost.epsilon, experiment, covered(setup.plan, mechanism))]


def verdict(found: Found, declared: float, experiment: str, carried: float | None = None) -> Line:
    """Return the line: FAIL where the scores refute the declared epsilon.

    ``carried``: epsilon of the releases that carry canaries, where small statistics carry none.
    """
    bound, least = found.bound, found.epsilon(-CERTAIN)
    carried = declared if carried is None else carried
    good = bound <= declared and least <= carried
    many = len(found.inside) + len(found.outside)
    told = (
        f"declared epsilon {declared:.3g}, lower bound {bound:.3g} (95 %, whatever the law), estimate "
        f"{found.epsilon():.3g} from {many} canaries. The estimate is for the worst client there can be: at epsilon 4 "
        "such a client is told apart more often than not, real people are not (see interaction inference)"
    )
    if carried < 0.999 * declared:
        told += f". Statistics of fewer than {FEW / SPREAD:g} entries carry no canaries; the others cost {carried:.3g}"
    extra: dict[str, Any] = {
        "declared": declared,
        "of it with canaries": carried,
        "lower bound": bound,
        "estimate": found.epsilon(),
    }
    return Line(
        NAME, judged(good), experiment, found.epsilon(), declared, found.interval, told, unit="estimated epsilon",
        target="lower bound and lower end of the estimate at most the declared epsilon", rows=(extra,),
    )  # fmt: skip
