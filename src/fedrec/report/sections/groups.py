"""Who gains less: quality by history length, by head and tail, by client."""

from __future__ import annotations

from fedrec.report import numbers, plots
from fedrec.report.cells import cell, estimate, figure, head, section, table
from fedrec.report.document import Document, Estimate, Groups, Spread
from fedrec.report.markup import Child, Html, tag

SIDEWAYS = 6  # more groups than these are put below each other


def render(document: Document) -> Html | None:
    """Return one table for each grouping and one for the spread over clients."""
    parts: list[Child] = []
    sets = {g.data for g in document.groups} | {s.data for s in document.spread}
    protocols = {g.protocol for g in document.groups} | {s.protocol for s in document.spread}

    def place(data: str, protocol: str) -> str:
        told = (data if len(sets) > 1 else "", protocol if len(protocols) > 1 else "")
        return "".join(f", {word}" for word in told if word)

    pairs = []
    for groups in document.groups:
        shown = _wide(groups) if len(groups.names) <= SIDEWAYS else _tall(groups)
        pairs.append(tag("div", tag("h3", f"By {groups.by}{place(groups.data, groups.protocol)}"), shown))
    if pairs:
        parts.append(tag("div", pairs, class_="pair"))
    spreads: dict[tuple[str, str, str], list[Spread]] = {}
    for s in document.spread:
        spreads.setdefault((s.data, s.protocol, s.metric), []).append(s)
    for (data, protocol, metric), rows in spreads.items():
        parts += [
            tag("h3", f"From person to person{place(data, protocol)}"),
            _spread(rows, _caption(metric, "over people", data, protocol)),
        ]
    if not parts:
        return None
    lead = "A mean can hide who loses. Here it is taken apart, down to the worst-served tenth."
    return section("groups", "Who is served well, who is not", *parts, lead=lead)


def _caption(metric: str, how: str, data: str, protocol: str) -> str:
    where = ", ".join(w for w in (data, protocol) if w)
    return f"{metric} {how}" + (f" ({where})" if where else "")


def _top(groups: Groups) -> float:
    return max((e.value for values in groups.values.values() for e in values if e.value is not None), default=0.0)


def _wide(groups: Groups) -> Html:
    """Return one row an algorithm and one column a group."""
    top = _top(groups)
    header = [head("Algorithm", class_="")]
    for k, name in enumerate(groups.names):
        header.append(head(name, _people(groups, k)))
    rows = []
    for name, values in groups.values.items():
        rows.append(tag("tr", head(tag("bdi", name), class_="", scope="row"), [_barred(e, top) for e in values]))
    return _table(groups, header, rows)


def _tall(groups: Groups) -> Html:
    """Return one row a group and one column an algorithm, for many groups (shops)."""
    top = _top(groups)
    header = [head(groups.by, class_=""), *(head(tag("bdi", name)) for name in groups.values)]
    rows = []
    for k, name in enumerate(groups.names):
        first = head(tag("bdi", name), _people(groups, k), class_="", scope="row")
        rows.append(tag("tr", first, [_barred(values[k], top) for values in groups.values.values()]))
    return _table(groups, header, rows)


def _people(groups: Groups, k: int) -> Html | None:
    return tag("small", numbers.count(groups.users[k]), class_="ci") if groups.users else None


def _barred(e: Estimate, top: float) -> Html:
    return cell(estimate(e), plots.bar(e.value, top) if e.value is not None else None, class_="n barred")


def _table(groups: Groups, header: list[Html], rows: list[Html]) -> Html:
    caption = _caption(groups.metric, f"by {groups.by}", groups.data, groups.protocol)
    return table(caption, [tag("tr", header)], rows, "compact")


COLUMNS = (
    ("worst", "worst"),
    ("worst_decile", "worst tenth, mean"),
    ("p10", "10 %"),
    ("p50", "median"),
    ("p90", "90 %"),
)


def _spread(rows: list[Spread], caption: str) -> Html:
    top = max((s.p90 for s in rows if s.p90 is not None), default=0.0)
    used = [(key, name) for key, name in COLUMNS if any(getattr(s, key) is not None for s in rows)]
    header = [head("Algorithm", class_=""), head("people"), *(head(name) for _, name in used)]
    header.append(head("10 % to 90 %, median", class_="plot"))
    body = []
    for s in rows:
        drawn = None
        if s.p10 is not None and s.p50 is not None and s.p90 is not None:
            drawn = plots.spread(s.p10, s.p50, s.p90, top)
        cells: list[Child] = [head(tag("bdi", s.algorithm), class_="", scope="row")]
        cells.append(cell(figure(s.clients, numbers.count(s.clients))))
        for key, _ in used:
            value = getattr(s, key)
            who = tag("small", tag("bdi", s.worst_client), class_="ci") if key == "worst" and s.worst_client else None
            cells.append(cell(figure(value, numbers.fraction(value)), who))
        body.append(tag("tr", cells, cell(drawn, class_="plot")))
    return table(caption, [tag("tr", header)], body, "compact")
