"""The calibration: what a plan's noise costs, where it goes, and that nothing overflows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.contract import ConfigError, Phase, Stat
from fedrec.privacy.accountant import cost, gaussian_epsilon, gaussian_sigma
from fedrec.privacy.mechanism import Target, calibrate
from fedrec.privacy.noise import DiscreteGaussian, tail

TARGET = Target(4.0, 1e-5)


def plan_of(*stats: Stat, rounds: int = 1, clip: float | None = None) -> tuple[Phase, ...]:
    return (Phase("p", rounds, {f"s{k}": stat for k, stat in enumerate(stats)}, (), clip),)


@pytest.mark.parametrize("epsilon", [1.0, 2.0, 4.0, 8.0])
def test_one_release_gets_the_closed_form_within_a_percent(epsilon: float) -> None:
    made = calibrate(plan_of(Stat((1000, 64), 1.0, 1.0)), 6040, Target(epsilon, 1e-5), 6040, 6040)
    assert 1.0 <= made.sigma("p", "s0") / gaussian_sigma(epsilon, 1e-5) < 1.01
    assert epsilon * (1 - 1e-6) < made.cost.epsilon <= epsilon
    assert made.cost.epsilon <= 1.01 * made.continuous


def test_shares_of_the_budget_divide_mu_squared() -> None:
    stats = (Stat((50,), 1.0, 1.0, share=1.0), Stat((50,), 3.0, 3.0, share=0.25))
    made = calibrate(plan_of(*stats, rounds=4), 1000, TARGET, 1000, 1000)
    one, other = made.sigma("p", "s0"), made.sigma("p", "s1")
    whole = gaussian_sigma(4.0, 1e-5)
    assert one == pytest.approx(whole * (4 * 1.25 / 1.0) ** 0.5, rel=0.01)
    assert other == pytest.approx(3 * whole * (4 * 1.25 / 0.25) ** 0.5, rel=0.01)
    assert cost(made.training(), 1e-5).epsilon == pytest.approx(made.cost.epsilon)
    assert sum(r.times for r in made.training()) == 8


def test_statistics_under_one_clip_are_one_release() -> None:
    both = calibrate(plan_of(Stat((50,), 2.0), Stat((70,), 2.0), clip=2.0), 1000, TARGET, 1000, 1000)
    one = calibrate(plan_of(Stat((120,), 2.0, 2.0)), 1000, TARGET, 1000, 1000)
    assert len(both.training()) == 1
    assert both.sigma("p", "s0") == both.sigma("p", "s1") == pytest.approx(one.sigma("p", "s0"), rel=1e-3)


def test_a_person_known_to_more_organisations_needs_that_much_more_noise() -> None:
    plan = plan_of(Stat((50,), 1.0, 1.0))
    one = calibrate(plan, 1000, TARGET, 1000, 1000).sigma("p", "s0")
    three = calibrate(plan, 1000, Target(4.0, 1e-5, memberships=3), 1000, 1000)
    assert three.sigma("p", "s0") == pytest.approx(3 * one, rel=1e-3)
    assert three.cost.epsilon <= 4.0


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.floats(0.5, 10.0),
    st.floats(1e-3, 50.0),
    st.booleans(),
    st.booleans(),
    st.sampled_from([32, 64]),
    st.integers(1, 5000),
    st.floats(0.3, 1.0),
    st.integers(1, 30),
)
def test_nothing_overflows_and_nothing_costs_more_than_asked(
    epsilon: float, bound: float, counts: bool, symmetric: bool, bits: int, people: int, least: float, rounds: int
) -> None:
    linf = max(1.0, round(bound)) if counts else bound
    stat = Stat((20, 20), linf, linf, bits, counts, symmetric)
    fewest = max(1, int(least * people))
    made = calibrate(plan_of(stat, rounds=rounds), people, Target(epsilon, 1e-6), fewest, people)
    noise = made.noise["p"]["s0"]
    assert made.cost.epsilon <= epsilon
    largest = linf * people / noise.quantum + tail(noise.variance * people / fewest, stat.numbers)
    assert largest < 2 ** (bits - 1)  # a wrap then has probability below 2^-40, noise of all shares included
    if counts:
        assert noise.quantum * 2.0**noise.lift == 1.0


def test_half_of_a_symmetric_statistic_is_charged_as_the_whole() -> None:
    """The same mu as by hand: diagonal entries with v, entries beside it, which count twice, with v / 2."""
    made = calibrate(plan_of(Stat((30, 30), 1.0, 1.0, bits=64, symmetric=True)), 500, TARGET, 500, 500)
    v = made.noise["p"]["s0"].variance * made.noise["p"]["s0"].quantum ** 2
    person = np.outer(*(2 * [np.full(30, 30**-0.5)]))  # Frobenius norm 1
    mu2 = (np.diagonal(person) ** 2).sum() / v + (person[np.triu_indices(30, 1)] ** 2).sum() / (v / 2)
    assert gaussian_epsilon(mu2**0.5, 1e-5) == pytest.approx(4.0, rel=0.01)


def test_what_has_no_bound_or_no_room_is_refused() -> None:
    with pytest.raises(ConfigError, match="no L2 bound for s0"):
        calibrate(plan_of(Stat((5,), 1.0)), 100, TARGET, 100, 100)
    with pytest.raises(ConfigError, match="at least 1 client"):
        calibrate(plan_of(Stat((5,), 1.0, 1.0)), 100, TARGET, 0, 100)
    with pytest.raises(ConfigError, match="bits=64"):
        calibrate(plan_of(Stat((5,), 1e9, 1e9, counts=True)), 100, TARGET, 100, 100)
    with pytest.raises(ConfigError, match="too coarse"):
        calibrate(plan_of(Stat((4000, 4000), 0.05, 0.05)), 10**6, TARGET, 100, 100)
    with pytest.raises(ConfigError, match="nothing is released"):
        calibrate((), 100, TARGET, 100, 100)


def test_a_wide_ring_keeps_its_noise_within_what_the_sampler_draws() -> None:
    made = calibrate(plan_of(Stat((900, 900), 1.0, 1.0, bits=64)), 10**6, TARGET, 100, 10**6)
    noise = made.noise["p"]["s0"]
    assert noise.variance * 10**6 / 100 <= 2.0**80
    DiscreteGaussian(noise.variance * 10**6 / 100).draw(10)
    assert made.cost.epsilon <= 1.0001 * made.continuous
