from typing import Any

import numpy as np
import pytest

from fedrec.algorithms import slist_private
from fedrec.contract import Catalog, Interactions, Rng, Total
from fedrec.kernels import units
from fedrec.testing import AlgorithmLaws, Subject
from fedrec.testing.subject import Moment
from fedrec.testing.sums import worst_ratio
from fedrec.testing.worlds import awkward, history_of

ITEMS = 40
BOARD = {"decay": 0.85, "rank": 40, "second_rank": 40, "reg": 0.1, "steps": "item", "recency": 0.5}
SAMPLE = {"decay": 0.6, "rank": 64, "second_rank": 48, "reg": 1.0, "steps": "item", "recency": 0.5}


class TestSlistPrivate(AlgorithmLaws):
    name = "slist-private"
    config = {"rank": 12, "second_rank": 8, "reg": 1.0}
    board = BOARD
    sample = SAMPLE
    floor = 0.12


class TestSlistPrivateByDays(AlgorithmLaws):
    name = "slist-private"
    config = {"rank": 8, "second_rank": 8, "reg": 1.0, "steps": "day", "recency": 2.0}
    board = BOARD
    sample = SAMPLE
    floor = 0.12


class TestSlistPrivateRows(AlgorithmLaws):
    name = "slist-private"
    config = {"rank": 12, "second_rank": 8, "reg": 1.0, "row_weight": 0.3}
    noisy = {"row_weight": 1.0}  # a lower one keeps everybody in this small world below the norms
    board = BOARD
    sample = {**SAMPLE, "row_weight": 0.3}
    floor = 0.05


def subject(**settings: Any) -> Subject:
    return Subject(
        slist_private.SlistPrivate(**{"rank": 6, "second_rank": 4, **settings}), awkward(n_items=ITEMS, repeats=True)
    )


def people(seed: int, count: int) -> list[Interactions]:
    """Single users with 1, 2, ... items, once or several times, the same ones over and over among them."""
    rng = np.random.default_rng(seed)
    lists = [rng.integers(0, rng.integers(1, ITEMS), 1 + k % (2 * ITEMS)).tolist() for k in range(count)]
    lists += [rng.permutation(ITEMS)[: 1 + k % ITEMS].tolist() for k in range(count)]
    return [Interactions.of(history_of(items), ITEMS) for items in lists]


def sent(algorithm: slist_private.SlistPrivate, moment: Moment, users: Interactions) -> dict[str, float]:
    """The norm of each statistic of one user before the pipeline clips anything, as a share of its bound."""
    update, _ = algorithm.client_update(moment.phase, moment.broadcast, {}, users.history(0), Rng(1))
    return {n: float(np.linalg.norm(p.values)) / (moment.phase.stats[n].l2 or 0.0) for n, p in update.items()}


@pytest.mark.parametrize("settings", [{}, {"recency": 2.0, "decay": 0.3}, {"recency": 0.0, "decay": 0.95}])
def test_the_worst_user_reaches_each_bound_and_nobody_passes_it(settings: dict[str, Any]) -> None:
    world = subject(**settings)
    for moment in world.moments():
        worst = dict.fromkeys(moment.phase.stats, 0.0)
        for users in people(3, 60):
            assert worst_ratio(world, moment, users, {}) <= 1 + 1e-6
            for name, ratio in sent(world.algorithm, moment, users).items():  # type: ignore[arg-type]
                worst[name] = max(worst[name], ratio)
        assert all(0.95 <= ratio <= 1 + 1e-12 for ratio in worst.values()), worst


def test_the_root_of_the_weight_in_the_second_moment_breaks_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 / sqrt(T) in place of 1 / T: the norm of a long history grows with sqrt(T)."""
    world = subject(recency=0.0, decay=0.95)
    moment = world.moments()[-1]

    def wrong(states: Any, weights: Any) -> Any:
        scaled = states * np.sqrt(weights)[:, None]
        return scaled.T @ scaled

    monkeypatch.setattr(units, "second_moment", wrong)
    monkeypatch.setattr(slist_private, "second_moment", wrong)
    crowd = people(3, 60)
    assert max(sent(world.algorithm, moment, users)["moments"] for users in crowd) > 1.5  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="moments"):
        max(worst_ratio(world, moment, users, {}) for users in crowd)


def test_the_first_basis_spans_the_features_and_is_filled_up_at_random() -> None:
    features = np.eye(ITEMS, 3, dtype=np.float32) + 1.0
    algorithm = slist_private.SlistPrivate(rank=6, second_rank=4)
    one, same, other = (algorithm.shared(Catalog(ITEMS, 9, features), seed)["start"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.linalg.norm(one, axis=1) == pytest.approx(np.ones(ITEMS), abs=1e-6)
    direction = [basis[:, :3] / np.linalg.norm(basis[:, :3], axis=1, keepdims=True) for basis in (one, other)]
    np.testing.assert_allclose(direction[0], direction[1], atol=1e-5)  # of the features, whatever the seed
    assert np.abs(one[:, 3:] - other[:, 3:]).max() > 0.1
    assert np.ptp(one[5:, :3] / one[5:, :1], axis=0).max() < 1e-5  # items with equal features


def test_noise_raises_the_penalty_and_fades_items() -> None:
    world = subject(reg=1.0, noise_reg=100.0, shrink=0.5)
    algorithm, moment = world.algorithm, world.moments()[-1]
    total = world.cohort(moment, world.everybody())[0].decode()
    before = {"bases": world.trained()[0].shared["bases"], "first": np.zeros((ITEMS, 6))}
    calm = algorithm.server_update(moment.phase, before, total, 0)["core"]
    energy = np.square(total["second"]).sum(axis=1)
    sigma = float(np.sqrt(np.median(energy) / (0.5 * 4)))  # so that half of the items fade
    loud = Total(total.stats, total.users, {"second": sigma, "moments": sigma})
    noisy = algorithm.server_update(moment.phase, before, loud, 0)["core"]
    assert np.linalg.norm(noisy) < 0.3 * np.linalg.norm(calm)
    np.testing.assert_array_equal(np.abs(noisy).max(axis=0) == 0.0, energy <= 0.5 * 4 * sigma**2)
