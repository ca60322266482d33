"""The pages: tables made from code and results, links that resolve, commands and names that exist."""

import importlib.util
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted((ROOT / "docs").rglob("*.md"))
IDS = [str(p.relative_to(ROOT)) for p in PAGES]


def make_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "docs" / "make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_tables"] = module
    spec.loader.exec_module(module)
    return module


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", make_tables().pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert make_tables().rendered(text) == text, "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        assert found.is_relative_to(ROOT), f"{page.name} links out of the repository: {target}"
        if anchor:
            assert anchor in anchors(found), f"{page.name}: no heading {anchor!r} in {found.name}"


def commands(page: Path) -> list[list[str]]:
    """Return the fedrec commands of a page's shell blocks, as words."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words and words[0].split("/")[-1] == "fedrec":
                    found.append(words[1:])
    return found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from fedrec.cli import main

    for words in commands(page):
        name = ["data", "describe"] if words[0] == "data" else words[:1]
        options = [w for w in words if re.match(r"--?[a-z]", w)]
        assert main([*name, "--help"]) == 0, f"{page.name}: fedrec {' '.join(words)}"
        text = capsys.readouterr().out
        for option in options:
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), f"{page.name}: fedrec {name} has no {option}"


def test_the_readme_shows_two_commands_first() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert blocks[0].strip().endswith("fedrec bench quick --report report.html")
    assert blocks[1].strip().endswith("'.[test]' && .venv/bin/pytest")
    assert all("\n" not in block.strip() for block in blocks[:2])
    assert text.index(blocks[1]) < 2000
    assert len(commands(ROOT / "README.md")) == 4  # the main job, and three more lines


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m1 -E \"(.+)\" README.md", script)
    assert pattern is not None
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    hits = [line for line in lines if re.search(pattern.group(1).replace(r"\[", r"\["), line)]
    assert len(hits) == 1
    assert hits[0].startswith("python3 -m venv .venv && ")


def test_the_makefile_has_six_verbs() -> None:
    verbs = re.findall(r"^(\w+):  ##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert verbs == ["setup", "check", "test", "docs", "bench", "demo"]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda p: p.name)
def test_a_decision_fits_a_page(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 60
    assert "Status: " in page.read_text(encoding="utf-8")
