"""fedrec report"""

from __future__ import annotations

from pathlib import Path

from fedrec.cli.common import Format, Verbose, show


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
    if out.is_dir():
        raise InputError(f"--out {out} is a folder: give the name of the HTML file to write")
    size = write_runs(list(directories), out)
    if format == "table":
        print(f"wrote {out} ({size / 1e3:,.0f} kB)")
    else:
        show("report", [{"file": str(out), "bytes": size}], format)
    return 0
