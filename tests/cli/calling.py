"""How the tests of the command line call it, in this process."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from fedrec.cli import main

MADE_UP = "synthetic:users=80,items=60,per_user=9,seed=1"


@dataclass(frozen=True)
class Called:
    """What one call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Return what was said on standard error, without fedrec's remarks of a run that went well."""
        return self.err.splitlines()


def call(*arguments: str | Path) -> Called:
    """Run ``fedrec ARGUMENTS`` and check what must hold of every call."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(a) for a in arguments])
    found = Called(code, out.getvalue(), err.getvalue())
    assert code in (0, 1, 2), found
    assert "Traceback" not in found.err + found.out, found
    assert "defect of fedrec" not in found.err, found
    return found


def refused(*arguments: str | Path) -> str:
    """Run a command that is wrong and return the one line that says so."""
    found = call(*arguments)
    assert found.code == 2, found
    assert found.out == "", found
    assert len(found.lines) == 1, found
    assert found.err.startswith("fedrec: "), found
    return found.err.strip()


def done(*arguments: str | Path) -> Called:
    """Run a command that is right."""
    found = call(*arguments)
    assert found.code == 0, found
    return found
