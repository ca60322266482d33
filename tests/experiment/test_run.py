"""What a run measures and writes: metrics.json, groups, traffic, silos, cohorts, faults, memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec import serve
from fedrec.algorithms import registry
from fedrec.contract import Catalog, ConfigError, FedrecError, Interactions
from fedrec.data.sources import load
from fedrec.data.task import Task
from fedrec.experiment import evaluate, machine, run
from fedrec.experiment.config import read_toml, run_config
from fedrec.experiment.ledger import ledger_rows
from fedrec.experiment.progress import Reporter
from fedrec.metrics.ranks import Ranks
from fedrec.serve.evaluate import evaluate_bundle
from tests.experiment.cases import PICKY, TINY, finish, prepared, purchases

PROMISED = {
    "fedrec": None,
    "algorithm": {"name", "config"},
    "data": {"name", "users", "items", "interactions", "fingerprint"},
    "protocol": {"name", "split", "candidates", "negatives", "ties", "fingerprint"},
    "seed": None,
    "rounds": None,
    "validation": {"ndcg@10", "hr@10", "recall@20", "ndcg@20", "precision@10", "mrr@10", "map@10"},
    "test": {"ndcg@10", "hr@10", "recall@20", "users", "reads"},
    "groups": {"history length", "items", "spread"},
    "coverage@10": None,
    "centralised": None,
    "bytes": {"up_per_client_round", "down_per_client_round", "up_total", "down_total"},
    "seconds": {"train", "evaluate", "total"},
    "peak_rss_bytes": None,
    "privacy": None,
}


def test_run_folder_is_as_promised(tmp_path: Path) -> None:
    outcome = finish(prepared(protocol="last-basket"), tmp_path / "run")
    files = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert files == {
        "metrics.json", "config.toml", "rounds.jsonl", "model.safetensors", "items.parquet", "card.md",
        "private/state.safetensors", "private/users.parquet",
    }  # fmt: skip
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found == json.loads(json.dumps(outcome.metrics))
    for name, inner in PROMISED.items():
        assert name in found
        if inner is not None:
            assert inner <= found[name].keys(), name
    assert found["test"]["reads"] == 1
    assert found["test"]["users"] == found["protocol"]["counts"]["tested"]
    assert 0 < found["coverage@10"] <= 1
    assert found["privacy"] is None
    assert all(0 <= v <= 1 for v in found["test"].values() if isinstance(v, float))


def test_config_of_a_folder_runs_again_to_the_same_bytes(tmp_path: Path) -> None:
    finish(prepared(settings={"pull": 0.25}, seed=5, evaluate_every=2), tmp_path / "a")
    again = run_config(read_toml(tmp_path / "a" / "config.toml"))
    finish(run.prepare(again, purchases()), tmp_path / "b")
    for name in ("model.safetensors", "private/state.safetensors", "config.toml"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_traffic_is_counted_from_the_plan(tmp_path: Path) -> None:
    numbers = finish(prepared(), tmp_path / "run").metrics["bytes"]
    users, items, rounds = 30, purchases().n_items, 6
    assert numbers == {
        "up_per_client_round": items * 4,
        "down_per_client_round": items * 4,
        "model_download": items * 4,
        "up_total": users * rounds * items * 4,
        "down_total": users * (rounds + 1) * items * 4,
    }


def test_a_refit_travels_too(tmp_path: Path) -> None:
    once, twice = (run.execute(prepared(protocol=p)).metrics["bytes"] for p in ("leave-last-out", "last-basket"))
    assert twice["up_total"] == 2 * once["up_total"]
    finish(prepared(protocol="last-basket"), tmp_path / "run")
    lines = [json.loads(x) for x in (tmp_path / "run" / "rounds.jsonl").read_text().splitlines()]
    assert [(x["stage"], x["round"]) for x in lines] == [(s, r) for s in ("train", "final") for r in range(6)]
    assert lines[5]["validation"]
    assert not any(x["validation"] for x in lines[6:])


def test_fewer_travel_with_a_cohort_and_faults_and_reasons_are_kept() -> None:
    faults = [{"reason": "battery low", "share": 0.5}, {"reason": "slow", "share": 0.2}]
    outcome = run.execute(prepared(cohort=15, faults=faults))
    records = outcome.progress.records
    assert len({r.cohort for r in records}) > 1  # each client by its own coin
    for record in records:
        assert record.survivors == record.cohort - sum(record.failures.values())
        assert record.up_bytes == record.survivors * purchases().n_items * 4
    assert set(outcome.metrics["failures"]) == {"battery low", "slow"}
    assert sum(outcome.metrics["failures"].values()) == sum(r.cohort - r.survivors for r in records)


@pytest.mark.parametrize("algorithm", ["ease", TINY, PICKY])
def test_a_run_without_survivors_says_so(algorithm: str) -> None:
    with pytest.raises(FedrecError, match=r"nothing was learned in . round.*\(rain, .*lower the faults"):
        run.execute(prepared(algorithm=algorithm, faults=[{"reason": "rain", "share": 1.0}]))


def test_a_round_without_survivors_is_abandoned_and_the_run_goes_on() -> None:
    outcome = run.execute(prepared(cohort=1, seed=2))
    lost = [r for r in outcome.progress.records if r.survivors == 0]
    assert lost
    assert all(r.failures == {"round abandoned: too few survivors": 1} for r in lost)
    assert outcome.progress.state.shared["steps"] == 6 - len(lost)


def test_round_is_chosen_on_validation_and_the_refit_stops_there() -> None:
    outcome = run.execute(prepared(algorithm=PICKY, protocol="last-basket", evaluate_every=1))
    validated = run.execute(prepared(algorithm=TINY, protocol="last-basket", evaluate_every=1, rounds=6))
    best = outcome.metrics["rounds"]
    assert outcome.progress.state.round == best
    assert validated.metrics["rounds"] == 6
    assert outcome.metrics["validation"]["ndcg@20"] >= validated.metrics["validation"]["ndcg@20"]


def test_validation_every_so_many_rounds(tmp_path: Path) -> None:
    finish(prepared(evaluate_every=4), tmp_path / "run")
    lines = [json.loads(x) for x in (tmp_path / "run" / "rounds.jsonl").read_text().splitlines()]
    assert [bool(x["validation"]) for x in lines] == [False, False, False, True, False, True]
    assert prepared(evaluate_every=None).options.evaluate_every == 10
    data = purchases(users=60, items=400)
    assert prepared(data, protocol="pfedrec-honest").options.evaluate_every == 1  # the published selection


def test_protocol_none_trains_on_everything() -> None:
    outcome = run.execute(prepared(protocol="none"))
    assert outcome.metrics["test"] == {"users": 0, "reads": 0}
    assert outcome.metrics["validation"] == {}
    assert outcome.prepared.split.train.n_interactions == purchases().n_interactions
    assert outcome.ranks is None


def test_silos_are_clients_and_sum_to_the_same_model() -> None:
    data = load("quickstart")
    values = {"algorithm": "ease", "data": "quickstart"}
    shops = run.execute(run.prepare(run_config(values | {"silos": "country"}), data))
    people = run.execute(run.prepare(run_config(values), data))
    assert np.array_equal(shops.model.shared["weights"], people.model.shared["weights"])
    assert shops.progress.records[0].cohort == 15
    assert people.progress.records[0].cohort == 2593
    groups = shops.metrics["groups"]
    assert sum(row["users"] for row in groups["client"]) == shops.metrics["test"]["users"]
    assert groups["worst client"]["ndcg@10"] == min(row["ndcg@10"] for row in groups["client"])
    assert "client" not in people.metrics["groups"]


def test_unknown_silo_column_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no column 'contry'.*Did you mean 'country'"):
        prepared(load("quickstart"), algorithm="ease", silos="contry")


def test_memory_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 1000)
    with pytest.raises(ConfigError, match=r"ease on .* items needs about .* GB.*cheaper algorithm"):
        prepared(algorithm="ease")
    monkeypatch.setattr(machine, "available_memory", lambda: None)  # a system that does not say
    assert prepared(algorithm="ease").memory > 0


def test_memory_of_this_machine() -> None:
    free = machine.available_memory()
    assert free is None or 10**6 < free < 10**15
    assert 10**6 < machine.peak_rss_bytes() < 10**13
    facts = machine.environment()
    assert facts["fedrec"] != "not installed"
    assert not any("/" in value for value in facts.values())  # nothing that names the machine or its user


def test_dry_run_promises_what_the_run_then_does() -> None:
    ready = prepared()
    facts = run.dry_run(ready)
    numbers = run.execute(ready).metrics
    assert facts["phases"][0]["rounds"] == numbers["rounds"]
    assert facts["phases"][0]["up_bytes_per_client_round"] == numbers["bytes"]["up_per_client_round"]
    assert facts["phases"][0]["down_bytes_per_client_round"] == numbers["bytes"]["down_per_client_round"]
    assert facts["clients"] == 30
    assert facts["memory_estimate_bytes"] > 0
    json.dumps(facts)


def grouped(lengths: list[int], ranks: list[float]) -> dict[str, Any]:
    people = Interactions.from_lists(50, [list(range(n)) for n in lengths])
    n = len(ranks)
    task = Task(people, np.arange(n + 1), np.full(n, 40, np.int32))
    found = Ranks(np.arange(n), np.arange(n + 1), task.targets, np.array(ranks))
    return evaluate.groups(found, task, people, np.arange(n) % 2, ["north", "south"])


def test_groups_by_hand() -> None:
    found = grouped([1, 1, 2, 3, 3, 3, 9, 20], [1, 99, 1, 1, 1, 99, 1, 99])
    assert [(g["group"], g["users"]) for g in found["history length"]] == [("1", 2), ("2-3", 4), ("9-20", 2)]
    assert [g["ndcg@10"] for g in found["history length"]] == [0.5, 0.75, 0.5]
    assert found["client"] == [
        {"client": "north", "users": 4, "ndcg@10": 1.0},
        {"client": "south", "users": 4, "ndcg@10": 0.25},
    ]
    assert found["worst client"]["client"] == "south"
    assert found["spread"]["p10"] == 0.0
    assert found["spread"]["worst decile"] == 0.0
    assert found["items"] == [{"group": "tail (the other 80 %)", "held-out": 8, "hr@10": 5 / 8}]


def test_groups_where_everybody_has_as_much() -> None:
    assert grouped([4, 4, 4], [1, 1, 99])["history length"] == [
        {"group": "4", "users": 3, "ndcg@10": pytest.approx(2 / 3)}
    ]


class Terminal:
    """A stream that says it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        self.text, self.terminal = "", terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_says_round_validation_traffic_and_time_left(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal(terminal)
    outcome = run.execute(prepared())
    with Reporter("tiny train", stream=stream) as report:  # type: ignore[arg-type]
        report(outcome.progress, 6)
    assert "tiny train  round 6/6 moods  clients 30  validation ndcg@10 0." in stream.text
    assert "MB so far  ETA 0 s" in stream.text
    assert ("\x1b[?25h" in stream.text) == terminal  # the cursor comes back
    assert stream.text.count("\n") == 1


def test_progress_gives_the_cursor_back_after_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal(True)
    with pytest.raises(KeyboardInterrupt), Reporter("tiny train", stream=stream):  # type: ignore[arg-type]
        raise KeyboardInterrupt
    assert "tiny train" in stream.text
    assert stream.text.rindex("\x1b[?25h") > stream.text.rindex("\x1b[?25l")


def test_quiet_says_nothing() -> None:
    stream = Terminal(True)
    outcome = run.execute(prepared())
    with Reporter("tiny train", quiet=True, stream=stream) as report:  # type: ignore[arg-type]
        report(outcome.progress, 6)
    assert stream.text == ""


def test_ledger_counts_bytes_by_type() -> None:
    rows = {(r["where"], r["name"]): r for r in ledger_rows(prepared().algorithm, Catalog(1000, 5))}
    assert rows["uploaded", "gain"]["bytes"] == 4000
    assert rows["uploaded", "gain"]["rounds"] == 6
    assert rows["uploaded", "gain"]["note"] == "32-bit ring, a person's entries at most 1, no L2"
    assert (rows["shared", "level"]["bytes"], rows["shared", "level"]["shape"]) == (4000, "1,000")
    assert (rows["private", "mood"]["bytes"], rows["private", "mood"]["shape"]) == (16, "2")


def test_every_algorithm_trains_writes_and_is_read_back(tmp_path: Path) -> None:
    data = "synthetic:users=60,items=80,per_user=8,seed=3"
    for name in registry.names():
        fields = registry.get(name).Config.model_fields
        few = {k: v for k, v in {"rounds": 2, "sweeps": 2, "dim": 8}.items() if k in fields}
        ready = run.prepare(run_config({"algorithm": name, "data": data, "settings": few, "protocol": "last-basket"}))
        told = finish(ready, tmp_path / name).metrics["test"]
        found = evaluate_bundle(serve.load(tmp_path / name))["test"]
        assert found == {k: v for k, v in told.items() if k != "reads"}, name
        assert len(serve.load(tmp_path / name).recommend(7, k=3)) == 3, name
