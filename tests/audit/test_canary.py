"""The canary audit: the bound by hand, no false alarm, and builds with a defect that it must catch."""

import numpy as np
import pytest

from fedrec.audit import canary
from fedrec.contract import Phase, Stat
from fedrec.privacy.mechanism import Mechanism, Target, calibrate
from tests.audit.defects import DEFECTS

SIZE = 8000
PLAN = (Phase("train", 2, {"items": Stat((SIZE,), 1.0)}, (), 2.0),)


def mechanism(epsilon: float = 4.0, plan: tuple[Phase, ...] = PLAN) -> Mechanism:
    return calibrate(plan, 1000, Target(epsilon, 1e-5), 300, 1000)


def test_the_bound_of_a_coin_is_zero_and_of_an_oracle_is_what_binomials_say() -> None:
    assert canary.lower_bound(100, 20, 10, 1e-5) == 0.0
    # 20 of 20 right: q^20 = 0.05 at q = 0.8609, so epsilon = ln(q / (1 - q)) = 1.823, a little less for delta
    assert canary.lower_bound(100, 20, 20, 0.0) == pytest.approx(1.823, abs=2e-3)
    assert 1.7 < canary.lower_bound(100, 20, 20, 1e-5) < 1.823


def test_p_values_by_hand() -> None:
    assert canary.p_value(10, 2, 2, 0.0, 0.0) == pytest.approx(0.25)
    # delta: P(right - i) sums over i, the largest mean times 2 m delta: max(0.5 / 1, (0.5 + 0.25) / 2) = 0.5
    assert canary.p_value(10, 2, 2, 0.0, 0.01) == pytest.approx(0.25 + 0.5 * 0.01 * 20)


def test_mu_by_hand() -> None:
    found = canary.Found(np.array([3.0, 5.0]), np.array([0.0, 2.0]), 1e-5)
    assert found.mu == pytest.approx(3.0 / np.sqrt(2.0))  # squares 1 + 1 + 1 + 1 over 2 degrees of freedom


def test_the_build_that_runs_keeps_its_epsilon() -> None:
    m = mechanism()
    found = canary.run(PLAN, m, seed=1, canaries=400)
    assert found is not None
    assert found.mu == pytest.approx(m.cost.mu, abs=4 * found.error)
    assert canary.verdict(found, m.cost.epsilon, "").verdict == "PASS"


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_build_with_a_defect_fails(defect: str) -> None:
    m = mechanism()
    protect, ring = DEFECTS[defect](m)
    found = canary.run(PLAN, m, 1, 400, protect, ring)
    assert found is not None
    line = canary.verdict(found, m.cost.epsilon, "")
    assert line.verdict == "FAIL"
    assert abs(found.epsilon() / m.cost.epsilon - 1) > 0.35


STATISTICS = {
    "counts": {"counts": Stat((SIZE,), 1.0, 8.0, counts=True)},
    "symmetric": {"pairs": Stat((100, 100), 1.0, 3.0, symmetric=True)},
    "symmetric counts": {"pairs": Stat((100, 100), 1.0, 6.0, counts=True, symmetric=True)},
    "a matrix an item": {"outer": Stat((300, 6, 6), 1.0, 4.0, symmetric=True)},
    "larger than canaries use": {
        "table": Stat((900, 60), 1.0, 2.0),
        "pairs": Stat((700, 700), 1.0, 2.0, symmetric=True),
    },
    "two": {"one": Stat((SIZE,), 1.0, 1.0), "other": Stat((90, 90), 2.0, 5.0)},
}


@pytest.mark.parametrize("name", STATISTICS)
def test_every_kind_of_statistic_is_audited(name: str) -> None:
    plan = (Phase("sums", 1, STATISTICS[name]),)
    m = mechanism(6.0, plan)
    found = canary.run(plan, m, 3, 250)
    assert found is not None
    assert found.mu == pytest.approx(m.cost.mu, abs=4 * found.error)


def test_a_small_statistic_carries_no_canaries_and_is_taken_off_the_account() -> None:
    plan = (Phase("sums", 2, {"big": Stat((SIZE,), 1.0, 1.0), "small": Stat((9, 9), 1.0, 1.0, symmetric=True)}),)
    m = mechanism(4.0, plan)
    assert canary.large(plan[0]) == ["big"]
    carried = canary.covered(plan, m)
    assert 2.5 < carried < 3.0  # half of mu^2
    found = canary.run(plan, m, 5, 400)
    assert found is not None
    assert found.mu == pytest.approx(m.cost.mu / 2**0.5, abs=4 * found.error)
    assert canary.covered(PLAN, mechanism()) == pytest.approx(4.0, rel=1e-3)


def test_statistics_with_room_for_few_canaries_are_audited_again_and_again() -> None:
    plan = (Phase("counts", 1, {"counts": Stat((900,), 1.0, 5.0, counts=True)}),)
    found = canary.run(plan, mechanism(4.0, plan), 1)
    assert found is not None
    assert len(found.inside) + len(found.outside) == 45 * canary.REPEATS
    tiny = (Phase("counts", 1, {"counts": Stat((90,), 1.0, 5.0, counts=True)}),)
    assert canary.run(tiny, mechanism(4.0, tiny), 1) is None
