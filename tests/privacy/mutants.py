"""A module made from its source with one piece changed, so that a guard can be shown to notice the defect."""

import sys
import types
from pathlib import Path
from typing import Any

import fedrec

SOURCE = Path(fedrec.__file__).parent


def load(file: str, text: str = "", replacement: str = "") -> Any:
    """Return the module of ``file`` (below the package) with ``text`` replaced everywhere; unchanged without one."""
    source = (SOURCE / file).read_text(encoding="utf-8")
    assert text in source, f"{file} no longer has {text!r}: bring the list of mutations up to date"
    module = types.ModuleType(f"mutant_{abs(hash((file, text, replacement)))}")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(source.replace(text, replacement) if text else source, file, "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module
