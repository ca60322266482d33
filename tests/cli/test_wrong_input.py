"""Wrong input ends with exit code 2 and one line, never a traceback, and leaves nothing half-written."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.cli.calling import MADE_UP, call, done, refused

ROWS = "".join(f"u{k % 4},i{k % 5},{k % 5 + 1},{1000 + k}\n" for k in range(20))
GOOD = "user_id,item_id,rating,timestamp\n" + ROWS

FILES: dict[str, tuple[str | bytes, str]] = {
    "empty file": ("", "the file is empty"),
    "header only": ("user_id,item_id\n", "no rows"),
    "no user_id": (GOOD.replace("user_id", "usr_id"), "Did you mean 'usr_id'"),
    "no item_id": (GOOD.replace("item_id", "product"), "'product'"),
    "truncated gzip": (gzip.compress(GOOD.encode())[:-9], "truncated"),
    "not UTF-8": (GOOD.encode() + b"u\xe9,i1,1,1\n", "line 22"),
    "mixed separators": (GOOD + "u1\ti7\t3\t5\n", "one separator"),
    "too few fields": (GOOD + "u1,i7\n", "line 22: 2 fields, expected 4"),
    "null id": (GOOD + ",i7,5,6\n", "line 22, column user_id"),
    "rating a word": (GOOD + "u1,i7,good,6\n", "got 'good'"),
    "rating NaN": (GOOD + "u1,i7,nan,6\n", "got nan"),
    "rating infinite": (GOOD + "u1,i7,inf,6\n", "got inf"),
    "time a word": (GOOD + "u1,i7,5,yesterday\n", "got 'yesterday'"),
    "time absurd": (GOOD + "u1,i7,5,99999999999999\n", "1970 to 2100"),
    "one user": ("user_id,item_id,timestamp\nu,a,1\nu,b,2\n", "1 user, expected at least 2"),
    "one item": ("user_id,item_id,timestamp\nu,a,1\nv,a,2\n", "1 item, expected at least 2"),
    "Parquet in name only": (b"PAR1" + b"\x07" * 40 + b"PAR1", "Parquet"),
    "zip": (b"PK\x03\x04abc", "zip"),
    "noise": (bytes(range(256)) * 3, "x.csv"),
}
COMMANDS = {
    "train": lambda path, out: ["train", "ease", "--data", path, "--out", out],
    "dry run": lambda path, out: ["train", "ease", "--data", path, "--out", out, "--dry-run"],
    "tune": lambda path, out: ["train", "ease", "--data", path, "--out", out, "--tune", "--format", "json"],
    "describe": lambda path, _: ["data", "describe", path],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FILES)
def test_bad_files(tmp_path: Path, name: str, command: str) -> None:
    content, words = FILES[name]
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    said = refused(*COMMANDS[command](path, tmp_path / "run"))
    assert words in said
    assert str(path) in said
    assert not (tmp_path / "run").exists()


def test_file_that_the_bad_ones_are_made_of_is_good(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(GOOD)
    done("train", "ease", "--data", tmp_path / "x.csv")


def test_missing_files_and_folders_without_data(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "ratings.csv").write_text(GOOD)
    for command in COMMANDS.values():
        assert "no such file" in refused(*command(tmp_path / "none.csv", tmp_path / "run"))
        assert "Did you mean 'ratings.csv'" in refused(*command(tmp_path / "ratngs.csv", tmp_path / "run"))
        assert "nothing known in this folder" in refused(*command(tmp_path / "folder", tmp_path / "run"))
    assert "Did you mean 'quickstart'" in refused("data", "describe", "quikstart")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("synthetic:users=x", "users='x'"),
        ("synthetic:usrs=5", "Did you mean 'users'"),
        ("synthetic:users=1", "expected 2"),
        ("synthetic:users=5,items=4,per_user=9", "per_user=9"),
    ],
)
def test_made_up_data(spec: str, words: str) -> None:
    assert words in refused("data", "describe", spec)


def test_all_users_below_the_minimum(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("user_id,item_id,timestamp\nu,a,1\nu,b,2\nv,a,1\n")
    said = refused("train", "ease", "--data", tmp_path / "x.csv", "--out", tmp_path / "run")
    assert "nobody can be tested under leave-last-out" in said
    assert "--protocol none" in said
    assert not (tmp_path / "run").exists()


def test_a_time_split_on_data_without_times(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("user_id,item_id\n" + "".join(f"u{k % 4},i{k % 5}\n" for k in range(20)))
    for protocol in ("last-basket", "global-time", "leave-last-out", "pfedrec-honest"):
        said = refused("train", "ease", "--data", tmp_path / "x.csv", "--protocol", protocol)
        assert "ratio" in said


AWKWARD = ["a,b", 'say "hi"', "💡", "אבג", "99999999999999999999999", "-5", " spaces ", "a\tb", "\u202eabc"]


def test_awkward_ids_work_all_the_way(tmp_path: Path) -> None:
    quoted = ['"' + x.replace('"', '""') + '"' for x in AWKWARD]
    rows = "".join(f"{u},{quoted[(n + k) % 9]},{k + 1}\n" for n, u in enumerate(quoted) for k in range(5))
    (tmp_path / "x.csv").write_text("user_id,item_id,timestamp\n" + rows)
    done("train", "ease", "--data", tmp_path / "x.csv", "--out", tmp_path / "run")
    for format in ("table", "json", "md"):
        for ident in AWKWARD:
            found = done("recommend", tmp_path / "run", f"--user={ident}", "-k", "2", "--format", format)
            assert found.out.strip()
        done("recommend", tmp_path / "run", "--items", ",".join(quoted[:2]), "--format", format)
    done("evaluate", tmp_path / "run")
    done("report", tmp_path / "run", "--out", tmp_path / "r.html")


def test_ids_beyond_64_bits_in_parquet(tmp_path: Path) -> None:
    import polars as pl

    big = [2**63 + k for k in range(6)]
    rows = [(u, big[(n + k) % 6], k + 1) for n, u in enumerate(big) for k in range(4)]
    schema = {"user_id": pl.UInt64, "item_id": pl.UInt64, "timestamp": pl.Int64}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(tmp_path / "x.parquet")
    done("train", "ease", "--data", tmp_path / "x.parquet", "--out", tmp_path / "run")
    found = done("recommend", tmp_path / "run", "--user", str(2**63 + 1), "-k", "2", "--format", "json")
    assert str(2**63)[:10] in found.out


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wrong") / "run"
    done("train", "ease", "--data", MADE_UP, "--out", out)
    return out


def test_recommend(run: Path, tmp_path: Path) -> None:
    assert "user '7x' is not in the model" in refused("recommend", run, "--user", "7x")
    assert "Did you mean '17'" in refused("recommend", run, "--items", "17a")
    for k in ("0", "-3", "61"):
        assert f"k = {k}: expected 1 to 60" in refused("recommend", run, "--user", "7", "-k", k)
    assert "-k" in refused("recommend", run, "--user", "7", "-k", "ten")
    assert "give either --user ID or --items" in refused("recommend", run)
    assert "give either --user ID or --items" in refused("recommend", run, "--user", "7", "--items", "1")
    assert "items is empty" in refused("recommend", run, "--items", "")
    assert "--data holds a user's history" in refused("recommend", run, "--items", "1", "--data", MADE_UP)
    assert "no file" in refused("recommend", run, "--user", "7", "--only", tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    assert "expected UTF-8" in refused("recommend", run, "--user", "7", "--exclude", tmp_path / "latin.txt")
    (tmp_path / "odd.txt").write_text("999\n")
    assert "item '999' is not in the model" in refused("recommend", run, "--user", "7", "--only", tmp_path / "odd.txt")
    assert "cannot read" in refused("recommend", run, "--user", "7", "--only", tmp_path)
    assert "user '500' is not in synthetic" in refused("recommend", run, "--user", "500", "--data", MADE_UP)


def test_folders_that_hold_no_run(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for line in (
        ["recommend", "{}", "--user", "7"],
        ["evaluate", "{}"],
        ["report", "{}", "--out", str(tmp_path / "r")],
    ):
        for folder in ("empty", "none"):
            said = refused(*[x.format(tmp_path / folder) for x in line])
            assert folder in said
    assert not (tmp_path / "r").exists()
    assert "no run folder given" in refused("report", "--out", tmp_path / "r")
    assert "is a folder" in refused("report", run, "--out", tmp_path)
    assert "protocol none holds nothing out" in refused("evaluate", run, "--protocol", "none")
    (tmp_path / "x.csv").write_text(GOOD)
    assert "none of the model's 60 items" in refused("evaluate", run, "--data", tmp_path / "x.csv")


def test_out_and_resume(run: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    line = ["train", "ease", "--data", MADE_UP, "--out"]
    assert "already holds another run" in refused(*line, run)
    assert "seed: was 0, now 1" in refused(*line, run, "--resume", "--seed", "1")
    assert "settings: was {}, now {'reg': 5}" in refused(*line, run, "--resume", "--set", "reg=5")
    assert "--resume needs --out" in refused(*line[:-1], "--resume")
    (tmp_path / "file").write_text("x")
    assert "is a file: give a folder" in refused(*line, tmp_path / "file")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("x")
    assert "already holds other files" in refused(*line, tmp_path / "photos")
    assert "holds no run" in refused(*line, tmp_path / "photos", "--resume")
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_the_folder_is_refused_before_the_data_are_read(run: Path) -> None:
    assert "already holds another run" in refused("train", "ease", "--data", "nothing there", "--out", run)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["eaze", "--data", MADE_UP], "Did you mean 'ease'"),
        (["ease"], "no data given"),
        (["--data", MADE_UP], "no algorithm given"),
        (["ease", "--data", MADE_UP, "--seed", "-1"], "seed = -1"),
        (["ease", "--data", MADE_UP, "--seed", "x"], "--seed"),
        (["ease", "--data", MADE_UP, "--rounds", "3"], "closed form with a fixed number of rounds"),
        (["fedmf", "--data", MADE_UP, "--rounds", "0"], "rounds = 0"),
        (["ease", "--data", MADE_UP, "--cohort", "0"], "cohort = 0"),
        (["ease", "--data", MADE_UP, "--set", "reg"], "expected name=value"),
        (["ease", "--data", MADE_UP, "--set", "reg=-1"], "reg = -1"),
        (["ease", "--data", MADE_UP, "--set", "reg=null"], "reg is null"),
        (["ease", "--data", MADE_UP, "--set", "reg=Infinity"], "finite"),
        (["ease", "--data", MADE_UP, "--set", "regg=1"], "Did you mean 'reg'"),
        (["ease", "--data", MADE_UP, "--protocol", "leave-one-out"], "Did you mean 'leave-last-out'"),
        (["ease", "--data", MADE_UP, "--protocol", "given"], "given"),
        (["ease", "--data", MADE_UP, "--protocol", "global-time", "--at", "soon"], "--at"),
        (["ease", "--data", MADE_UP, "--protocol", "ratio", "--ratio", "0.5"], "ratio"),
        (["ease", "--data", MADE_UP, "--protocol", "ratio", "--ratio", "0.5,0.6"], "--ratio"),
        (["ease", "--data", MADE_UP, "--basket", "week"], "day"),
        (["ease", "--data", MADE_UP, "--duplicates", "frist"], "first"),
        (["ease", "--data", MADE_UP, "--silos", "grup"], "Did you mean 'group'"),
        (["ease", "--data", MADE_UP, "--columns", "user_id"], "expected our_name=name_in_file"),
        (["ease", "--data", MADE_UP, "--tune", "--protocol", "none"], "--tune needs a validation part"),
        (["ease", "--data", MADE_UP, "--config", "none.toml"], "no config file"),
        (["no.such:Thing", "--data", MADE_UP], "cannot load the algorithm"),
        (["json:dumps", "--data", MADE_UP], "is not an algorithm"),
        (["ease", "--data", "synthetic:users=2,items=2000000,per_user=3"], "GB"),
        (["ease", "--data", MADE_UP, "too", "many"], "train --help"),
    ],
)
def test_train(tmp_path: Path, arguments: list[str], words: str) -> None:
    assert words in refused("train", *arguments, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists() or not (tmp_path / "run" / "model.safetensors").exists()


def test_third_party_code_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "half_written_1.py").write_text("class Mine(")
    (tmp_path / "half_written_2.py").write_text("raise RuntimeError('no licence')")
    (tmp_path / "half_written_3.py").write_text("Mine = 3")
    assert "SyntaxError" in refused("train", "half_written_1:Mine", "--data", MADE_UP)
    assert "RuntimeError: no licence" in refused("train", "half_written_2:Mine", "--data", MADE_UP)
    assert "is not an algorithm" in refused("train", "half_written_3:Mine", "--data", MADE_UP)
    assert "Your" not in refused("train", "half_written_3:Your", "--data", MADE_UP).split("cannot load")[0]


def test_bench(tmp_path: Path) -> None:
    assert "expected 'quick' or a .toml file" in refused("bench", "quik")
    assert "no config file" in refused("bench", tmp_path / "none.toml")
    cases = {
        'data = ["quickstart"]': "algorithms",
        'data = ["quickstart"]\nalgorithms = ["ease"]\nprotocol = ["none"]': "Did you mean 'protocols'",
        'data = ["quickstart"]\nalgorithms = ["eaze"]': "Did you mean 'ease'",
        'data = ["none.csv"]\nalgorithms = ["ease"]': "no such file",
        'data = ["quickstart"]\nalgorithms = ["ease"]\nprotocols = ["lastbasket"]': "Did you mean 'last-basket'",
        'data = ["quickstart"]\nalgorithms = ["ease"]\nseeds = 0': "seeds = 0",
        "data = 3": "data",
        "data = [3]\nalgorithms = [4]": "entry",
    }
    for text, words in cases.items():
        (tmp_path / "bench.toml").write_text(text)
        assert words in refused("bench", tmp_path / "bench.toml"), text


def test_damaged_run_is_one_sentence(run: Path, tmp_path: Path) -> None:
    import shutil

    for name in ("model.safetensors", "metrics.json", "items.parquet", "private/state.safetensors"):
        copy = tmp_path / name.replace("/", " ")
        shutil.copytree(run, copy)
        (copy / name).write_bytes(os.urandom(50))
        found = call("recommend", copy, "--user", "7")
        assert found.code == 1
        assert len(found.lines) == 1
        assert name in found.err
