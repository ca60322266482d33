"""The command line: one file per command, imported only when that command runs."""

from __future__ import annotations

import sys

from fedrec.cli.overview import HELP

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 the user's input is wrong, 1 anything else."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments in ([], ["--help"], ["-h"], ["help"]):
        print(HELP)  # written out, so that it costs no imports
        return 0
    if arguments == ["--version"]:
        from fedrec import __version__

        print(__version__)
        return 0
    from fedrec.cli.app import run

    return run(arguments)
