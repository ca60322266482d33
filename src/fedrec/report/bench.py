"""Run a comparison and show it: the terminal, the files, the HTML page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fedrec.contract import InputError
from fedrec.experiment.bench import Bench, compare, read_bench
from fedrec.experiment.files import write_text
from fedrec.experiment.outputs import write_outputs
from fedrec.experiment.quick import WHY, quick
from fedrec.report import html, table
from fedrec.report.document import Document


def show_bench(what: str, out: Path | None, report: Path | None, format: str) -> int:
    """Run ``fedrec bench WHAT`` and return the exit code."""
    for path in (out, report):
        if path is not None and path.exists() and path.is_dir() != (path is out):
            raise InputError(f"{path} exists and is {'a folder' if path.is_dir() else 'a file'}: choose another name")
    command = " ".join(["fedrec bench", what, *([f"--report {report}"] if report else [])])
    if what == "quick":
        print(f"fedrec: {_protection()}", file=sys.stderr)
        bench = quick(command, _say)
    elif Path(what).suffix == ".toml":
        bench = compare(read_bench(Path(what)), command, _say)
    else:
        raise InputError(f"fedrec bench {what}: expected 'quick' or a .toml file")
    document = Document.from_dict(bench.document)
    _print(bench, document, format)
    if out is not None:
        write_outputs(bench, out)
        rows = table.result_rows(document)
        write_text(out / "table.csv", table.csv(rows))
        write_text(out / "table.tex", table.latex(rows))
        print(f"wrote {out}", file=sys.stderr)
    if report is not None:
        size = html.write(report, document)
        print(f"wrote {report} ({size / 1e3:,.0f} kB)", file=sys.stderr)
    return 0


def _protection() -> str:
    return "simulated on one machine; masks and noise off"


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _print(bench: Bench, document: Document, format: str) -> None:
    if format == "json":
        import json

        print(json.dumps(bench.document, indent=1, ensure_ascii=False))
        return
    write: Any = (
        (lambda title, rows: print(f"\n**{title}**\n\n{table.markdown(rows)}")) if format == "md" else table.terminal
    )
    if document.shops is not None:
        write(
            "What a shop gains: recall@20 of its own customers (gain with its 95 % interval)", table.shop_rows(document)
        )
    for protocol in document.protocols:
        title = f"{protocol.data}, {protocol.name}, {protocol.users:,} users; {_protection()}"
        write(title, table.result_rows(document, protocol.name, protocol.data))
        print(f"  {protocol.about}")
    if document.shops is not None:
        print(f"\n{WHY}")
    for example in document.examples:
        write(f"Customer {example.customer}: {example.about}", table.example_rows(example))
    for control in document.controls:
        if control.ok is False:
            print(f"! {control.name}: {control.text}")
