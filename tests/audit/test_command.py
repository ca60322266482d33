"""fedrec audit from the command line: folders and configs, verdicts and exit codes, the page and the JSON."""

from __future__ import annotations

import html.parser
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.audit import budget, page, suite
from fedrec.audit.line import Line
from fedrec.audit.setup import Setup
from fedrec.privacy.noise import NoiseKey
from tests.audit.setups import FEW_ITEMS, MADE_UP
from tests.cli.calling import call, done, refused


@pytest.fixture(scope="module")
def private_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audit") / "run"
    settings = ("--privacy.epsilon", "1", "--set", "width=8", "--set", "most=30")
    done("train", FEW_ITEMS, "--data", MADE_UP, *settings, "--out", out)
    return out


@pytest.fixture(scope="module", autouse=True)
def _same_noise() -> Iterator[None]:
    """Draw the same noise in every run of the tests: a verdict about noise may fail by chance, one in 1,000."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NoiseKey, "fresh", classmethod(lambda cls: cls(bytes(32))))
        yield


@pytest.fixture(scope="module")
def audited(private_run: Path) -> tuple[Any, str]:
    page = private_run.parent / "audit.html"
    found = done("audit", private_run, "--out", page, "--people", "10")
    assert not [line for line in found.out.splitlines() if line.startswith("FAIL")]
    return json.loads(page.with_suffix(".json").read_text()), page.read_text()


def test_a_private_run_passes_and_every_line_has_a_verdict(audited: tuple[Any, str]) -> None:
    document, _ = audited
    verdicts = {line["name"]: line["verdict"] for line in document["lines"]}
    assert set(verdicts.values()) <= {"PASS", "KNOWN LIMIT", "DOES NOT APPLY"}
    assert verdicts["the ledger of releases"] == "PASS"
    assert verdicts["files outside private/"] == "PASS"
    assert verdicts["canaries: what the noise hides"] == "DOES NOT APPLY"  # 60 items hide no canaries
    assert not document["failed"]
    assert {row["cover"] for row in document["threats"]} <= {"protected", "partly", "not"}
    assert len(document["threats"]) == 6
    assert {"uploaded", "private"} <= {row["kind"] for row in document["flow"]}


def test_what_is_off_is_said_first(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(f'algorithm = "popularity"\ndata = "{MADE_UP}"\n')
    out = tmp_path / "a.html"
    found = call("audit", "--config", config, "--out", out, "--people", "5")
    assert found.code == 1  # masks are off, so the server reads every list
    assert found.out.splitlines()[0].startswith("OFF: masks")
    document = json.loads(out.with_suffix(".json").read_text())
    assert document["off"][:2] == [x for x in document["off"] if x.startswith("OFF")]
    text = out.read_text()
    assert text.index("OFF: masks") < text.index("Experiments")


def test_the_config_in_the_report_is_enough_to_run_it_again(audited: tuple[Any, str], tmp_path: Path) -> None:
    document, _ = audited
    config = tmp_path / "config.toml"
    config.write_text(document["config"])
    out = tmp_path / "again.html"
    done("audit", "--config", config, "--out", out, "--people", "10")
    again = json.loads(out.with_suffix(".json").read_text())
    assert again["config"] == document["config"]
    name = "raw updates, protections off"
    same = [next(x for x in d["lines"] if x["name"] == name)["figure"] for d in (document, again)]
    assert same[0] == same[1]


class Reader(html.parser.HTMLParser):
    """Collects what a page points to, and checks that its tags close."""

    void = frozenset({"meta", "br", "hr", "link", "col", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [v or "" for k, v in attrs if k in ("href", "src", "action", "srcset", "poster")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_points_nowhere_and_is_well_formed(audited: tuple[Any, str]) -> None:
    _, text = audited
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert all(link.startswith("#") for link in reader.links)
    assert not re.search(r"https?://|url\(|@import", text)
    assert len(text) < 500_000


def test_names_cannot_inject(audited: tuple[Any, str]) -> None:
    document = json.loads(json.dumps(audited[0]))
    evil = '</script><img src=x onerror="alert(1)">'
    document["title"] = document["command"] = document["config"] = evil
    document["data"]["name"] = evil
    document["lines"][0] = Line(evil, "PASS", evil, 0.5, 0.1, (0.4, 0.6), evil, evil, evil, ({evil: evil},)).to_dict()
    document["threats"][0]["threat"] = document["flow"][0]["what"] = evil
    text = page.render(document)
    assert "<img" not in text
    reader = Reader()
    reader.feed(text)
    assert reader.open == []


def test_a_figure_that_is_no_number_is_written_as_none(audited: tuple[Any, str], tmp_path: Path) -> None:
    nan = float("nan")
    line = Line("broken", "FAIL", "x", nan, 0.1, (nan, nan), rows=({"loss": nan},))
    document = dict(audited[0]) | {"lines": [line.to_dict()]}
    page.write(tmp_path / "x.html", document)
    again = json.loads((tmp_path / "x.json").read_text())["lines"][0]
    assert (again["figure"], again["interval"], again["rows"]) == (None, [None, None], [{"loss": None}])
    assert "nan" not in (tmp_path / "x.html").read_text().lower().replace("nan flood", "")


def test_a_line_that_fails_is_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "run.toml"
    config.write_text(f'algorithm = "popularity"\ndata = "{MADE_UP}"\n')
    for verdict, code in (("PASS", 0), ("KNOWN LIMIT", 0), ("DOES NOT APPLY", 0), ("FAIL", 1)):
        monkeypatch.setattr(suite, "every_line", lambda _, v=verdict: iter([Line("x", v, "y")]))
        for format in ("table", "json", "md"):
            assert call("audit", "--config", config, "--out", tmp_path / "x.html", "--format", format).code == code


def test_what_cannot_be_audited_is_refused(tmp_path: Path, private_run: Path) -> None:
    assert "no --out" in refused("audit", private_run)
    assert "either a run folder or --config" in refused("audit", "--out", tmp_path / "a.html")
    assert "no finished run" in refused("audit", tmp_path, "--out", tmp_path / "a.html")
    assert "is a folder" in refused("audit", private_run, "--out", tmp_path)
    assert "beside it" in refused("audit", private_run, "--out", tmp_path / "a.json")
    assert "3 or more" in refused("audit", private_run, "--out", tmp_path / "a.html", "--people", "1")
    assert not (tmp_path / "a.html").exists()


def test_a_ledger_that_is_damaged_or_gone_fails(private_run: Path) -> None:
    file = private_run / "private" / "budget.jsonl"
    kept = file.read_bytes()
    assert budget.lines(Setup.of_folder(private_run))[0].verdict == "PASS"
    assert file.read_bytes() == kept  # the audit reads a copy
    try:
        file.write_bytes(kept.replace(b'"release"', b'"relaese"', 1))
        assert budget.lines(Setup.of_folder(private_run))[0].verdict == "FAIL"
        file.unlink()
        assert budget.lines(Setup.of_folder(private_run))[0].verdict == "FAIL"
    finally:
        file.write_bytes(kept)


def test_a_history_or_a_noise_key_that_is_left_behind_fails(private_run: Path) -> None:
    from fedrec.audit import published

    setup = Setup.of_folder(private_run, 40)
    assert published.lines(setup)[0].verdict == "PASS"
    stray = private_run / "log.bin"
    row = next(int(r) for r in setup.chosen if len(setup.users.history(int(r)).items) >= published.LONG)
    try:
        stray.write_bytes(b"x" + np.asarray(setup.users.history(row).items, np.int64).tobytes())
        (line,) = published.lines(setup)
        assert (line.verdict, line.figure) == ("FAIL", 1.0)
        assert "log.bin" in line.detail
    finally:
        stray.unlink()
    key = private_run / "private" / "noise.key"
    key.write_bytes(bytes(32))
    try:
        assert published.lines(setup)[0].verdict == "FAIL"
    finally:
        key.unlink()
