"""What releases cost: (epsilon, delta) of sums with Gaussian noise, at the level of persons, all of whom take part.

k Gaussian releases with L2 sensitivities D_i and standard deviations s_i, chosen adaptively, are together as private
as one Gaussian release with mu = sqrt(sum D_i^2 / s_i^2) (Dong, Roth, Su, "Gaussian differential privacy", 2022, its
corollary on composition), whose delta at epsilon is known in closed form (Balle, Wang, ICML 2018, theorem 8).

The noise that runs is an integer: a sum of m discrete Gaussians. ``cost`` charges for that, with a proof
(docs/privacy_mechanism.md): up to a factor e^slack in each probability, its release is a rounding, made after the
fact, of a continuous Gaussian release whose variance is smaller by a few squared ring steps. ``Cost.zcdp`` is a
second, looser certificate by another way: Renyi divergences of the discrete Gaussian (Canonne, Kamath, Steinke 2020).

Neighbours: one person's contribution is replaced by zeros. All figures are rounded towards less privacy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, fsum, inf, isfinite, log, log1p, pi, sqrt

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr

from fedrec.contract import ConfigError

ROUNDING = 1e-10  # relative; added to each epsilon found numerically, well above the error of log_ndtr and bisection
CLOSE = 46.0  # the rounding's slack is kept below e^-46 = 1e-20 a release


@dataclass(frozen=True)
class Release:
    """Sums that are released with noise, ``times`` times over, each time with fresh noise.

    ``sensitivity``: largest L2 norm of one person's integers, after rounding, in ring steps; ``variance``: of the
    noise of the fewest clients the round accepts, in squared ring steps; ``entries``: integers released; ``shares``:
    of how many clients' noise; ``sampling``: share of the persons drawn for the round, 1 or refused.
    """

    sensitivity: float
    variance: float
    entries: int = 1
    shares: int = 1
    times: int = 1
    sampling: float = 1.0

    def __post_init__(self) -> None:
        numbers = (self.sensitivity, self.variance)
        counts = (self.entries, self.shares, self.times)
        if not all(isfinite(x) and x > 0 for x in numbers) or any(x < 1 for x in counts):
            raise ConfigError(
                f"a release of {self} cannot be accounted for: sensitivity and variance must be positive numbers, "
                "entries, shares and times at least 1"
            )
        if self.sampling != 1.0:
            raise ConfigError(
                f"sampling={self.sampling:g}: amplification by sampling is not claimed, because it holds only for a "
                "secret coin for each person and only against readers who do not see the cohort, and the server sees "
                "it: account with sampling=1"
            )


@dataclass(frozen=True)
class Cost:
    """What a list of releases costs one person.

    ``epsilon``: of the integer mechanism that runs, at ``delta``; ``continuous``: of Gaussian noise of the same
    variance; ``zcdp``: the looser certificate by concentrated DP; ``mu``: of the Gaussian that bounds the releases;
    ``slack``: logarithm of the factor lost on the way from integers to that Gaussian.
    """

    epsilon: float
    delta: float
    continuous: float
    zcdp: float
    mu: float
    slack: float


def gaussian_delta(epsilon: float, mu: float) -> float:
    """Return delta(epsilon) of the Gaussian mechanism of sensitivity / sigma = mu (Balle, Wang 2018, theorem 8)."""
    if mu <= 0.0:
        return 0.0
    a, b = log_ndtr(mu / 2 - epsilon / mu), log_ndtr(-mu / 2 - epsilon / mu)
    gap = epsilon + b - a  # < 0; the difference of two exponentials that may both be tiny
    return float(exp(a) * -expm1(min(gap, 0.0)))


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Return the smallest epsilon >= 0 at which the Gaussian mechanism of ``mu`` is (epsilon, delta)-private."""
    _check_delta(delta)
    if gaussian_delta(0.0, mu) <= delta:
        return 0.0
    high = _doubled(lambda e: gaussian_delta(e, mu) <= delta)
    return _bisect(lambda e: gaussian_delta(e, mu) <= delta, high) * (1 + ROUNDING)


def gaussian_mu(epsilon: float, delta: float) -> float:
    """Return the largest mu of a Gaussian mechanism that is (epsilon, delta)-private: the budget to be divided."""
    _check_delta(delta)
    _check_epsilon(epsilon)
    high = _doubled(lambda m: gaussian_delta(epsilon, m) > delta)
    return _bisect(lambda m: gaussian_delta(epsilon, m) > delta, high) * (1 - ROUNDING)


def gaussian_sigma(epsilon: float, delta: float, sensitivities: Iterable[float] = (1.0,)) -> float:
    """Return the standard deviation that lets all releases of these sensitivities share (epsilon, delta)."""
    return sqrt(fsum(s * s for s in sensitivities)) / gaussian_mu(epsilon, delta)


def zcdp_epsilon(rho: float, delta: float) -> float:
    """Return epsilon of rho-zCDP at delta, the best of all orders.

    Canonne, Kamath, Steinke, arXiv 2004.00010v4, proposition 12.
    """
    _check_delta(delta)
    if rho <= 0.0:
        return 0.0

    def epsilon(u: float) -> float:  # alpha = 1 + e^u
        above = exp(u)
        alpha = 1 + above
        return alpha * rho - log(delta * alpha) / above + log1p(-1 / alpha)

    found = minimize_scalar(epsilon, bounds=(-30.0, 30.0), method="bounded")  # any order is valid, the best is tight
    return float(max(found.fun, 0.0) * (1 + ROUNDING))


@lru_cache(maxsize=4096)
def shares_slack(variance: float, shares: int) -> float:
    """Return a bound on |log P(k) / Q(k)| over all integers k: P the sum of ``shares`` discrete Gaussians, Q one.

    ``variance``: of the sum. Adding the (j+1)-th share to j of them multiplies the weight of k by a Gaussian sum over
    a shifted lattice, which by Poisson's summation formula varies by (1 + g) / (1 - g) at most, g = theta(s2 j /
    (j+1)), s2 a share's variance; the same exponents as in Kairouz, Liu, Steinke, ICML 2021.
    """
    if shares == 1:
        return 0.0
    j = np.arange(1, shares, dtype=np.float64)
    worst = _theta(variance / shares / 2)
    if worst >= 0.5:
        return inf
    # theta(s) <= 2 e^-x / (1 - e^-3x) with x = 2 pi^2 s, and e^-x < 1/4 here
    g = 2.04 * np.exp(-2 * pi**2 * (variance / shares) * j / (j + 1))
    return float(np.sum(np.log1p(g) - np.log1p(-g))) * (1 + 1e-9)


def _theta(s2: float) -> float:
    """Return 2 sum_{j>=1} exp(-2 pi^2 s2 j^2): how much a Gaussian sum over a lattice depends on the shift."""
    x = 2 * pi**2 * s2
    return 2 * exp(-x) / -expm1(-3 * x) if x > 0.0 else inf


def rounding_variance(entries: int) -> float:
    """Return r2, in squared steps, at which ``entries`` rounded numbers lose a factor of e^(e^-46) in all."""
    return (CLOSE + log(4.0 * entries)) / (2 * pi**2)


def _lattice(releases: list[Release]) -> tuple[float, float]:
    """Return (sum of D^2 / (s2 - r2), slack) of the continuous Gaussians whose rounding the releases are.

    y + N(0, s2 - r2) rounded at random to k with weight exp(-(k-y)^2 / 2 r2) is a discrete Gaussian of s2, up to the
    factor (1 + theta(r2)) / (1 - theta(r2)) in each probability and each entry.
    """
    squares, slack = [], []
    for r in releases:
        r2 = rounding_variance(r.entries)
        if r.variance <= 2 * r2:
            return inf, inf
        g = _theta(r2)
        squares.append(r.times * r.sensitivity**2 / (r.variance - r2))
        slack.append(r.times * r.entries * (log1p(g) - log1p(-g) + shares_slack(r.variance, r.shares)))
    return fsum(squares), fsum(slack)


def cost(releases: Iterable[Release], delta: float, memberships: int = 1) -> Cost:
    """Return what the releases cost a person known to ``memberships`` organisations, whose rows then all change.

    Raises ConfigError for delta outside (0, 1) and for noise too narrow for its integers to act like a Gaussian.
    """
    _check_delta(delta)
    if memberships < 1:
        raise ConfigError(f"memberships={memberships}: a person is known to at least 1 organisation")
    listed = list(releases)
    if not listed:
        return Cost(0.0, delta, 0.0, 0.0, 0.0, 0.0)
    squares, slack = _lattice(listed)
    if not slack <= 1e-3:
        raise ConfigError(
            f"the noise is too narrow for its integers to act like Gaussian noise (logarithm of the factor lost: "
            f"{slack:.3g}, accepted up to 0.001): use a finer quantum, so that each client's share of the noise has a "
            "standard deviation of at least 3 ring steps and their sum one of at least 20"
        )
    plain = fsum(r.times * r.sensitivity**2 / r.variance for r in listed)
    narrow = delta * exp(-slack)
    mu = memberships * sqrt(squares) * (1 + 1e-12)
    return Cost(
        epsilon=gaussian_epsilon(mu, narrow) + 2 * slack,
        delta=delta,
        continuous=gaussian_epsilon(memberships * sqrt(plain), delta),
        zcdp=zcdp_epsilon(memberships**2 * plain / 2, narrow) + 2 * slack,
        mu=mu,
        slack=slack,
    )


def variance_for(
    epsilon: float,
    delta: float,
    sensitivity: float,
    entries: int = 1,
    shares: int = 1,
    times: int = 1,
    memberships: int = 1,
) -> float:
    """Return the smallest variance, in squared ring steps, at which ``times`` such releases cost at most epsilon.

    Of the integer mechanism, so a few squared steps more than a continuous Gaussian needs. Raises ConfigError where
    the steps are too coarse for the noise.
    """
    need = times * (memberships * sensitivity / gaussian_mu(epsilon, delta)) ** 2 + rounding_variance(entries)
    for _ in range(60):
        release = Release(sensitivity, need, entries, shares, times)
        if cost([release], delta, memberships).epsilon <= epsilon:
            return need
        need *= 1 + 1e-9
    raise ConfigError(
        f"no variance found for epsilon={epsilon:g} at delta={delta:g} and sensitivity {sensitivity:g}: "
        "use a finer quantum, so that the sensitivity is more ring steps"
    )


def rounded_sensitivity(l2: float, quantum: float, entries: int, stochastic: bool = False) -> float:
    """Return the largest L2 norm, in ring steps, of one person's contribution after rounding.

    ``l2``: bound before rounding; ``entries``: numbers of one person's that may differ from 0. To the nearest step an
    entry moves by 1/2 at most and at most doubles; stochastic rounding moves it by less than 1.
    """
    if stochastic:
        return l2 / quantum + sqrt(entries)
    return min(l2 / quantum + sqrt(entries) / 2, 2 * l2 / quantum)


def split_factor(cohorts: int) -> float:
    """Return how much more noise a sum of ``cohorts`` separately noised sums carries than one sum: sqrt(cohorts)."""
    return sqrt(cohorts)


def _doubled(enough: Callable[[float], bool]) -> float:
    high = 1.0
    while not enough(high):
        high *= 2.0
        if high > 1e12:
            raise ConfigError("no finite epsilon: the noise is too small for the sensitivity, add more of it")
    return high


def _bisect(enough: Callable[[float], bool], high: float) -> float:
    """Return the upper end of where ``enough`` turns true, to the last bits of a float."""
    low = 0.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check_delta(delta: float) -> None:
    if not 0.0 < delta < 1.0:
        raise ConfigError(f"delta={delta}: expected a number between 0 and 1, well below 1 / number of people")


def _check_epsilon(epsilon: float) -> None:
    if not (epsilon > 0.0 and isfinite(epsilon)):
        raise ConfigError(f"epsilon={epsilon}: expected a positive number, such as 4")
