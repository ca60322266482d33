"""Each seeded defect of the secure sum turns its guard red: a guard that cannot fail guards nothing."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedrec.privacy import secure
from tests.privacy.secure_guards import GUARDS
from tests.privacy.secure_mutations import MUTATIONS

SOURCE = Path(secure.__file__).parent


@pytest.fixture
def mutant(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A copy of the package with one defect, under a name of its own."""
    file, there, defect, _ = MUTATIONS[request.param]
    name = f"secure_mutant_{list(MUTATIONS).index(request.param)}"
    shutil.copytree(SOURCE, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path / name).glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name == file:
            assert there in text, f"{file} has no {there!r} any more: bring the list of mutations up to date"
            text = text.replace(there, defect)
        path.write_text(text.replace("fedrec.privacy.secure", name), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module(name)
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        del sys.modules[module]


@pytest.mark.parametrize("mutant", MUTATIONS, indirect=True)
def test_the_defect_is_seen(mutant: Any, request: pytest.FixtureRequest) -> None:
    guard = GUARDS[MUTATIONS[request.node.callspec.params["mutant"]][3]]
    with pytest.raises(AssertionError):
        guard(mutant)
