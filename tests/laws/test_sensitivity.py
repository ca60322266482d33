"""The norms of docs/sensitivity.md are met by somebody and exceeded by nobody, and the search notices when not so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fedrec.algorithms.registry import BUILT_IN, get
from fedrec.contract import Catalog, Interactions, Part, Phase
from fedrec.kernels import counts, pairs, spectral
from fedrec.privacy import RingSum
from fedrec.testing import Subject, sensitivity
from fedrec.testing.worlds import awkward, interactions

ITEMS = 17
WHOLE: list[tuple[str, dict[str, Any]]] = [
    ("popularity", {"user_power": 0.0}),
    ("popularity", {"user_power": 0.25}),
    ("popularity", {"user_power": 1.0}),
    ("itemknn", {"user_power": 0.0}),
    ("itemknn", {"user_power": 0.5}),
    ("ease", {"user_power": 0.75, "bits": 64}),
    ("lowpass", {"user_power": 0.5, "columns": ITEMS, "rank": 4, "iterations": 1}),
    ("lowpass", {"user_power": 0.5, "columns": ITEMS, "rank": 4, "iterations": 1, "filter": "gf-cf", "block": ITEMS}),
    ("fedmf", {"dim": 8, "rounds": 2, "weighting": "clients", "clip": 0.2, "loss": "bpr"}),
    ("fedmf", {"dim": 8, "rounds": 2, "weighting": "clients", "clip": 0.5, "row_clip": 0.2, "bits": 64}),
]


def quick(name: str) -> dict[str, Any]:
    """Return an algorithm's dp settings, small."""
    small = {"lowpass": {"columns": 4, "rank": 4, "iterations": 2}, "fedmf": {"dim": 8, "rounds": 2}}
    return {**dict(get(name).dp or {}), **small.get(name, {})}


def nobody() -> Interactions:
    """One person without items: degrees at their least, so that the probe is as long as it can be."""
    return interactions(ITEMS, [np.zeros(0, np.int32)], [np.zeros(0)])


def subject(name: str, settings: dict[str, Any]) -> Subject:
    whole = name == "lowpass" and settings.get("clip", 1.0) == 1.0
    return Subject(get(name)(**settings), nobody() if whole else awkward())


def check(made: Subject) -> None:
    for where, most in sensitivity.reached(made).items():
        assert most >= sensitivity.ENOUGH, f"{where}: {most}"


@pytest.mark.parametrize("name", [n for n in BUILT_IN if get(n).dp is not None])
def test_the_norms_of_a_release_with_noise_are_met(name: str) -> None:
    check(subject(name, quick(name)))


@pytest.mark.parametrize(("name", "settings"), WHOLE)
def test_the_norms_of_other_settings_are_met(name: str, settings: dict[str, Any]) -> None:
    check(subject(name, settings))


@pytest.mark.parametrize("name", [n for n in BUILT_IN if get(n).dp is not None])
def test_with_noise_nothing_is_as_long_as_a_root_of_the_catalogue(name: str) -> None:
    """What noise must cover does not grow with the number of items: a clip, 1, or 2 for the moments of two states."""
    few, many = (get(name)(**dict(get(name).dp or {})).plan(Catalog(n, 1000)) for n in (300, 30_000))
    for small, large in zip(few, many, strict=True):
        for stat in small.stats:
            assert sensitivity.norm_of(small, stat) == sensitivity.norm_of(large, stat) <= (small.clip or 2.0 + 1e-5)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("fedmf", {"rounds": 3, "clip": 50.0, "weighting": "clients"}), ("pfedrec", {"rounds": 3})],
)
def test_a_row_is_no_longer_than_its_bound(name: str, settings: dict[str, Any]) -> None:
    """And somebody's rows are longer without it."""
    longest = []
    for bound in (0.05, 0.0):
        made = subject(name, {"dim": 8, **settings, "row_clip": bound})
        most = 0.0
        for moment in made.moments():
            for row, (user, history) in enumerate(made.users.histories()):
                one = Interactions.of(history, ITEMS, user)
                total = RingSum(moment.phase, 1)
                mine = {n: a[row : row + 1].copy() for n, a in moment.private.items()}
                made.algorithm.cohort_update(moment.phase, moment.broadcast, mine, one, moment.key, total)
                most = max(most, float(np.linalg.norm(total.decode()["items"], axis=1).max()))
        longest.append(most)
    assert longest[0] == pytest.approx(0.05, rel=1e-3)
    assert longest[1] > 0.06


def half_the_power(lengths: np.ndarray, power: float) -> np.ndarray:
    return counts_weights(lengths, power / 2)


def half_the_steps(lengths: np.ndarray, power: float, quantum: float) -> np.ndarray:
    return counts_steps(lengths, power / 2, quantum)


def repeats_count(items: np.ndarray, power: float) -> Part:
    mine, times = np.unique(items, return_counts=True)
    return Part(times * float(max(len(mine), 1)) ** -power, (mine,))


def pairs_of_half(n: int, power: float, bits: Any) -> Any:
    """The norm of the half that travels, as if the other were not the same numbers."""
    return replace(pair_stat(n, power, bits), l2=float(np.sqrt(0.5)))


def too_much(n: int, power: float) -> Any:
    return replace(count_stat(n, power), l2=2.0)


def sums_not_means(users: Interactions, probe: np.ndarray, clip: float = 1.0) -> np.ndarray:
    return np.asarray(project(users, probe, clip) * np.sqrt(np.maximum(users.lengths(), 1))[:, None], np.float32)


def never_clips(users: Interactions, probe: np.ndarray, clip: float = 1.0) -> np.ndarray:
    return project(users, probe)


counts_weights, counts_steps, count_stat = counts.length_weights, counts.length_steps, counts.count_stat
pair_stat, project = pairs.pair_stat, spectral.project

MUTANTS: list[tuple[str, str, Callable[..., Any]]] = [
    ("popularity", "fedrec.kernels.counts.length_weights", half_the_power),
    ("popularity", "fedrec.kernels.counts.length_steps", half_the_steps),
    ("popularity", "fedrec.algorithms.popularity.user_counts", repeats_count),
    ("popularity", "fedrec.algorithms.popularity.count_stat", too_much),
    ("itemknn", "fedrec.kernels.pairs.length_weights", half_the_power),
    ("itemknn", "fedrec.kernels.pairs.length_steps", half_the_steps),
    ("ease", "fedrec.kernels.pairs.length_steps", half_the_steps),
    ("ease", "fedrec.algorithms.ease.pair_stat", pairs_of_half),
    ("lowpass", "fedrec.kernels.counts.length_weights", half_the_power),
    ("lowpass", "fedrec.algorithms.lowpass.count_stat", too_much),
    ("lowpass", "fedrec.algorithms.lowpass.project", sums_not_means),
    ("lowpass", "fedrec.algorithms.lowpass.project", never_clips),
]


@pytest.mark.parametrize(("name", "where", "wrong"), MUTANTS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_wrong_weight_is_noticed(
    name: str, where: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, wrong)
    with pytest.raises(AssertionError):
        check(subject(name, quick(name)))


def test_a_fast_path_without_the_clip_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from fedrec.algorithms import fedmf

    right = fedmf.factor_round

    def loud(*args: Any) -> int:
        return right(*args[:5], (10 * args[5][0], args[5][1]), *args[6:])

    monkeypatch.setattr(fedmf, "factor_round", loud)
    with pytest.raises(AssertionError):
        check(subject("fedmf", quick("fedmf")))


def test_a_clip_that_nobody_meets_is_noticed() -> None:
    with pytest.raises(AssertionError):
        check(subject("fedmf", {**quick("fedmf"), "clip": 1e6}))


def test_counts_of_who_touched_a_row_are_too_long_to_cover() -> None:
    (phase,) = get("fedmf")().plan(Catalog(10_000, 1000))
    assert isinstance(phase, Phase)
    assert sensitivity.norm_of(phase, "rows") == pytest.approx(100.0)
