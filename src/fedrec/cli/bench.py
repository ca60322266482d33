"""fedrec bench"""

from __future__ import annotations

from pathlib import Path

from fedrec.cli.common import Format, Verbose


def bench(
    what: str = "quick",
    *,
    out: Path | None = None,
    report: Path | None = None,
    format: Format = "table",
    verbose: Verbose = False,
) -> int:
    """Compare algorithms, their centralised twins and the controls; ``quick`` runs on the bundled purchases.

    Parameters
    ----------
    what
        quick, or a TOML file with data sets, algorithms, seeds and protocols.
    out
        Folder for table.csv, table.tex, ranks.parquet, search.jsonl and bench.json.
    report
        HTML file to write.
    """
    from fedrec.report.bench import show_bench

    return show_bench(what, out, report, format)
