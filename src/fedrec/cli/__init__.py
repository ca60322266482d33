"""The command line: one file per command, imported only when that command runs."""

from __future__ import annotations

import os
import sys

from fedrec.cli.overview import HELP

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 the user's input is wrong, 1 anything else."""
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _nobody_reads()
        return 1


def _run(arguments: list[str]) -> int:
    if arguments in ([], ["--help"], ["-h"], ["help"]):
        print(HELP)  # written out, so that it costs no imports
        return 0
    if arguments == ["--version"]:
        from fedrec import __version__

        print(__version__)
        return 0
    from fedrec.cli.app import run

    return run(arguments)


def _nobody_reads() -> None:
    """End quietly where the reader of a pipe (head, less) has gone: nothing may be flushed into it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
