"""House rules that a machine can check: sizes, names, no pickle, no global randomness, laws for everybody."""

import ast
import re
from pathlib import Path

import pytest

from fedrec.algorithms.registry import BUILT_IN, get

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "fedrec"
FILES = sorted(SOURCE.rglob("*.py"))
IDS = [str(p.relative_to(SOURCE)) for p in FILES]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert path.stem not in ("utils", "helpers", "misc", "common_utils")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body  # a command's options are a long signature
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_nothing_is_pickled_and_no_global_generator_is_used(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.parent.name == "testing":
        text = text.replace("np.random.get_state", "").replace("np.random.set_state", "")
        text = text.replace("np.random.seed(seed)  # noqa: NPY002", "")  # law 6 moves the global state to see who looks
    assert not re.search(r"^\s*(import|from) (pickle|dill|joblib|shelve|marshal)\b", text, re.M), "no pickle, ever"
    assert not re.search(r"np\.random\.(?!Generator\b|Philox\b)\w+", text), (
        "randomness comes from fedrec.contract.random"
    )


def test_no_outside_host_is_spoken_to() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) (requests|urllib\.request|http\.client|httpx|socket)\b", text, re.M), (
            path
        )


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_algorithm_has_its_laws_its_card_and_its_page(name: str) -> None:
    tests = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests" / "laws").glob("test_*.py"))
    assert re.search(rf'^    name = "{name}"$', tests, re.M), f"no law class for {name}: five lines in tests/laws/"
    kind = get(name)
    assert kind.name == name
    assert kind.card.summary
    assert kind.card.source
    assert kind.__doc__
    assert f"| `{name}`" in (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_setting_says_what_it_is(name: str) -> None:
    for field, info in get(name).Config.model_fields.items():
        assert info.description, f"{name}: {field} has no description"


def test_algorithms_are_small() -> None:
    for path in sorted((SOURCE / "algorithms").glob("*.py")):
        lines = [x for x in path.read_text(encoding="utf-8").splitlines() if x.strip()]
        assert len(lines) <= 260, (
            f"{path.name} has {len(lines)} lines: an algorithm is one client, kernels live elsewhere"
        )
