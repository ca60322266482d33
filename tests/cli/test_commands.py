"""Every command in every format, from training to the report, in one process."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import fedrec
from fedrec.cli import main, overview
from tests.cli.calling import MADE_UP, call, done, refused

FORMATS = ("table", "json", "md")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    done("train", "ease", "--data", MADE_UP, "--out", out)
    return out


def table_of(text: str) -> list[list[str]]:
    """Return the cells of a Markdown table."""
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()]
    assert set(rows[1]) <= {"---", "---:"}
    return [rows[0], *rows[2:]]


@pytest.mark.parametrize("way", [[], ["--help"], ["-h"], ["help"]])
def test_help_is_the_overview(way: list[str]) -> None:
    found = done(*way)
    assert found.out.strip() == overview.HELP.strip()
    assert found.err == ""


def test_overview_lists_exactly_the_commands_of_the_app() -> None:
    from fedrec.cli.app import app

    commands = {name for name in app if not name.startswith("-")}
    assert set(overview.COMMANDS) == commands
    named = {line.split()[1] for line in overview.HELP.splitlines() if line.startswith("  fedrec ")} - {"COMMAND"}
    assert named == commands
    data = {name for name in app["data"] if not name.startswith("-")}
    assert data == {"describe"}
    assert "fedrec data describe DATA" in overview.HELP


@pytest.mark.parametrize("command", [*overview.COMMANDS, "data describe"])
def test_every_command_explains_itself(command: str) -> None:
    found = done(*command.split(), "--help")
    assert "Usage: fedrec" in found.out
    if command != "data":
        for option in ("--format", "-v"):
            assert option in found.out


def test_version() -> None:
    assert done("--version").out.strip() == fedrec.__version__


@pytest.mark.parametrize("format", FORMATS)
def test_train(tmp_path: Path, format: str) -> None:
    found = done("train", "popularity", "--data", MADE_UP, "--out", tmp_path / "run", "--format", format)
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    if format == "json":
        assert json.loads(found.out) == told
    elif format == "md":
        head, *rows = table_of(found.out)
        assert head == ["metric", "validation", "test"]
        assert {r[0]: r[2] for r in rows}["ndcg@10"] == f"{told['test']['ndcg@10']:.4f}"
    else:
        assert "popularity on synthetic, leave-last-out, 80 users tested; simulated on one machine" in found.out
        assert "kB up and" in found.out
    assert f"fedrec: wrote {tmp_path / 'run'}" in found.err


@pytest.mark.parametrize("format", FORMATS)
def test_evaluate(run: Path, format: str) -> None:
    told = json.loads((run / "metrics.json").read_text())["test"]
    found = done("evaluate", run, "--format", format)
    if format == "json":
        assert json.loads(found.out)["test"] == {k: v for k, v in told.items() if k != "reads"}
    else:
        assert f"{told['hr@10']:.4f}" in found.out
    other = done("evaluate", run, "--data", MADE_UP, "--protocol", "ratio", "--format", "json")
    assert json.loads(other.out)["protocol"]["name"] == "ratio"
    assert "these figures flatter it" in other.err


@pytest.mark.parametrize("format", FORMATS)
def test_recommend(run: Path, format: str) -> None:
    expected = fedrec.load(run).recommend(7, k=3)
    found = done("recommend", run, "--user", "7", "-k", "3", "--format", format)
    if format == "json":
        rows = [{"rank": r.rank, "item_id": r.item_id, "title": r.title, "score": r.score} for r in expected]
        assert json.loads(found.out) == rows
    elif format == "md":
        assert [r[1] for r in table_of(found.out)[1:]] == [f"{r.item_id}" for r in expected]
    else:
        assert "recommended for 7" in found.out
    new = done("recommend", run, "--items", "3,17", "-k", "3", "--format", format)
    assert new.out != found.out


def test_recommend_with_stock_and_seen(run: Path, tmp_path: Path) -> None:
    (tmp_path / "only.txt").write_text("\ufeffitem_id\n3\n\n 4 \n5\r\n")
    (tmp_path / "not.txt").write_text("4")
    line = ["recommend", run, "--items", "5", "--only", tmp_path / "only.txt", "--format", "json"]
    found = done(*line)
    assert {r["item_id"] for r in json.loads(found.out)} == {3, 4}
    assert "fedrec: 2 of 10: nothing else is left to recommend" in found.err
    assert {r["item_id"] for r in json.loads(done(*line, "--allow-seen").out)} == {3, 4, 5}
    assert [r["item_id"] for r in json.loads(done(*line, "--exclude", tmp_path / "not.txt").out)] == [3]


def test_recommend_from_somebodys_file(run: Path, tmp_path: Path) -> None:
    (tmp_path / "me.csv").write_text("who,item_id,timestamp\nme,3,1\nme,17,2\n")
    mine = done(
        "recommend", run, "--user", "me", "--data", tmp_path / "me.csv", "--columns", "user_id=who", "--format", "json"
    )
    assert json.loads(mine.out) == json.loads(done("recommend", run, "--items", "3,17", "--format", "json").out)


def test_recommend_takes_awkward_ids_on_the_command_line(tmp_path: Path) -> None:
    rows = "".join(f'u{u},"a,{(u + k) % 5}",{k + 1}\n-{u},-{(u + k) % 5},{k + 1}\n' for u in range(6) for k in range(3))
    (tmp_path / "x.csv").write_text("user_id,item_id,timestamp\n" + rows)
    done("train", "ease", "--data", tmp_path / "x.csv", "--out", tmp_path / "run")
    for way in (["--items", '"a,1",-2'], ["--items", "-2"], ["--user", "-3"], ["--user=-3"]):
        assert json.loads(done("recommend", tmp_path / "run", *way, "-k", "2", "--format", "json").out)


def test_everything_seen_is_said(tmp_path: Path) -> None:
    rows = "".join(f"u{u},i{i},{i}\n" for u in range(4) for i in range(1, 6 - u % 2))
    (tmp_path / "x.csv").write_text("user_id,item_id,timestamp\n" + rows)
    done("train", "ease", "--data", tmp_path / "x.csv", "--protocol", "none", "--out", tmp_path / "run")
    for format in FORMATS:
        found = done("recommend", tmp_path / "run", "--user", "u0", "-k", "5", "--format", format)
        assert "fedrec: 0 of 5: nothing else is left to recommend" in found.err


@pytest.mark.parametrize("format", FORMATS)
def test_report(run: Path, tmp_path: Path, format: str) -> None:
    found = done("report", run, "--out", tmp_path / "report.html", "--format", format)
    size = (tmp_path / "report.html").stat().st_size
    assert 1000 < size < 500_000
    if format == "json":
        assert json.loads(found.out) == [{"file": str(tmp_path / "report.html"), "bytes": size}]
    else:
        assert "report.html" in found.out


@pytest.mark.parametrize("format", FORMATS)
def test_algorithms(format: str) -> None:
    from fedrec.algorithms.registry import names

    found = done("algorithms", "--items", "500", "--format", format)
    for name in names():
        assert name in found.out
    if format == "json":
        ease = next(r for r in json.loads(found.out) if r["algorithm"] == "ease" and r["where"] == "uploaded")
        assert ease["bytes"] == 4 * 500 * 501 // 2


@pytest.mark.parametrize("format", FORMATS)
def test_data_describe(format: str) -> None:
    found = done("data", "describe", MADE_UP, "--format", format)
    assert "synthetic" in found.out
    if format == "json":
        assert json.loads(found.out)["interactions"] == 720


@pytest.mark.parametrize("format", FORMATS)
def test_doctor(format: str) -> None:
    found = done("doctor", "--format", format)
    for word in ("compiled kernels", "free memory", "numpy"):
        assert word in found.out


@pytest.mark.parametrize("format", FORMATS)
def test_bench_of_a_file(tmp_path: Path, format: str) -> None:
    config = tmp_path / "bench.toml"
    config.write_text(
        f'data = ["{MADE_UP}"]\nalgorithms = ["popularity", "ease"]\nprotocols = ["leave-last-out"]\n'
        "controls = false\ntwins = false\n"
    )
    found = done("bench", config, "--out", tmp_path / "out", "--format", format)
    if format == "json":
        assert {r["algorithm"] for r in json.loads(found.out)["results"]} >= {"popularity", "ease"}
    else:
        assert "ease" in found.out
    assert {"table.csv", "table.tex", "ranks.parquet", "search.jsonl"} <= {p.name for p in (tmp_path / "out").iterdir()}


def test_toml_config_with_the_same_names_and_the_command_line_wins(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text(f'algorithm = "ease"\ndata = "{MADE_UP}"\nseed = 3\n[settings]\nreg = 40\n')
    line = ["train", "--config", config, "--format", "json"]
    found = json.loads(done(*line, "--seed", "4", "--out", tmp_path / "run").out)
    assert (found["seed"], found["algorithm"]["config"]["reg"]) == (4, 40.0)
    written = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert (written["seed"], written["settings"]) == (4, {"reg": 40})
    again = done("train", "--config", tmp_path / "run" / "config.toml", "--out", tmp_path / "again")
    assert again.code == 0
    for name in ("config.toml", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert json.loads(done(*line, "--set", "reg=7").out)["algorithm"]["config"]["reg"] == 7.0


def test_set_takes_several(tmp_path: Path) -> None:
    line = ["train", "slist", "--data", MADE_UP, "--format", "json", "--dry-run"]
    for way in (["--set", "reg=7", "decay=[0.5]"], ["--set", "reg=7", "--set", "decay=[0.5]"]):
        settings = json.loads(done(*line, *way).out)["settings"]
        assert (settings["reg"], settings["decay"]) == (7.0, [0.5])


@pytest.mark.parametrize("format", FORMATS)
def test_dry_run_does_nothing(tmp_path: Path, format: str) -> None:
    found = done("train", "ease", "--data", MADE_UP, "--dry-run", "--out", tmp_path / "run", "--format", format)
    assert not (tmp_path / "run").exists()
    if format == "json":
        facts = json.loads(found.out)
        assert facts["phases"] == [
            {
                "name": "pairs",
                "rounds": 1,
                "up_bytes_per_client_round": 4 * 60 * 61 // 2,
                "down_bytes_per_client_round": 0,
            }
        ]
        assert facts["clients"] == 80
    else:
        assert "memory_estimate_bytes" in found.out


def test_tune_writes_what_was_tried_and_chosen(tmp_path: Path) -> None:
    found = done("train", "ease", "--data", MADE_UP, "--tune", "--out", tmp_path / "run", "--format", "json")
    lines = [json.loads(x) for x in (tmp_path / "run" / "search.jsonl").read_text().splitlines()]
    chosen = next(x for x in lines if x["chosen"])
    assert len(lines) >= 12
    assert chosen["validation"]["ndcg@10"] == max(x["validation"]["ndcg@10"] for x in lines)
    assert json.loads(found.out)["algorithm"]["config"]["reg"] == chosen["settings"]["reg"]
    assert json.loads(found.out)["test"]["reads"] == 1
    again = done(
        "train", "ease", "--data", MADE_UP, "--tune", "--out", tmp_path / "run", "--resume", "--format", "json"
    )
    assert "is complete already; nothing to resume" in again.err
    assert json.loads(again.out) == json.loads(found.out)


def test_verbose_says_more_and_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "eaze", "--data", MADE_UP, "-v"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.splitlines()[-1].startswith("fedrec: no algorithm is called 'eaze'")


def test_typos_are_told_the_nearest(run: Path, tmp_path: Path) -> None:
    assert "Did you mean --format" in refused("train", "ease", "--formt", "json")
    assert 'Did you mean "train"' in refused("trian", "ease")
    assert refused("trian").endswith("See: fedrec --help")
    assert refused("train", "ease", "--xyz").endswith("See: fedrec train --help")
    assert refused("data", "describ", "x").endswith("See: fedrec data --help")
    config = tmp_path / "my.toml"
    config.write_text(f'algorithm = "ease"\ndata = "{MADE_UP}"\nprotocl = "none"\n')
    assert "unknown setting 'protocl'. Did you mean 'protocol'?" in refused("train", "--config", config)
    config.write_text(f'algorithm = "ease"\ndata = "{MADE_UP}"\n[settings]\nrge = 3\n')
    assert "unknown setting of ease 'rge'. Did you mean 'reg'?" in refused("train", "--config", config)
    assert "Did you mean 'last-basket'?" in refused("train", "ease", "--data", MADE_UP, "--protocol", "last-baskt")


@pytest.mark.parametrize("command", overview.COMMANDS)
def test_wrong_format_is_refused(command: str) -> None:
    arguments = {"train": ["ease"], "evaluate": ["x"], "recommend": ["x"], "report": ["x", "--out", "y"]}
    line = ["data", "describe", "quickstart"] if command == "data" else [command, *arguments.get(command, [])]
    assert "table" in refused(*line, "--format", "yaml")


def settings_of(out: str) -> dict[str, Any]:
    return dict(json.loads(out)["algorithm"]["config"])


def test_seed_rounds_and_cohort_reach_the_run() -> None:
    found = call(
        "train", "fedmf", "--data", MADE_UP, "--rounds", "3", "--cohort", "40", "--seed", "9", "--format", "json"
    )
    told = json.loads(found.out)
    assert (told["seed"], settings_of(found.out)["rounds"]) == (9, 3)
    assert 0 < told["bytes"]["up_total"] < 80 * 3 * told["bytes"]["up_per_client_round"]


def test_help_and_version_import_nothing_heavy() -> None:
    """What keeps ``fedrec --help`` far below 0.2 s (measured by benchmarks/start_up.py)."""
    import subprocess
    import sys

    heavy = "{'numpy', 'polars', 'numba', 'scipy', 'pydantic', 'rich', 'cyclopts', 'safetensors', 'torch'}"
    code = (
        "import sys; from fedrec.cli import main; main(['--help']); main(['--version']); import fedrec; "
        f"sys.exit(sorted({heavy} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stderr == ""
    assert found.returncode == 0
