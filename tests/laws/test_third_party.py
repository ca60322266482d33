"""A third party's algorithm: one file outside the package, given as module:Class, passes every law."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "your-algorithm.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of docs/your-algorithm.md as they stand there, in an empty folder."""
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        (tmp_path / name).write_text(code, encoding="utf-8")
    assert {p.name for p in tmp_path.iterdir()} == {"neighbours.py", "test_neighbours.py"}
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_every_law_for_one_file(folder: Path) -> None:
    outcome = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_neighbours.py")
    assert outcome.returncode == 0, outcome.stdout[-3000:] + outcome.stderr[-1000:]
    passed = re.search(r"(\d+) passed", outcome.stdout)
    assert passed is not None
    assert int(passed.group(1)) >= 25
    assert "skipped" not in outcome.stdout


def test_the_command_line_takes_module_and_class(folder: Path) -> None:
    fedrec = ("-c", "import sys; from fedrec.cli import main; sys.exit(main())")
    data = ("--data", "synthetic:users=60,items=30,per_user=8,seed=1")
    outcome = run(folder, *fedrec, "train", "neighbours:Neighbours", *data, "--set", "shrink=5", "--out", "run")
    assert outcome.returncode == 0, outcome.stderr
    algorithm = json.loads((folder / "run" / "metrics.json").read_text(encoding="utf-8"))["algorithm"]
    assert algorithm == {"name": "neighbours:Neighbours", "config": {"shrink": 5.0}}
    again = run(folder, *fedrec, "recommend", "run", "--items", "1,2", "-k", "3", "--format", "json")
    assert again.returncode == 0, again.stderr
