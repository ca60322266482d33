"""Run folders as a report: seeds are averaged, unlike runs keep their names, and a folder that is no run is refused."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from fedrec.contract import DataError
from fedrec.report import html
from fedrec.report.runs import document_of, write_runs


def run_folder(
    path: Path, seed: int = 0, hr: float = 0.2, reg: float = 300.0, twin: bool = False, **metrics: Any
) -> Path:
    """Write a run folder by hand: ease, one round; ``metrics`` replaces parts of metrics.json."""
    path.mkdir()
    config = f'algorithm = "ease"\ndata = "quickstart"\nseed = {seed}\n\n[settings]\nreg = {reg}\n'
    (path / "config.toml").write_text(config)
    record = {"round": 0, "phase": "pairs", "cohort": 9, "up_bytes": 4_000_000, "down_bytes": 1_000_000, "seconds": 0.5}
    (path / "rounds.jsonl").write_text(json.dumps(record | {"validation": {"hr@10": hr, "ndcg@10": hr / 2}}) + "\n")
    groups = {
        "history length": [
            {"group": "1-9", "users": 5, "ndcg@10": 0.1},
            {"group": "10-99", "users": 4, "ndcg@10": 0.3},
        ],
        "spread": {"p10": 0.0, "p50": 0.1, "p90": 0.5, "worst decile": 0.0},
        "client": [{"client": "Germany", "users": 5, "ndcg@10": 0.2}],
        "worst client": {"client": "Germany", "users": 5, "ndcg@10": 0.2},
    }
    protocol = {"name": "leave-last-out", "split": "s", "candidates": "c", "negatives": "n", "ties": "t"}
    pooled = {"test": {"hr@10": hr, "ndcg@10": hr / 2}, "max_relative_difference": 2e-9}
    base: dict[str, Any] = {
        "fedrec": "0.1.0",
        "algorithm": {"name": "ease", "config": {"reg": reg}},
        "data": {"name": "quickstart", "users": 9, "items": 20, "interactions": 99, "fingerprint": "d1"},
        "protocol": protocol | {"fingerprint": "p1"},
        "seed": seed,
        "rounds": 1,
        "validation": {"hr@10": hr},
        "test": {"recall@20": 0.5, "ndcg@10": hr / 2, "hr@10": hr, "users": 9, "reads": 1},
        "groups": groups,
        "centralised": pooled if twin else None,
        "bytes": {"up_per_client_round": 840, "down_per_client_round": 0, "up_total": 7560, "down_total": 0},
        "seconds": {"train": 0.5, "evaluate": 0.1, "total": 0.6},
        "privacy": None,
        "environment": {"python": "3.11", "cores": 2},
        "failures": {"straggler": 2},
    }
    (path / "metrics.json").write_text(json.dumps(base | metrics))
    return path


def test_runs_that_differ_in_the_seed_only_become_one_row_with_its_deviation(tmp_path: Path) -> None:
    values = [0.20, 0.22, 0.27]
    folders = [run_folder(tmp_path / f"r{s}", seed=s, hr=v) for s, v in enumerate(values)]
    (row,) = document_of(folders).results
    assert row.algorithm == "ease"
    assert row.seeds == 3
    assert row.metrics["hr@10"].value == pytest.approx(fmean(values))
    assert row.metrics["hr@10"].std == pytest.approx(stdev(values))
    assert list(row.metrics)[:2] == ["hr@10", "ndcg@10"]


def test_the_curve_of_several_seeds_carries_the_band_and_what_it_cost(tmp_path: Path) -> None:
    folders = [run_folder(tmp_path / f"r{s}", seed=s, hr=v) for s, v in enumerate([0.2, 0.3])]
    (curve,) = document_of(folders).curves
    (point,) = curve.points
    assert (curve.metric, point.round, point.megabytes, point.seconds) == ("ndcg@10", 1, 5.0, 0.5)
    assert (point.low, point.high) == (0.1, 0.15)
    assert point.value == pytest.approx(0.125)


def test_unlike_runs_of_one_algorithm_are_named_by_what_differs(tmp_path: Path) -> None:
    folders = [run_folder(tmp_path / "a", reg=100.0), run_folder(tmp_path / "b", reg=300.0)]
    assert [r.algorithm for r in document_of(folders).results] == ["ease (reg 100.0)", "ease (reg 300.0)"]


def test_other_data_under_the_same_name_does_not_share_a_table(tmp_path: Path) -> None:
    other = {"name": "quickstart", "users": 9, "items": 20, "interactions": 98, "fingerprint": "d2"}
    folders = [run_folder(tmp_path / "a"), run_folder(tmp_path / "b", data=other)]
    assert [r.data for r in document_of(folders).results] == ["quickstart d1", "quickstart d2"]


def test_a_twin_becomes_a_row_of_its_own_below_its_run(tmp_path: Path) -> None:
    run, twin = document_of([run_folder(tmp_path / "a", twin=True)]).results
    assert run.max_relative_difference == 2e-9
    assert (twin.role, twin.twin_of, twin.metrics["hr@10"].value) == ("twin", "ease", 0.2)


def test_groups_spread_ledger_and_failures_come_along(tmp_path: Path) -> None:
    document = document_of([run_folder(tmp_path / "a")])
    assert [g.by for g in document.groups] == ["history length", "client"]
    assert document.groups[0].values["ease"][1].value == 0.3
    assert (document.spread[0].p90, document.spread[0].worst_client) == (0.5, "Germany")
    (ledger,) = document.ledger
    assert [(row.where, row.name, row.shape, row.bytes) for row in ledger.rows if row.where == "uploaded"] == [
        ("uploaded", "pairs", [20, 20], 840)
    ]
    assert document.results[0].failures == {"straggler": 2}


def test_the_command_on_the_page_makes_it_again_and_the_protection_is_said(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "a run")
    document = document_of([folder], "out.html")
    assert document.command == f"fedrec report '{folder}' --out out.html"
    assert document.protection == "simulated on one machine; masks and noise off"
    assert write_runs([folder], tmp_path / "out.html") < html.LIMIT


def test_a_run_without_a_test_part_still_gives_a_page(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "a", test={"users": 0, "reads": 0}, groups={}, validation={})
    assert write_runs([folder], tmp_path / "out.html") > 0


def test_somebody_elses_algorithm_that_is_not_at_hand_does_without_its_ledger(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "a", algorithm={"name": "nowhere:Mine", "config": {}})
    document = document_of([folder])
    assert document.ledger == []
    assert document.results[0].algorithm == "nowhere:Mine"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: None, "is not there"),
        (lambda p: p.mkdir(), "holds no metrics.json"),
        (lambda p: (p.mkdir(), (p / "config.toml").write_text("")), "--resume"),
        (lambda p: (run_folder(p), (p / "metrics.json").write_text("{")), "cannot read the run"),
        (lambda p: (run_folder(p), (p / "metrics.json").write_text('{"data": 3}')), "cannot read the run"),
        (lambda p: (run_folder(p), (p / "rounds.jsonl").write_bytes(b"\xff\xfe")), "cannot read the run"),
        (lambda p: (run_folder(p), (p / "rounds.jsonl").write_text('{"round": 0}\n{"rou')), "cannot read the run"),
    ],
)
def test_what_is_no_run_is_refused_in_a_sentence_and_nothing_is_written(tmp_path: Path, spoil: Any, said: str) -> None:
    spoil(tmp_path / "run")
    with pytest.raises(DataError, match=said):
        write_runs([tmp_path / "run"], tmp_path / "out.html")
    assert not (tmp_path / "out.html").exists()


def test_a_private_run_shows_what_a_person_may_lose(tmp_path: Path) -> None:
    claims = {
        "unit": "person", "epsilon": 3.999, "delta": 1e-5, "epsilon_of_everything_released": 5.9,
        "trainings_released": 2, "accountant": "<closed> form", "assumptions": ["clients add their share"],
        "noise": [{"statistic": "pairs", "sigma": 1.25, "rounds": 1, "phase": "p"}], "cohort_minimum": 2333,
        "masks": "simulated",
    }  # fmt: skip
    private = run_folder(tmp_path / "private", privacy=claims, simulated="on one machine; noise on: epsilon 4")
    document = document_of([private, run_folder(tmp_path / "plain", reg=5.0)])
    assert [(p.epsilon, p.everything, p.fewest) for p in document.privacy] == [(3.999, 5.9, 2333)]
    assert "noise on: epsilon 4" in document.protection
    assert "masks and noise off" in document.protection
    page = html.render(document)
    assert "What a person may lose" in page
    assert "&lt;closed&gt; form" in page
