"""A document as rows (column -> value), the same numbers for terminal, Markdown, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fedrec.report import numbers
from fedrec.report.document import Arms, Document, Estimate, Example, Result
from fedrec.report.numbers import Shown

Row = dict[str, Any]


@dataclass(frozen=True)
class Interval:
    """An estimate in a table, and how its numbers are written."""

    estimate: Estimate
    write: Callable[[float | None], str] = numbers.fraction

    @property
    def short(self) -> str:
        """Return the value alone."""
        return self.write(self.estimate.value)

    @property
    def text(self) -> str:
        """Return the value, its interval and its deviation over seeds."""
        e = self.estimate
        out = self.short
        if e.low is not None and e.high is not None:
            between = "–" if self.write is numbers.fraction and e.low >= 0 else " to "
            out += f" ({self.write(e.low)}{between}{self.write(e.high)})"
        return out if e.std is None else f"{out} ±{numbers.fraction(e.std)}"


WITH_INTERVAL = 2  # the first metrics of a protocol; the others are shown without in the narrow tables


def result_rows(document: Document, protocol: str | None = None, data: str | None = None) -> list[Row]:
    """Return one row a result; all of them with every column, or those of one protocol and data set, shorter."""
    results = [
        r for r in document.results if protocol in (None, r.protocol) and (data in (None, "", r.data) or r.data == data)
    ]
    whole = protocol is None
    names = list(dict.fromkeys(m for r in results for m in r.metrics))
    flags = whole or any(r.flag for r in results)
    return [_result(r, names, whole, flags) for r in results]


def _result(r: Result, names: Sequence[str], whole: bool, flags: bool) -> Row:
    row: Row = {"data": r.data, "protocol": r.protocol} if whole else {}
    row["algorithm"] = r.algorithm
    if whole:
        row |= {"role": r.role, "twin of": r.twin_of or "", "users": r.users, "seeds": r.seeds}
    for k, name in enumerate(names):
        e = r.metrics.get(name, Estimate())
        short = not whole and k >= WITH_INTERVAL
        row[name] = Shown(e.value, numbers.fraction(e.value)) if short else Interval(e)
    d = r.difference
    gap = None if d is None else d.value
    p = None if d is None else d.p
    row["difference"] = Shown(gap, numbers.signed(gap))
    row["p"] = Shown(p, numbers.probability(p))
    if whole:
        row["difference in"] = f"{d.metric} to {d.reference}" if d is not None else ""
        row["correction"] = d.corrected if d is not None else ""
    up, down, apart = r.up_bytes_per_client_round, r.down_bytes_per_client_round, r.max_relative_difference
    row["rounds"] = Shown(r.rounds, numbers.count(r.rounds))
    row["kB up"] = Shown(None if up is None else up / 1e3, numbers.kilobytes(up))
    row["kB down"] = Shown(None if down is None else down / 1e3, numbers.kilobytes(down))
    row["seconds"] = Shown(r.seconds, numbers.seconds(r.seconds))
    row["max diff. to twin"] = Shown(apart, numbers.scientific(apart))
    if flags:
        row["flag"] = r.flag
    if whole:
        row["settings"] = r.settings
    return row


def shop_rows(document: Document) -> list[Row]:
    """Return one row a shop: customers, then alone, federated, pooled and the gain for each algorithm."""
    shops = document.shops
    if shops is None:
        return []
    out = []
    for shop in shops.rows:
        row: Row = {"shop": shop.name, "customers": Shown(shop.users, numbers.count(shop.users))}
        for name in shops.algorithms:
            arms = shop.scores.get(name, Arms())
            for arm in ("alone", "federated", "pooled"):
                value = getattr(arms, arm).value
                row[f"{name} {arm}"] = Shown(value, numbers.fraction(value))
            row[f"{name} gain"] = Interval(arms.gain, numbers.signed)
        out.append(row)
    return out


def example_rows(example: Example) -> list[Row]:
    """Return what was bought and what each algorithm recommends, side by side; hits carry a mark."""
    columns: dict[str, list[str]] = {"bought": [i.title or i.id for i in example.bought]}
    if example.held_out:
        columns["bought next (hidden)"] = [i.title or i.id for i in example.held_out]
    for one in example.lists:
        columns[one.algorithm] = [("✓ " if i.hit else "") + (i.title or i.id) for i in one.items]
    longest = max((len(v) for k, v in columns.items() if not k.startswith("bought")), default=0)
    longest = max(longest, min(len(columns["bought"]), 5))
    for name, titles in columns.items():
        if len(titles) > longest:
            columns[name] = [*titles[: longest - 1], f"and {len(titles) - longest + 1} more"]
    return [{k: v[n] if n < len(v) else "" for k, v in columns.items()} for n in range(longest)]
