import numpy as np
import pytest

from fedrec.contract import Interactions
from fedrec.kernels import units
from fedrec.kernels.steps import step_numbers
from fedrec.testing.worlds import awkward


@pytest.mark.parametrize("unit", ["item", "day"])
@pytest.mark.parametrize("decay", [0.0, 0.7])
def test_states_are_those_of_the_definition(unit: str, decay: float) -> None:
    users = awkward(repeats=True)
    steps = step_numbers(users, unit)
    bases = [np.random.default_rng(k).normal(size=(users.n_items, 3 + k)) for k in range(2)]
    for u in range(users.n_users):
        mine = slice(int(users.offsets[u]), int(users.offsets[u + 1]))
        got = units.unit_states(users.items[mine], steps[mine], bases, decay)
        plain = [units.plain_states(users.items[mine], steps[mine], basis, decay) for basis in bases]
        np.testing.assert_allclose(got, np.concatenate(plain, axis=1), atol=1e-12)
        norms = np.linalg.norm(got[:, :3], axis=1)
        assert np.all((np.abs(norms - 1) < 1e-12) | (norms == 0))


def test_rows_that_cancel_have_no_direction() -> None:
    basis = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    items, steps = np.array([0, 1, 2], np.int32), np.array([0, 0, 1], np.int32)
    assert not units.unit_states(items, steps, [basis], 0.5)[2].any()


def test_targets_are_first_occurrences_after_something_and_the_late_ones_weigh_more() -> None:
    items, steps = np.array([3, 1, 3, 2, 1], np.int32), np.arange(5, dtype=np.int32)
    weights = units.target_weights(items, steps, 1.0)
    np.testing.assert_array_equal(np.flatnonzero(weights), [1, 3])
    assert np.square(weights).sum() == pytest.approx(1.0, abs=1e-15)
    assert weights[3] / weights[1] == pytest.approx((1 + 3 / 4) / (1 + 1 / 4))
    assert units.target_weights(items, steps, 0.0)[1] == pytest.approx(0.5**0.5)
    assert not units.target_weights(items[:1], steps[:1], 1.0).any()
    assert len(units.target_weights(items[:0], steps[:0], 1.0)) == 0


def test_sums_add_up_over_users() -> None:
    users = awkward()
    steps = step_numbers(users, "item")
    basis = np.random.default_rng(1).normal(size=(users.n_items, 4))
    whole = np.zeros((users.n_items, 4), np.int32)
    units.add_targets(users, steps, basis, 0.6, 0.3, whole, 2.0**-20)
    parts = np.zeros_like(whole)
    for u in range(users.n_users):
        one: Interactions = users.slice(u, u + 1)
        units.add_targets(one, step_numbers(one, "item"), basis, 0.6, 0.3, parts, 2.0**-20)
    np.testing.assert_array_equal(whole, parts)
    assert whole.any()
