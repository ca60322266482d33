"""The bundled purchases all the way: shops as clients, cohorts, faults, the production path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calling import done


def test_shops_with_faults_from_toml_and_a_report(tmp_path: Path) -> None:
    config = tmp_path / "shops.toml"
    config.write_text(
        'algorithm = "ease"\ndata = "quickstart"\nprotocol = "last-basket"\nsilos = "country"\nseed = 1\n'
        '[[faults]]\nreason = "till offline"\nshare = 0.2\n'
    )
    found = done("train", "--config", config, "--out", tmp_path / "run", "--format", "json")
    told = json.loads(found.out)
    lines = [json.loads(x) for x in (tmp_path / "run" / "rounds.jsonl").read_text().splitlines()]
    for line in lines:
        assert line["cohort"] == 15
        assert line["survivors"] == 15 - line["failures"].get("till offline", 0)
    assert told["failures"] == {"till offline": sum(15 - x["survivors"] for x in lines)}
    assert 0 < told["failures"]["till offline"] < 15
    assert {row["client"] for row in told["groups"]["client"]} >= {"United Kingdom", "France"}
    assert 'reason = "till offline"' in (tmp_path / "run" / "config.toml").read_text()
    done("report", tmp_path / "run", "--out", tmp_path / "r.html")
    same = done("train", "--config", tmp_path / "run" / "config.toml", "--format", "json")
    assert json.loads(same.out)["test"] == told["test"]


def test_production_path(tmp_path: Path) -> None:
    """Train on everything, recommend for a customer and for somebody new, with product titles."""
    done("train", "slist", "--data", "quickstart", "--protocol", "none", "--out", tmp_path / "run")
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert told["test"] == {"users": 0, "reads": 0}
    rows = json.loads(done("recommend", tmp_path / "run", "--user", "17", "--format", "json").out)
    assert [r["rank"] for r in rows] == list(range(1, 11))
    assert all(len(r["title"]) > 3 for r in rows)
    items = ",".join(str(r["item_id"]) for r in rows[:3])
    new = json.loads(done("recommend", tmp_path / "run", "--items", items, "-k", "5", "--format", "json").out)
    assert not {r["item_id"] for r in new} & {r["item_id"] for r in rows[:3]}
    done("evaluate", tmp_path / "run", "--data", "quickstart", "--protocol", "leave-last-out")


@pytest.mark.parametrize("algorithm", ["ease", "fedmf"])
def test_a_cohort_of_customers(tmp_path: Path, algorithm: str) -> None:
    few = ["--rounds", "2", "--set", "dim=8"] if algorithm == "fedmf" else []
    line = ["train", algorithm, "--data", "quickstart", *few, "--cohort", "500", "--format", "json"]
    told = json.loads(done(*line, "--out", tmp_path / "run").out)
    lines = [json.loads(x) for x in (tmp_path / "run" / "rounds.jsonl").read_text().splitlines()]
    for x in lines:
        assert abs(x["cohort"] - 500) < 5 * 20
    assert told["bytes"]["up_total"] == sum(x["cohort"] for x in lines) * told["bytes"]["up_per_client_round"]


def test_dry_run_on_silos_counts_shops() -> None:
    facts = json.loads(
        done("train", "slist", "--data", "quickstart", "--silos", "country", "--dry-run", "--format", "json").out
    )
    assert facts["clients"] == 15
    assert facts["data"] == {"name": "quickstart", "users": 2593, "items": 1039}


def test_a_third_partys_file_needs_no_fork(tmp_path: Path) -> None:
    line = ["train", "tests.experiment.tiny_algorithm:Tiny", "--data", "synthetic:users=40,items=30,per_user=8,seed=1"]
    done(*line, "--out", tmp_path / "run")
    assert json.loads(done("recommend", tmp_path / "run", "--user", "3", "--format", "json").out)
    done("evaluate", tmp_path / "run")
    done("report", tmp_path / "run", "--out", tmp_path / "r.html")


@pytest.mark.parametrize(("algorithm", "bound"), [("ease", 1e-6), ("slist", 1e-6), ("popularity", 0.0)])
def test_the_centralised_twin_beside_a_run(algorithm: str, bound: float) -> None:
    found = done("train", algorithm, "--data", "quickstart", "--twin", "--format", "json")
    told = json.loads(found.out)
    assert told["centralised"]["max_relative_difference"] <= bound
    assert told["centralised"]["test"]["ndcg@10"] == pytest.approx(told["test"]["ndcg@10"], abs=1e-4)
    assert told["centralised"]["test"]["users"] == told["test"]["users"]


def test_ones_own_files_with_every_option(tmp_path: Path) -> None:
    rows = [f"{u};{(u + 3 * k) % 17};{100 - k};{k % 5 + 1}" for u in range(25) for k in range(9)]
    rows += [f"{u};{(u + 12) % 17};1;1" for u in range(25)]  # repeats, earliest by order
    (tmp_path / "till.csv").write_text("who;what;place;stars\n" + "\n".join(rows) + "\n")
    (tmp_path / "things.csv").write_text("item_id,title\n" + "".join(f"{i},Thing no. {i}\n" for i in range(17)))
    (tmp_path / "people.csv").write_text("user_id,town\n" + "".join(f"{u},town {u % 3}\n" for u in range(25)))
    line = [
        "train", "slist", "--data", tmp_path / "till.csv", "--columns", "user_id=who,item_id=what,rating=stars",
        "--order", "place", "--items", tmp_path / "things.csv", "--users", tmp_path / "people.csv", "--silos", "town",
        "--format", "json",
    ]  # fmt: skip
    found = done(*line, "--out", tmp_path / "run")
    told = json.loads(found.out)
    assert told["data"] | {"users": 25, "items": 17, "interactions": 225} == told["data"]
    assert "fedrec: dropped 25 of 250 rows: they repeat a (user, item) pair" in found.err
    assert {row["client"] for row in told["groups"]["client"]} == {"town 0", "town 1", "town 2"}
    kept = {d: json.loads(done(*line, "--duplicates", d).out)["data"]["interactions"] for d in ("first", "last", "all")}
    assert kept == {"first": 225, "last": 225, "all": 250}
    first = json.loads(done("recommend", tmp_path / "run", "--user", "3", "-k", "1", "--format", "json").out)[0]
    assert first["title"] == f"Thing no. {first['item_id']}"
    assert json.loads(done("evaluate", tmp_path / "run", "--format", "json").out)["test"]["users"] == 25


@pytest.mark.parametrize(
    "options",
    [
        ["--protocol", "last-basket", "--basket", "timestamp"],
        ["--protocol", "global-time", "--at", "0.8"],
        ["--protocol", "global-time", "--at", "2011-10-01"],
        ["--protocol", "ratio", "--ratio", "0.2,0.2"],
    ],
)
def test_protocol_options_are_kept_with_the_run(tmp_path: Path, options: list[str]) -> None:
    line = ["train", "popularity", "--data", "quickstart", "--format", "json"]
    told = json.loads(done(*line, *options, "--out", tmp_path / "run").out)
    plain = json.loads(done(*line, *options[:2]).out)
    assert told["protocol"]["fingerprint"] != plain["protocol"]["fingerprint"]
    again = json.loads(done("evaluate", tmp_path / "run", "--format", "json").out)
    assert again["protocol"]["fingerprint"] == told["protocol"]["fingerprint"]
    assert again["test"]["ndcg@10"] == told["test"]["ndcg@10"]
