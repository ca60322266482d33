"""Settings are chosen on validation alone, from one grid that is widened where its edge wins."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from fedrec.algorithms import registry
from fedrec.contract import DataError, FedrecError
from fedrec.experiment import run, tune
from fedrec.experiment.run import Prepared
from fedrec.experiment.tune import Search, Trial, Tuner, points, search
from fedrec.runtime.faults import Fault
from tests.experiment.cases import PICKY, TINY, prepared, purchases
from tests.experiment.tiny_algorithm import OneRound

ONE = "tests.experiment.tiny_algorithm:OneRound"


class Poison:
    """Stands where nobody may look."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"the tuner read the test part ({name})")


def poisoned(ready: Prepared) -> Prepared:
    final = ready.split.final if ready.split.final is ready.split.train else Poison()
    return replace(ready, split=replace(ready.split, test=Poison(), final=final))  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", [TINY, PICKY, ONE, "ease"])
@pytest.mark.parametrize("protocol", ["leave-last-out", "last-basket"])
def test_the_test_part_is_never_read(algorithm: str, protocol: str) -> None:
    ready = prepared(algorithm=algorithm, protocol=protocol)
    chosen, found = run.tune(poisoned(ready))
    assert found.metric == ("ndcg@20" if protocol == "last-basket" else "ndcg@10")
    best = max(trial.validation.get(found.metric, -1.0) for trial in found.trials)
    assert found.best.validation[found.metric] == best
    assert chosen.config.settings == found.best.settings
    assert all(getattr(chosen.algorithm.config, k) == v for k, v in found.best.settings.items())


def test_metrics_json_counts_one_read_after_the_choice() -> None:
    chosen, _ = run.tune(prepared())
    assert run.execute(chosen).metrics["test"]["reads"] == 1


def test_sampled_metrics_choose_too() -> None:
    data = purchases(users=60, items=400)
    _, found = run.tune(poisoned(prepared(data, protocol="pfedrec-honest", algorithm="ease")))
    assert found.best.validation["ndcg@10[99]"] == max(t.validation["ndcg@10[99]"] for t in found.trials)


def test_protocol_none_has_nothing_to_choose_on() -> None:
    with pytest.raises(DataError, match="--tune needs a validation part, and --protocol none holds none out"):
        run.tune(prepared(protocol="none"))


class Pretended(Tuner):
    """A tuner whose validation is a formula: best where pull is ``target``."""

    target = 1.0

    def attempt(self, settings: dict[str, Any]) -> Trial:
        gap = abs(math.log(settings.get("pull", 1.0) / self.target))
        return Trial(settings, {"ndcg@10": 1 / (1 + gap)}, 1)


def pretended(target: float, fixed: dict[str, Any] | None = None) -> Search:
    ready = prepared()
    assert ready.split.validation is not None
    tuner = Pretended(TINY, fixed or {}, ready.catalog, ready.split.train, ready.split.validation, ready.options)
    tuner.target = target
    return search(tuner)


@pytest.mark.parametrize(
    ("target", "pulls"),
    [
        (0.5, {0.25, 0.5, 1.0}),  # inside: as declared
        (2.0, {0.25, 0.5, 1.0, 2.0, 4.0}),  # the upper edge wins: twice as far, until it does not win any more
        (0.12, {0.0625, 0.125, 0.25, 0.5, 1.0}),
        (1e9, {0.25, 0.5, 1.0, 2.0, 4.0, 8.0}),  # at most three steps; 16 would not be allowed either
    ],
)
def test_the_grid_is_widened_where_its_edge_wins(target: float, pulls: set[float]) -> None:
    found = pretended(target)
    assert {t.settings["pull"] for t in found.trials} == pulls
    assert len(found.trials) == 2 * len(pulls)  # every point once, with both scales
    assert found.best.settings["pull"] == min(pulls, key=lambda p: abs(math.log(p / target)))


def test_a_value_that_the_settings_forbid_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.get(TINY), "grid", {"pull": [1, 4, 9]})
    assert {t.settings["pull"] for t in pretended(1e9).trials} == {1, 4, 9}  # pull is at most 10


def test_given_settings_stay() -> None:
    found = pretended(0.5, {"pull": 0.3})
    assert [t.settings for t in found.trials] == [{"scale": 1.0}, {"scale": 2.0}]


def test_several_grids_are_widened_each_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    grids = [{"pull": [0.25, 0.5, 1.0], "scale": [1.0]}, {"pull": [2.0, 3.0, 4.0], "scale": [5.0]}]
    monkeypatch.setattr(registry.get(TINY), "grid", grids)
    found = pretended(0.5)
    tried = [(t.settings["pull"], t.settings["scale"]) for t in found.trials]
    assert tried[:6] == [(0.25, 1), (0.5, 1), (1, 1), (2, 5), (3, 5), (4, 5)]
    assert tried[6:] == [(1.33, 5), (0.884, 5), (0.588, 5)]
    assert found.best.settings == {"pull": 0.5, "scale": 1.0}


@pytest.mark.parametrize(
    ("values", "best", "beyond"),
    [
        ([10, 30, 100], 100, 333),
        ([10, 30, 100], 10, 3),
        ([10, 30, 100], 30, None),
        ([1, 2, 4], 1, 0.5),
        ([0.001, 0.01, 0.1], 0.001, 0.0001),
        ([100, 10, 30], 100, 333),  # in any order
        ([0.0, 0.1, 0.3], 0.0, None),  # nothing below zero
        ([0.0, 0.1], 0.1, None),  # two values are a choice
        (["item", "day", "timestamp"], "item", None),
        ([True, False, True], True, None),
        ([(0.5,), (0.8,), (0.9,)], (0.9,), None),
    ],
)
def test_the_value_beyond_an_edge(values: list[Any], best: Any, beyond: float | None) -> None:
    assert tune._beyond(values, best) == beyond


def test_points_let_the_server_step_vary_fastest() -> None:
    assert [(p["a"], p["b"]) for p in points({"a": [1, 2], "b": [3, 4]})] == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert list(points({})) == [{}]
    assert list(tune._server_last({"pull": [1], "rounds": [1], "scale": [2]}, OneRound)) == ["rounds", "pull", "scale"]


@pytest.mark.parametrize("more", [{}, {"cohort": 9}, {"faults": (Fault(reason="rain", share=0.4),)}])
def test_reused_sums_give_the_same_as_new_ones(monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    ready = prepared(algorithm=ONE, **more)
    OneRound.sums = 0
    with_reuse = run.tune(ready)[1]
    reused = OneRound.sums
    monkeypatch.setattr(OneRound, "server_only", frozenset())
    without = run.tune(ready)[1]
    assert reused <= ready.catalog.n_users
    assert OneRound.sums - reused == len(without.trials) * reused
    scored = [{str(sorted(t.settings.items())): t.validation for t in f.trials} for f in (with_reuse, without)]
    assert scored[0] == scored[1]


@pytest.mark.parametrize("algorithm", ["ease", "slist"])
def test_reused_sums_of_the_closed_forms(monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    kind = registry.get(algorithm)
    monkeypatch.setattr(kind, "grid", {"reg": [1.0, 10.0]} | ({"joint": [0.0, 0.3]} if algorithm == "slist" else {}))
    ready = prepared(algorithm=algorithm)
    with_reuse = run.tune(ready)[1]
    monkeypatch.setattr(kind, "server_only", frozenset())
    without = run.tune(ready)[1]
    scored = [{str(sorted(t.settings.items())): t.validation for t in f.trials} for f in (with_reuse, without)]
    assert scored[0] == scored[1]
    assert not any(t.error for t in with_reuse.trials)


def test_a_point_that_fails_is_a_line_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneRound, "grid", {"pull": [1.0, 9.0]})
    found = run.tune(prepared(algorithm=ONE))[1]
    lines = found.lines()
    assert [line["error"] for line in lines] == ["", "made to fail where pull is above 5"]
    assert [line["chosen"] for line in lines] == [True, False]
    monkeypatch.setattr(OneRound, "grid", {"pull": [8.0, 9.0]})
    with pytest.raises(FedrecError, match=r"no setting of .*OneRound could be trained: made to fail"):
        run.tune(prepared(algorithm=ONE))


def test_the_winner_is_what_a_plain_run_with_its_settings_gives() -> None:
    chosen, found = run.tune(prepared(algorithm=PICKY, evaluate_every=1))
    outcome = run.execute(prepared(algorithm=PICKY, evaluate_every=1, settings=found.best.settings))
    assert outcome.metrics["validation"] == found.best.validation
    assert outcome.metrics["rounds"] == found.best.round
    assert run.execute(chosen).metrics["test"] == outcome.metrics["test"]
