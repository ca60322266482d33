"""What all tests share: hypothesis that gives the same cases each time, the optional data folder, the list of skips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
NO_DATA = "needs the data folder"

settings.register_profile("fedrec", derandomize=True, deadline=None, database=None)
settings.load_profile("fedrec")


def data_folder() -> Path | None:
    """Return the folder of optional data sets: FEDREC_DATA, else ../shared/data beside the repository."""
    asked = os.environ.get("FEDREC_DATA")
    folder = Path(asked) if asked else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_root() -> Path:
    folder = data_folder()
    if folder is None:
        pytest.skip(f"{NO_DATA}: set FEDREC_DATA, or put it at ../shared/data")
    return folder


def expected_skips(text: str) -> dict[str, str]:
    """Return {node id: reason} of tests/skips.txt."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    out = {}
    for line in lines:
        node, separator, reason = line.partition(" | ")
        if not separator or not reason.strip():
            raise ValueError(f"tests/skips.txt: {line!r} is not 'node id | reason'")
        out[node.strip()] = reason.strip()
    return out


def skip_problems(skipped: dict[str, str], expected: dict[str, str], have_data: bool) -> list[str]:
    """Return what is wrong with the skipped tests, in words; nothing when they are those that were expected."""
    problems = [f"listed in tests/skips.txt, but not skipped: {node}" for node in expected if node not in skipped]
    for node, reason in skipped.items():
        if node in expected:
            if expected[node] not in reason:
                problems.append(f"skipped for another reason than tests/skips.txt says: {node}: {reason}")
        elif have_data or NO_DATA not in reason:
            problems.append(f"skipped, but not listed in tests/skips.txt: {node}: {reason}")
    return problems


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not os.environ.get("FEDREC_CHECK_SKIPS"):
        return
    skipped = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        skipped[report.nodeid] = reason
    expected = expected_skips((ROOT / "tests" / "skips.txt").read_text())
    problems = skip_problems(skipped, expected, data_folder() is not None)
    terminalreporter.section("skipped tests against tests/skips.txt")
    for problem in problems:
        terminalreporter.write_line(problem, red=True)
    if problems:
        terminalreporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED
    else:
        terminalreporter.write_line(f"{len(skipped)} skipped, as listed or for want of data")
