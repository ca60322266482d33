"""Server steps of sums with noise: finite and sensible whatever is drawn; without noise nothing of it is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fedrec.algorithms.registry import BUILT_IN, get
from fedrec.contract import Algorithm, Arrays, Catalog, Key, Phase, Stat, Total
from fedrec.kernels.linear import above_noise
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import RoundResult, start, train
from fedrec.testing import worlds
from fedrec.twins import get_twin

PRIVATE = [name for name in BUILT_IN if get(name).dp is not None]
SMALL: dict[str, dict[str, Any]] = {
    "itemknn": {"neighbours": 5, "shrink": 0.0},
    "lowpass": {"columns": 4, "rank": 3},
    "fedmf": {"dim": 8, "rounds": 3},
}


def noisy(stat: Stat, value: np.ndarray, sigma: float, draw: np.random.Generator) -> np.ndarray:
    noise = draw.normal(0.0, sigma, stat.shape)
    if stat.symmetric:
        noise = (noise + noise.T) / 2.0  # the mean of a number with itself keeps its deviation
    return value + noise


class Noisy(LocalRuntime):
    """Adds Gaussian noise of one deviation to each statistic of every round."""

    sigma = 1.0

    def round(self, phase: Phase, broadcast: Arrays, cohort: Any, round: int, seed: int) -> RoundResult:
        result = super().round(phase, broadcast, cohort, round, seed)
        assert result.total is not None
        draw = Key(seed, round, "noise of a test").generator()
        stats = {n: noisy(s, result.total[n], self.sigma, draw) for n, s in phase.stats.items()}
        return replace(result, total=Total(stats, result.total.users, dict.fromkeys(phase.stats, self.sigma)))


def trained(algorithm: Algorithm, users: Any, sigma: float, seed: int) -> Arrays:
    catalog = Catalog(users.n_items, users.n_users)
    runtime = Noisy(algorithm, catalog, users, seed)
    runtime.sigma = sigma
    state = start(algorithm, catalog, seed)
    for step in train(algorithm, catalog, runtime, seed, state):
        state = step.after
    return {"scores": algorithm.cohort_scores(state.shared, runtime.private, users, Key(seed, state.round, "adapt"))}


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("sigma", [1e-3, 1.0, 30.0, 1e4])
def test_scores_are_finite_however_loud_the_noise(name: str, sigma: float) -> None:
    algorithm = get(name)(**{**dict(get(name).dp or {}), **SMALL.get(name, {})})
    for seed in range(3):
        assert np.isfinite(trained(algorithm, worlds.awkward(), sigma, seed)["scores"]).all()


@pytest.mark.parametrize("name", ["itemknn", "ease", "lowpass"])
def test_little_noise_changes_little(name: str) -> None:
    """Noise far below one person's share leaves the scores near those of the twin, which knows nothing of it."""
    users = worlds.planted()
    settings = {**dict(get(name).dp or {}), **SMALL.get(name, {}), "user_power": 0.5, "bits": 64}
    settings |= {"clip": 1.0} if name == "lowpass" else {}  # the twin does not clip
    algorithm, twin = get(name)(**settings), get_twin(name)
    assert twin is not None
    begin = algorithm.shared(Catalog(users.n_items, users.n_users), 0)
    exact = twin(users, users, algorithm.config.model_dump(), begin)
    for sigma, near in ((1e-7, 1e-3), (30.0, None)):
        ours = trained(algorithm, users, sigma, 0)["scores"]
        apart = float(np.abs(ours - exact).max() / np.abs(exact).max())
        assert apart <= near if near else apart > 0.1


def test_what_is_above_the_noise_is_positive_semidefinite() -> None:
    draw = Key(0, 0, "matrix").generator()
    n, sigma = 300, 2.0
    noise = noisy(Stat((n, n), 1.0, symmetric=True), np.zeros((n, n)), sigma, draw)
    edge = sigma * np.sqrt(2 * n)
    assert np.linalg.eigvalsh(noise)[-1] == pytest.approx(edge, rel=0.05)  # the semicircle law, as the docstring says
    taste = draw.normal(size=n)
    signal = 4.0 * edge * np.outer(taste, taste) / (taste @ taste)
    values = np.linalg.eigvalsh(above_noise(signal + noise, sigma, 1.0))
    assert values[0] >= -1e-9 * values[-1]
    assert values[-1] == pytest.approx((4.0 + 1.0 / 16.0 - 1.0) * edge, rel=0.05)  # a spike x shows at x + e^2 / 4x
    assert not above_noise(noise, sigma, 1.1).any()
    np.testing.assert_array_equal(above_noise(signal, 0.0, 1.0), signal)


def test_forged_updates_cannot_end_the_training_of_ease() -> None:
    """A sum that no honest people can have, far below positive definite, still gives finite weights."""
    algorithm, forged = get("ease")(reg=1.0), np.eye(6) * 3.0
    forged[0, 1] = forged[1, 0] = 50.0
    phase = algorithm.plan(Catalog(6, 10))[0]
    weights = algorithm.server_update(phase, {}, Total({"pairs": forged}, 10), 0)["weights"]
    assert np.isfinite(weights).all()
    honest = algorithm.server_update(phase, {}, Total({"pairs": np.eye(6) * 3.0}, 10), 0)["weights"]
    np.testing.assert_allclose(weights[2:, 2:], honest[2:, 2:], atol=1e-6)


@pytest.mark.parametrize("joint", [0.0, 0.1])
def test_forged_updates_cannot_end_the_training_of_slist(joint: float) -> None:
    algorithm, gram = get("slist")(reg=1.0, joint=joint), np.eye(6) * 3.0
    gram[0, 1] = gram[1, 0] = 50.0
    phase = algorithm.plan(Catalog(6, 10))[0]
    sums = {"gram": gram, "cross": np.ones((6, 6)), "pairs": np.eye(6, dtype=np.int64)}
    weights = algorithm.server_update(phase, {}, Total(sums, 10), 0)["weights"]
    assert np.isfinite(weights).all()
