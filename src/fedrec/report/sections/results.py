"""The comparison table: every algorithm beside its twin, the baselines and the controls, under every protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fedrec.report import numbers, plots
from fedrec.report.cells import cell, estimate, figure, head, section, slug, table
from fedrec.report.document import Difference, Document, Result
from fedrec.report.markup import Child, Html, join, tag
from fedrec.report.words import meaning

FIRST, MORE = 2, 6  # metrics of each protocol in the main table, and in the one below it; the JSON holds all
ROLES = (
    ("federated", "Federated"),
    ("baseline", "Baselines"),
    ("control", "Controls: what is reached without federation, or without information"),
)


@dataclass(frozen=True)
class Column:
    """One protocol's part of the table: its metrics, the best fair value of each, and the drawing's axis."""

    protocol: str
    metrics: tuple[str, ...]
    best: dict[str, float]
    top: float
    differences: bool
    drawn: bool = False

    @property
    def width(self) -> int:
        """Return how many cells a row has here."""
        return max(1, len(self.metrics)) + self.drawn + self.differences


Row = dict[str, Result]  # protocol -> result


def render(document: Document) -> Html | None:
    """Return the section with one table for each data set."""
    if not document.results:
        return None
    sets = list(dict.fromkeys(r.data for r in document.results))
    parts: list[Child] = []
    for name in sets:
        if len(sets) > 1:
            parts.append(tag("h3", name, id=f"results-{slug(name)}"))
        parts.append(_one(document, name))
    known = [e for r in document.results for e in r.metrics.values()]
    lead = "Quality with its 95 % interval over people. " if any(e.low is not None for e in known) else ""
    lead += "The best number of each column is marked; controls, twins and flagged numbers do not compete."
    if any(r.role == "twin" for r in document.results):
        lead += " A twin, below its federated row, is an independent centralised solution on the pooled data; for "
        lead += "gradient methods it is another training of the same model, so its scores are not the same."
    if document.shops is not None:
        lead = f"Here one customer is one client. {lead}"
    return section("results", "All algorithms", tag("ul", _protocol_lines(document), class_="plain"), *parts, lead=lead)


def _protocol_lines(document: Document) -> list[Html]:
    used = {r.protocol for r in document.results}
    lines = []
    for p in {p.name: p for p in reversed(document.protocols)}.values():
        if p.name in used and p.about:
            lines.append(tag("li", tag("strong", p.name), " ", p.about))
    return lines[::-1]


def columns(document: Document, data: str, first: int, last: int) -> list[Column]:
    """Return the protocols of one data set in the document's order, each with a range of its metrics."""
    results = [r for r in document.results if r.data == data]
    used = list(dict.fromkeys(r.protocol for r in results))
    listed = [p.name for p in document.protocols if p.name in used]
    out: list[Column] = []
    for protocol in dict.fromkeys([*listed, *used]):
        here = [r for r in results if r.protocol == protocol]
        metrics = tuple(dict.fromkeys(m for r in here for m in r.metrics))[first:last]
        fair = [r for r in here if r.role in ("federated", "baseline") and not r.flag]
        best = {m: max(v) for m in metrics if (v := _values(fair, m))}
        ends = [e for r in here if metrics and metrics[0] in r.metrics for e in _ends(r, metrics[0])]
        main = first == 0
        different = main and any(r.difference for r in here)
        if metrics or main:
            out.append(Column(protocol, metrics, best, max(ends, default=0.0), different, main and not out))
    return out


def _values(results: Iterable[Result], metric: str) -> list[float]:
    found = [r.metrics[metric].value for r in results if metric in r.metrics]
    return [v for v in found if v is not None]


def _ends(result: Result, metric: str) -> list[float]:
    e = result.metrics[metric]
    return [v for v in (e.value, e.high) if v is not None]


def grouped(document: Document, data: str) -> dict[str, list[tuple[str, Row]]]:
    """Return role -> [(algorithm, {protocol: result})]; twins follow the algorithm they belong to, in its group."""
    rows: dict[tuple[str, str], Row] = {}
    for r in document.results:
        if r.data == data:
            rows.setdefault((r.role, r.algorithm), {})[r.protocol] = r
    twins = [(name, row) for (role, name), row in rows.items() if role == "twin"]
    out: dict[str, list[tuple[str, Row]]] = {role: [] for role, _ in ROLES}
    for (role, name), row in rows.items():
        if role != "twin":
            out[role].append((name, row))
            out[role] += [(t, tr) for t, tr in twins if _twin_of(tr) == name]
    owned = {name for rows_of in out.values() for name, _ in rows_of}
    out["federated"] += [(t, tr) for t, tr in twins if t not in owned]
    return out


def _twin_of(row: Row) -> str | None:
    return next((r.twin_of for r in row.values()), None)


def _one(document: Document, data: str) -> Html:
    """Return the main table of a data set, its legend, and the further metrics below."""
    parts = columns(document, data, 0, FIRST)
    more = columns(document, data, FIRST, FIRST + MORE)
    shown: list[Child] = [_table(document, data, parts, f"All algorithms on {data}", True)]
    shown.append(tag("p", _legend(document, data, parts), class_="note"))
    if more:
        summary = tag("summary", "Further metrics")
        shown.append(tag("details", summary, _table(document, data, more, f"Further metrics on {data}", False)))
    return join(*shown)


def _table(document: Document, data: str, parts: list[Column], caption: str, cost: bool) -> Html:
    first: list[Child] = [head("Algorithm", class_="", rowspan=2)]
    second: list[Child] = []
    for column in parts:
        first.append(head(column.protocol, class_="group", colspan=column.width, scope="colgroup"))
        second += _column_heads(column)
    if cost:
        first.append(head("cost (kB: one client, one round)", class_="group", colspan=5, scope="colgroup"))
        second += _cost_heads()
    total = 1 + sum(c.width for c in parts) + 5 * cost
    groups = grouped(document, data)
    bodies = []
    for role, words in ROLES:
        if groups[role]:
            label = tag("tr", head(tag("span", words), class_="band", scope="rowgroup", colspan=total))
            bodies.append(tag("tbody", label, [_row(name, row, parts, cost) for name, row in groups[role]]))
    return table(caption, [tag("tr", first), tag("tr", second)], bodies, class_="results")


def _column_heads(column: Column) -> list[Html]:
    out = [head(_metric_name(m), class_="n first" if k == 0 else "n") for k, m in enumerate(column.metrics)]
    out = out or [head("", class_="n first")]
    if column.drawn:
        out.append(head(tag("span", f"{column.metrics[0] if column.metrics else ''}, drawn", class_="hidden")))
    return [*out, head("difference")] if column.differences else out


def _cost_heads() -> list[Html]:
    to_twin = tag("small", "to the twin", class_="ci")
    return [
        head("rounds", class_="n first"),
        head("kB up"),
        head("kB down"),
        head("seconds"),
        head("difference", to_twin),
    ]


def _metric_name(metric: str) -> Html:
    words = meaning(metric)
    return tag("abbr", metric, title=words) if words else join(metric)


def _row(name: str, row: Row, parts: list[Column], cost: bool) -> Html:
    some = next(iter(row.values()))
    label: list[Child] = [tag("bdi", name.removeprefix(f"{some.twin_of}, ") if some.role == "twin" else name)]
    if some.role == "twin" and "twin" not in name:
        label.append(tag("small", "centralised twin", class_="ci"))
    warning = tag("span", "⚠ ", aria_hidden="true")
    label += [tag("small", warning, text, class_="flag") for text in (_flags(row, parts) if cost else [])]
    cells: list[Child] = [head(label, class_="", scope="row")]
    for column in parts:
        cells += _quality(row.get(column.protocol), column)
    if cost:
        cells += _cost(next((row[c.protocol] for c in parts if c.protocol in row), some))
    return tag("tr", cells, class_="twin" if some.role == "twin" else None)


def _flags(row: Row, parts: list[Column]) -> list[str]:
    texts: dict[str, list[str]] = {}
    for protocol, result in row.items():
        if result.flag:
            texts.setdefault(result.flag, []).append(protocol)
    return [t if len(where) == len(parts) else f"{', '.join(where)}: {t}" for t, where in texts.items()]


def _quality(result: Result | None, column: Column) -> list[Child]:
    cells: list[Child] = [] if column.metrics else [cell("", class_="n first")]
    for k, metric in enumerate(column.metrics):
        e = result.metrics.get(metric) if result is not None else None
        edge = " first" if k == 0 else ""
        if result is None or e is None:
            cells.append(cell(tag("span", numbers.NONE, class_="none"), class_="n" + edge))
            continue
        fair = result.role in ("federated", "baseline") and not result.flag
        best = fair and e.value is not None and e.value == column.best.get(metric)
        cells.append(cell(estimate(e, best), class_="n" + edge + (" best" if best else "")))
    shown = result.metrics.get(column.metrics[0]) if result is not None and column.metrics else None
    drawn = None
    if shown is not None and shown.value is not None:
        drawn = plots.interval(shown.value, shown.low, shown.high, (0.0, column.top))
    if column.drawn:
        cells.append(cell(drawn, class_="plot"))
    if column.differences:
        cells.append(cell(_difference(result.difference if result is not None else None)))
    return cells


def _difference(d: Difference | None) -> Child:
    if d is None or d.value is None:
        return None
    p = [tag("small", "p ", figure(d.p, numbers.probability(d.p)), class_="ci")] if d.p is not None else []
    return [figure(d.value, numbers.signed(d.value)), *p]


def _cost(r: Result) -> list[Child]:
    up, down, apart = r.up_bytes_per_client_round, r.down_bytes_per_client_round, r.max_relative_difference
    return [
        cell(figure(r.rounds, numbers.count(r.rounds)), class_="n first"),
        cell(figure(up, numbers.kilobytes(up))),
        cell(figure(down, numbers.kilobytes(down))),
        cell(figure(r.seconds, numbers.seconds(r.seconds))),
        cell(figure(apart, numbers.scientific(apart))),
    ]


def _legend(document: Document, data: str, parts: list[Column]) -> str:
    results = [r for r in document.results if r.data == data]
    words = []
    for protocol in (c.protocol for c in parts):
        users = {r.users for r in results if r.protocol == protocol and r.users}
        if users:
            words.append(f"{protocol}: {numbers.count(max(users))} people tested.")
    seeds = {r.seeds for r in results if r.seeds}
    if seeds:
        words.append(f"Seeds: {', '.join(str(s) for s in sorted(seeds))}; ± is the standard deviation over seeds.")
    differences = {(r.protocol, r.difference.metric, r.difference.reference) for r in results if r.difference}
    if differences:
        to = ", ".join(sorted({reference for _, _, reference in differences}))
        where = "; ".join(f"{metric} under {protocol}" for protocol, metric, _ in sorted(differences))
        how = ", ".join(sorted({r.difference.corrected for r in results if r.difference}))
        words.append(f"Difference to {to} ({where}), paired over people; p after {how}'s correction.")
    words.append("Cost is that of the first protocol with a number; kB are 1,000 bytes; seconds are training.")
    return " ".join(words)
