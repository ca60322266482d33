"""dpals: its bounds are reached and hold, its sums give the alternating solves, noise does what the plan says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from fedrec.algorithms import dpals
from fedrec.contract import Catalog, Interactions, Rng, Total
from fedrec.privacy import RingSum
from fedrec.testing import Subject, worlds
from fedrec.testing.sums import bound_ratio, histories
from fedrec.testing.worlds import history_of
from tests.algorithms.agreement import subject_of

SMALL: dict[str, Any] = {"dim": 4, "rounds": 3, "item_frac": 1.0, "gamma": 0.02, "reg": 0.3, "budget": 2.0}
WORLD = worlds.awkward()


def worst_users(subject: Subject) -> dict[str, float]:
    """Search for users, assert every bound on both paths, and return the largest share of each L2 bound found."""
    found: dict[str, float] = {}

    @settings(max_examples=60, deadline=None, derandomize=True, database=None, report_multiple_bugs=False)
    @given(histories(subject.users.n_items))
    def check(items: list[int]) -> None:
        users = Interactions.of(history_of(items), subject.users.n_items, 5)
        for moment in subject.moments():
            total = RingSum(moment.phase, subject.users.n_users)
            subject.algorithm.cohort_update(moment.phase, moment.broadcast, {}, users, moment.key, total)
            decoded = total.decode()
            bound_ratio(moment.phase, total.quantum, decoded)
            for name, stat in moment.phase.stats.items():
                share = float(np.linalg.norm(decoded[name])) / (stat.l2 or 1.0)
                found[name] = max(found.get(name, 0.0), share)

    check()
    return found


@pytest.mark.parametrize("statistics", ["mf", "full"])
@pytest.mark.parametrize("mu", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("item_frac", [0.3, 1.0])
def test_law_5_the_worst_user_reaches_every_bound(statistics, mu, item_frac):
    subject = subject_of("dpals", WORLD, **SMALL | {"statistics": statistics, "mu": mu, "item_frac": item_frac})
    found = worst_users(subject)
    assert set(found) == {"counts", "gram", "linear"} | ({"outer"} if statistics == "full" else set())
    assert all(0.95 <= share <= 1.0 + 1e-3 for share in found.values()), found


MUTANTS = {
    "weights that are not scaled to the budget": ("scales", lambda own, weights, budget: np.ones(own.n_users)),
    "vectors that are not cut at gamma": ("cut", lambda vectors, longest: vectors),
    "vectors that are cut too late": ("INSIDE", 1.1),
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("statistics", ["mf", "full"])
def test_law_5_mutants_break_a_bound(monkeypatch, mutant, statistics):
    subject = subject_of("dpals", WORLD, **SMALL, statistics=statistics, bits=64)  # room for what should not be there
    subject.moments()
    monkeypatch.setattr(dpals, *MUTANTS[mutant])
    with pytest.raises(AssertionError, match="declared"):
        worst_users(subject)


def reference(users: Interactions, start: np.ndarray, config: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return (item vectors, scores) by dense matrices: all items trained, nothing cut, mu = 0."""
    x = np.zeros((users.n_users, users.n_items))
    for row, (_, history) in enumerate(users.histories()):
        x[row, history.items] = 1.0
    own = np.maximum(x.sum(axis=1), 1.0)
    counts = np.maximum((x / np.sqrt(own)[:, None]).sum(axis=0), dpals.FEWEST)
    weights = x * np.sqrt(config["budget"] / own)[:, None]
    items = np.column_stack([start, config["popularity"] * (counts / counts.max()) ** 0.25])

    def people(items: np.ndarray) -> np.ndarray:
        base = config["alpha0"] * items.T @ items + config["reg"] * np.eye(items.shape[1])
        return np.stack([np.linalg.solve(base + (items.T * mine) @ items, items.T @ mine) for mine in x])

    for round in range(config["rounds"]):
        u = people(items)[:, :-1]
        solved = np.stack([
            np.linalg.solve(
                (u.T * w) @ u + config["alpha0"] * u.T @ u + config["reg"] * np.eye(u.shape[1]), u.T @ w
            )
            for w in weights.T
        ])  # fmt: skip
        items[:, :-1] += (config["step"] if round else 1.0) * (solved - items[:, :-1])
    return items, people(items) @ items.T


def test_it_equals_dense_solves_where_nothing_is_cut():
    settings = SMALL | {"statistics": "full", "gamma": 1e3, "mu": 0.0, "bits": 64, "alpha0": 0.7, "popularity": 1.0}
    subject = subject_of("dpals", worlds.planted(60), **settings, step=0.7)
    start = subject.algorithm.shared(subject.catalog, subject.seed)["start"]
    items, scores = reference(subject.users, start, settings | {"step": 0.7})
    state = subject.trained()[0]
    np.testing.assert_allclose(state.shared["items"], items, atol=2e-5 * np.abs(items).max())
    ours = subject.algorithm.cohort_scores(state.shared, {}, subject.users, None)
    np.testing.assert_allclose(ours, scores, atol=2e-5 * np.abs(scores).max())


def test_an_upload_of_ten_thousand_items_is_small():
    """Issue 2.3: 10,000 items and d = 64 in at most 2.7 MB, all of them in the head."""
    (_, _, sweep) = dpals.DpAls(dim=64, item_frac=1.0).plan(Catalog(10_000, 1_000_000))
    assert sweep.up_bytes <= 2_700_000
    assert sum(s.numbers for s in sweep.stats.values()) <= 10_000 * 65 + 64 * 65 // 2


def test_items_outside_the_head_come_last():
    subject = subject_of("dpals", WORLD, **SMALL | {"item_frac": 0.5})
    shared = subject.trained()[0].shared
    scores = subject.algorithm.cohort_scores(shared, {}, subject.users, None)
    head = shared["places"] >= 0
    assert head.sum() == 8
    assert (scores[:, ~head].max(axis=1) < scores[:, head].min(axis=1)).all()
    counts = np.bincount(WORLD.items, minlength=17)
    assert counts[head].mean() > counts[~head].mean()


def test_who_has_nothing_of_the_head_gets_the_popular_items():
    subject = subject_of("dpals", WORLD, **SMALL)
    algorithm, shared = subject.algorithm, subject.trained()[0].shared
    mine = algorithm.adapt(shared, {}, history_of([]), Rng(1))
    np.testing.assert_array_equal(algorithm.score(shared, mine, history_of([])), shared["items"][:, 4])


@pytest.mark.parametrize("statistics", ["mf", "full"])
def test_sums_that_are_all_noise_do_not_stop_it(statistics):
    """Negative counts, Gramians that are not positive: what noise does to small federations."""
    subject = subject_of("dpals", WORLD, **SMALL, statistics=statistics)
    algorithm, rng = subject.algorithm, np.random.default_rng(1)
    shared = algorithm.shared(subject.catalog, 1)
    for phase in algorithm.plan(subject.catalog):
        for number in range(phase.rounds):
            noise = {n: rng.normal(0.0, 100.0 * (s.l2 or 1.0), s.shape) for n, s in phase.stats.items()}
            for name, stat in phase.stats.items():
                if stat.symmetric:
                    noise[name] = noise[name] + np.swapaxes(noise[name], -1, -2)
            total = Total(noise, 23, {n: 100.0 * (s.l2 or 1.0) for n, s in phase.stats.items()})
            shared = algorithm.server_update(phase, shared, total, number)
    assert np.isfinite(algorithm.cohort_scores(shared, {}, subject.users, None)).all()


def test_the_largest_counts_make_the_head():
    algorithm = dpals.DpAls(**SMALL | {"item_frac": 0.2, "mu": -0.25})
    catalog = Catalog(10, 100)
    (phase, *_) = algorithm.plan(catalog)
    noisy = np.array([3.0, -1.0, 8.0, 2.0, 0.0, 1.0, 1.5, 7.0, 2.5, 0.1])
    state = algorithm.server_update(phase, algorithm.shared(catalog, 1), Total({"counts": noisy}, 100), 0)
    np.testing.assert_array_equal(np.flatnonzero(state["places"] >= 0), [2, 7])
    np.testing.assert_allclose(state["weights"], [1.0, (7 / 8) ** -0.25])


def test_denoising_takes_off_what_the_noise_put_in():
    """Rank 2 beside noise: the filter comes nearer to the truth, and keeps all of a sum without noise."""
    rng = np.random.default_rng(3)
    support = rng.uniform(1.0, 9.0, 400)
    truth = support[:, None] * (rng.normal(size=(400, 2)) @ rng.normal(size=(2, 12)))
    noisy = truth + rng.normal(0.0, 20.0, truth.shape)
    error = np.linalg.norm(noisy - truth)
    assert np.linalg.norm(dpals.denoised(noisy, support, 400.0) - truth) < 0.75 * error
    assert dpals.denoised(truth, support, 0.0) is truth
    np.testing.assert_allclose(dpals.denoised(truth, support, 1e-9), truth, rtol=1e-5, atol=1e-5)


def test_public_features_are_fixed_columns():
    """They start the item vectors, stay as they are, are never sent, and tell items apart from the first round on."""
    features = np.repeat(np.eye(4, dtype=np.float32), 24, axis=0)
    catalog = Catalog(96, 60, features)
    algorithm = dpals.DpAls(**SMALL | {"features": 0.5})
    shared = algorithm.shared(catalog, 1)
    (phase, *_) = algorithm.plan(catalog)
    state = algorithm.server_update(phase, shared, Total({"counts": np.ones(96)}, 60), 0)
    assert state["items"].shape == (96, 4 + 1 + 4)
    centred = features - features.mean(axis=0)
    np.testing.assert_allclose(state["items"][:, 5:], 0.5 * centred / np.linalg.norm(centred, axis=1).mean(), rtol=1e-6)
    assert np.linalg.matrix_rank(shared["start"]) == 3
    history = history_of([0, 1, 2])
    update, _ = algorithm.client_update(algorithm.plan(catalog)[1], state, {}, history, Rng(1))
    assert {n: p.values.shape for n, p in update.items()} == {"gram": (4, 4), "linear": (3, 4)}
    scores = algorithm.score(state, algorithm.adapt(state, {}, history, Rng(1)), history)
    assert scores[:24].min() > scores[24:].max()
    assert algorithm.shared(Catalog(96, 60), 1)["features"].shape == (96, 0)
