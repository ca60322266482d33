"""Epsilon: known values, two independent computations, the integer mechanism itself, and what is refused."""

from importlib.util import find_spec
from math import exp, sqrt

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from fedrec.contract import ConfigError
from fedrec.privacy.accountant import (
    Release,
    cost,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_mu,
    gaussian_sigma,
    rounded_sensitivity,
    shares_slack,
    split_factor,
    variance_for,
    zcdp_epsilon,
)

RNG = np.random.Generator(np.random.Philox(key=11))
SETTINGS = [
    (10 ** RNG.uniform(-8, -3), [(RNG.uniform(0.1, 3), RNG.uniform(0.6, 30)) for _ in range(RNG.integers(1, 7))])
    for _ in range(100)
]


def by_convolution(ratios: list[float], epsilon: float) -> float:
    """Return delta from the privacy losses of the releases, put on a grid and convolved: no closed form, no GDP.

    The loss of a Gaussian of ratio mu is itself normal, with mean mu^2 / 2 and variance mu^2.
    """
    spread = sqrt(sum(m * m for m in ratios))
    step, n = 40 * (spread + spread**2) / 2**15, 2**15
    grid = (np.arange(n) - n // 2) * step
    spectrum = np.ones(n // 2 + 1, complex)
    for m in ratios:
        edges = np.append(grid, grid[-1] + step) - step / 2 - m * m / 2
        spectrum *= np.fft.rfft(np.fft.ifftshift(np.diff(ndtr(edges / m))))
    mass = np.fft.fftshift(np.fft.irfft(spectrum, n))
    over = grid > epsilon
    return float(np.sum(mass[over] * -np.expm1(epsilon - grid[over])))


@pytest.mark.parametrize(("epsilon", "sigma"), [(8, 0.600), (4, 1.081), (2, 1.994), (1, 3.731)])
def test_known_values(epsilon: float, sigma: float) -> None:
    assert round(gaussian_sigma(epsilon, 1e-5), 3) == sigma


@pytest.mark.parametrize(("z", "times", "epsilon"), [(10, 5, 0.820), (5, 20, 3.849)])
def test_values_that_two_other_accountants_gave(z: float, times: int, epsilon: float) -> None:
    assert round(gaussian_epsilon(sqrt(times) / z, 1e-5), 3) == epsilon
    wide = cost([Release(1000.0, (1000.0 * z) ** 2, entries=10**6, shares=500, times=times)], 1e-5)
    assert round(wide.epsilon, 3) == epsilon


def test_a_hundred_settings_agree_with_convolved_losses_within_one_percent() -> None:
    for delta, releases in SETTINGS:
        ratios = [d / s for d, s in releases]
        epsilon = gaussian_epsilon(sqrt(sum(m * m for m in ratios)), delta)
        assert by_convolution(ratios, epsilon * 1.01) < delta < by_convolution(ratios, epsilon * 0.99), releases


def test_a_hundred_settings_agree_with_the_integral_of_the_hockey_stick_divergence() -> None:
    for delta, releases in SETTINGS:
        mu = mpmath.sqrt(sum(mpmath.mpf(d) ** 2 / mpmath.mpf(s) ** 2 for d, s in releases))
        epsilon = gaussian_epsilon(float(mu), delta)

        def integral(e: float, mu: mpmath.mpf = mu) -> mpmath.mpf:
            start = e / mu + mu / 2  # where the densities N(mu, 1) and e^epsilon N(0, 1) cross
            return mpmath.quad(
                lambda x: mpmath.npdf(x, mu, 1) - mpmath.exp(e) * mpmath.npdf(x, 0, 1),
                [start, start + 2, start + 6, start + 14],
            )

        assert -1e-8 < 1 - integral(epsilon) / delta < 1e-7  # rounded towards less privacy, by 1e-10 of epsilon


if find_spec("dp_accounting") is not None:

    def test_a_hundred_settings_agree_with_dp_accounting() -> None:
        from dp_accounting import GaussianDpEvent
        from dp_accounting.pld import PLDAccountant

        for delta, releases in SETTINGS:
            epsilon = gaussian_epsilon(sqrt(sum((d / s) ** 2 for d, s in releases)), delta)
            other = PLDAccountant(value_discretization_interval=min(1e-3, epsilon / 500))
            for d, s in releases:
                other.compose(GaussianDpEvent(s / d))
            assert other.get_epsilon(delta) == pytest.approx(epsilon, rel=1e-3)


@given(st.floats(0.01, 50), st.floats(-9, -2).map(lambda x: 10.0**x), st.floats(1.001, 3))
def test_more_noise_or_more_delta_never_cost_more(mu: float, delta: float, factor: float) -> None:
    here = gaussian_epsilon(mu, delta)
    assert gaussian_epsilon(mu * factor, delta) >= here
    assert gaussian_epsilon(mu, min(delta * factor, 0.5)) <= here
    assert zcdp_epsilon(mu * mu / 2, delta) >= here * (1 - 1e-9)  # the looser certificate is never below


@given(st.floats(0.01, 40), st.floats(-9, -2).map(lambda x: 10.0**x))
def test_the_inverse_comes_back_and_never_promises_too_much(epsilon: float, delta: float) -> None:
    mu = gaussian_mu(epsilon, delta)
    assert gaussian_delta(epsilon, mu) <= delta
    assert gaussian_delta(epsilon, mu * (1 + 1e-8)) > delta
    if epsilon > 0.1:
        assert gaussian_epsilon(mu, delta) == pytest.approx(epsilon, rel=1e-6)


def law(variance: float, reach: int) -> np.ndarray:
    weights = np.exp(-(np.arange(-reach, reach + 1, dtype=float) ** 2) / (2 * variance))
    return weights / weights.sum()


def integer_delta(noise: np.ndarray, shift: tuple[int, ...], epsilon: float) -> float:
    """Return the exact delta between independent integer noises and the same, shifted."""
    p, q = np.ones(1), np.ones(1)
    for step in shift:
        p = np.multiply.outer(p, np.pad(noise, (0, step))).ravel()
        q = np.multiply.outer(q, np.pad(noise, (step, 0))).ravel()
    return float(np.maximum(p - exp(epsilon) * q, 0.0).sum())


@pytest.mark.parametrize("shares", [1, 2, 5])
@pytest.mark.parametrize(("variance", "shift"), [(60.0, (4,)), (400.0, (20,)), (900.0, (9, 5)), (2500.0, (15, 31))])
def test_the_integer_mechanism_keeps_the_epsilon_it_is_given(
    shares: int, variance: float, shift: tuple[int, ...]
) -> None:
    one = law(variance / shares, int(12 * sqrt(variance / shares)))
    noise = one
    for _ in range(shares - 1):
        noise = np.convolve(noise, one)
    size = sqrt(sum(s * s for s in shift))
    paid = cost([Release(size, variance, entries=len(shift), shares=shares)], 1e-5)
    assert integer_delta(noise, shift, paid.epsilon) <= 1e-5
    assert integer_delta(noise, shift, paid.epsilon * 0.9) > 1e-5  # and it is not a loose figure
    assert paid.continuous <= paid.epsilon <= paid.zcdp


@pytest.mark.parametrize(("variance", "shares"), [(0.5, 2), (2.0, 2), (3.0, 3), (6.0, 4)])
def test_the_slack_of_shares_bounds_the_whole_difference(variance: float, shares: int) -> None:
    with mpmath.workprec(200):
        reach = 14
        weight = [mpmath.exp(-(mpmath.mpf(k) ** 2) * shares / (2 * variance)) for k in range(-reach, reach + 1)]
        total = [w / mpmath.fsum(weight) for w in weight]
        one = list(total)
        for _ in range(shares - 1):
            wider = [mpmath.mpf(0)] * (len(total) + len(one) - 1)
            for i, a in enumerate(total):
                for j, b in enumerate(one):
                    wider[i + j] += a * b
            total = wider
        middle = len(total) // 2
        norm = mpmath.fsum(mpmath.exp(-(mpmath.mpf(k) ** 2) / (2 * variance)) for k in range(-60, 61))
        worst = max(
            abs(mpmath.log(total[middle + k] * norm) + mpmath.mpf(k) ** 2 / (2 * variance)) for k in range(reach - 4)
        )
    assert worst <= shares_slack(variance, shares)
    if shares == 2:  # with more of them the first step's parity averages out, which the bound does not use
        assert shares_slack(variance, shares) < 3 * worst


def test_the_ring_is_fine_enough_when_the_step_is_a_hundredth_of_the_noise() -> None:
    """The target of the issue: at most 1 % above the continuous Gaussian."""
    for z in (1.0, 4.0, 20.0):
        paid = cost([Release(100 / z, 1e4, entries=640_000, shares=500, times=5)], 1e-5)
        assert paid.continuous < paid.epsilon <= 1.01 * paid.continuous


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0, 8.0])
@pytest.mark.parametrize("memberships", [1, 3])
def test_calibrated_noise_keeps_the_budget_and_wastes_nothing(epsilon: float, memberships: int) -> None:
    variance = variance_for(epsilon, 1e-5, 5000.0, 640_000, 500, 5, memberships)
    paid = cost([Release(5000.0, variance, 640_000, 500, 5)], 1e-5, memberships)
    assert 0.999999 * epsilon < paid.epsilon <= epsilon
    assert variance < 1.0001 * 5 * (memberships * 5000 * gaussian_sigma(epsilon, 1e-5)) ** 2


def test_a_person_of_m_organisations_has_m_times_the_sensitivity() -> None:
    one = [Release(300.0, 9e4, entries=10)]
    three = [Release(900.0, 9e4, entries=10)]
    assert cost(one, 1e-5, memberships=3).epsilon == pytest.approx(cost(three, 1e-5).epsilon, rel=1e-12)
    assert cost([Release(300.0, 9e4, times=9)], 1e-5).mu == pytest.approx(cost(one, 1e-5, 3).mu, rel=1e-6)


def test_no_release_costs_nothing_and_many_add_in_squares() -> None:
    assert cost([], 1e-5).epsilon == 0.0
    apart = cost([Release(100.0, 1e4), Release(200.0, 1e4)], 1e-5)
    assert apart.mu**2 == pytest.approx(5.0, rel=1e-3)
    assert split_factor(9) == 3.0


def test_sensitivity_after_rounding_covers_the_worst_rounding() -> None:
    for entries in (1, 7, 400):
        for l2 in (0.3, 4.0, 60.0):
            for half in (0.499999, 0.500001, 0.51):  # many entries just above one half: the worst for rounding up
                count = min(entries, int(l2**2 / half**2))
                values = np.full(count, half)
                assert np.linalg.norm(values) <= l2
                assert np.linalg.norm(np.rint(values)) <= rounded_sensitivity(l2, 1.0, entries)
                assert np.linalg.norm(np.ceil(values)) <= rounded_sensitivity(l2, 1.0, entries, stochastic=True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sampling": 0.1}, "amplification by sampling is not claimed"),
        ({"sensitivity": 0.0}, "must be positive"),
        ({"sensitivity": float("nan")}, "must be positive"),
        ({"variance": float("inf")}, "must be positive"),
        ({"shares": 0}, "at least 1"),
        ({"times": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_accounted_for_is_refused(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Release(**({"sensitivity": 1.0, "variance": 100.0} | wrong))  # type: ignore[arg-type]


def test_noise_too_narrow_for_its_shares_is_refused() -> None:
    with pytest.raises(ConfigError, match="use a finer quantum"):
        cost([Release(1.0, 4.0)], 1e-5)
    with pytest.raises(ConfigError, match="use a finer quantum"):
        cost([Release(10.0, 500.0, entries=640_000, shares=500)], 1e-5)


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0, float("nan")])
def test_other_deltas_are_refused(delta: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        gaussian_epsilon(1.0, delta)
    with pytest.raises(ConfigError, match="expected a positive number"):
        gaussian_mu(delta if delta != 1.0 else 0.0, 1e-5)
    with pytest.raises(ConfigError, match="at least 1 organisation"):
        cost([], 1e-5, memberships=0)
