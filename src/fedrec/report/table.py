"""Rows as a terminal table, Markdown, CSV and LaTeX: one list of dicts (column -> value), four writers.

A value is text, a whole number, a fraction, None, ``numbers.Shown`` (exact value and its text) or ``rows.Interval``
(value with its interval). Columns come from the keys, in the order in which they first appear.
"""

from __future__ import annotations

import csv as csv_module
import io
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fedrec.report import numbers
from fedrec.report.numbers import Shown
from fedrec.report.rows import Interval, Row, example_rows, result_rows, shop_rows

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["csv", "example_rows", "latex", "markdown", "result_rows", "shop_rows", "terminal"]

PIPE_WIDTH = 200  # characters a line where nobody looks at a terminal
NARROW = 16  # characters a column; texts side by side need at least so many
_SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns' names."""
    return list(dict.fromkeys(name for row in rows for name in row))


def text(value: Any, short: bool = False) -> str:
    """Return a value as it is read by people."""
    if value is None:
        return ""
    if isinstance(value, Interval):
        return value.short if short else value.text
    if isinstance(value, Shown):
        return value.text
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return numbers.count(value)
    if isinstance(value, float):
        small = value != 0 and abs(value) < 1e-3
        return numbers.scientific(value) if small else f"{value:,.4f}".replace("-", numbers.MINUS)
    return str(value)


def _numeric(rows: Sequence[Row], name: str) -> bool:
    values = [row.get(name) for row in rows if row.get(name) not in (None, "")]
    return bool(values) and all(isinstance(v, (int, float, Shown, Interval)) for v in values)


def _shown(rows: Sequence[Row]) -> list[str]:
    """Return the columns that hold anything."""
    empty = (None, "", numbers.NONE)
    return [name for name in columns(rows) if any(text(row.get(name)) not in empty for row in rows)]


def terminal(title: str, rows: Sequence[Row]) -> None:
    """Print a table; on a narrow terminal intervals are left out, and columns of text are put below each other."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    names = _shown(rows)
    if len(names) > 2 and not any(_numeric(rows, n) for n in names) and console.width < NARROW * len(names):
        rows = [{"": n, "in order": " · ".join(text(row[n]) for row in rows if row.get(n))} for n in names]
    table = _rich(rows, short=False)
    if Measurement.get(console, console.options.update(max_width=10_000), table).maximum > console.width:
        table = _rich(rows, short=True)
    with console.capture() as caught:  # rich fills every line with blanks, which is no good in files
        console.print(Text(title, style="bold"))
        console.print(table if rows else "(nothing)")
    print("\n".join(line.rstrip() for line in caught.get().splitlines()))


def _rich(rows: Sequence[Row], short: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    names = _shown(rows)
    for name in names:
        right = _numeric(rows, name)
        table.add_column(Text(name), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text(row.get(name), short)) for name in names))
    return table


def markdown(rows: Sequence[Row]) -> str:
    """Return a Markdown table, ready to paste."""
    names = _shown(rows)
    lines = [_markdown_row(names), _markdown_row(["---:" if _numeric(rows, n) else "---" for n in names])]
    return "\n".join([*lines, *(_markdown_row([text(row.get(n)) for n in names]) for row in rows)])


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(c.replace("\\", "\\\\").replace("|", "\\|").split()) for c in cells) + " |"


def csv(rows: Sequence[Row]) -> str:
    """Return CSV with exact values; an interval takes four columns: value, low, high, deviation over seeds."""
    wide = {name for row in rows for name, value in row.items() if isinstance(value, Interval)}
    parts = {
        name: [name, f"{name} low", f"{name} high", f"{name} std"] if name in wide else [name] for name in columns(rows)
    }
    out = io.StringIO()
    writer = csv_module.writer(out, lineterminator="\n")
    writer.writerow([part for name in parts for part in parts[name]])
    for row in rows:
        line: list[Any] = []
        for name, names in parts.items():
            value = row.get(name)
            if isinstance(value, Interval):
                e = value.estimate
                line += [e.value, e.low, e.high, e.std]
            else:
                line += [value.value if isinstance(value, Shown) else value, *[None] * (len(names) - 1)]
        writer.writerow(line)
    return out.getvalue()


def latex(rows: Sequence[Row]) -> str:
    """Return LaTeX tables (package booktabs), one for each data set and protocol where the rows name them."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((str(row.get("data", "")), str(row.get("protocol", ""))), []).append(row)
    return "\n".join(_tabular(where, group) for where, group in groups.items())


_SKIPPED = {"data", "protocol", "role", "twin of", "difference in", "correction", "settings", "users", "seeds", "flag"}


def _tabular(where: tuple[str, str], rows: Sequence[Row]) -> str:
    names = [n for n in _shown(rows) if n not in _SKIPPED] or _shown(rows)
    align = "".join("r" if _numeric(rows, n) else "l" for n in names)
    said = ", ".join(w for w in where if w)
    lines = [f"% {said}"] if said else []
    lines += [rf"\begin{{tabular}}{{{align}}}", r"\toprule"]
    lines += [" & ".join(_escaped(n) for n in names) + r" \\", r"\midrule"]
    lines += [" & ".join(_latex_cell(row.get(n)) for n in names) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _latex_cell(value: Any) -> str:
    if isinstance(value, Interval):
        rest = value.text[len(value.short) :].strip()
        return _escaped(value.short) + (rf" {{\scriptsize {_escaped(rest)}}}" if rest else "")
    return _escaped(text(value))


def _escaped(plain: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {c: "\\" + c for c in "&%$#_{}"} | {numbers.MINUS: "$-$", "–": "--", "±": r"$\pm$", "<": "$<$", "✓": "*"}
    out = "".join(special.get(c, c) for c in plain)
    power = r"([0-9.]+)×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    return re.sub(power, lambda m: rf"${m[1]}\times10^{{{m[2].translate(_SUPERSCRIPT)}}}$", out)
