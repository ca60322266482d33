"""fedrec report"""

from __future__ import annotations

from pathlib import Path

from fedrec.cli.common import Format, Verbose


def report(*directories: Path, out: Path, format: Format = "table", verbose: Verbose = False) -> int:
    """Write one HTML file from one or more run folders.

    Parameters
    ----------
    directories
        Folders written by fedrec train.
    out
        The HTML file to write.
    """
    from fedrec.contract import InputError
    from fedrec.report.runs import write_runs

    if not directories:
        raise InputError("no run folder given: fedrec report DIR [DIR ...] --out FILE.html")
    size = write_runs(list(directories), out)
    print(f"wrote {out} ({size / 1e3:,.0f} kB)")
    return 0
