"""Who gains less: quality by history length, by head and tail, by client."""

from __future__ import annotations

from fedrec.report import numbers, plots
from fedrec.report.cells import cell, estimate, figure, head, section, table
from fedrec.report.document import Document, Groups, Spread
from fedrec.report.markup import Child, Html, tag


def render(document: Document) -> Html | None:
    """Return one table for each grouping and one for the spread over clients."""
    parts: list[Child] = []
    for groups in document.groups:
        parts += [tag("h3", f"By {groups.by}"), _groups(groups)]
    spreads: dict[tuple[str, str, str], list[Spread]] = {}
    for s in document.spread:
        spreads.setdefault((s.data, s.protocol, s.metric), []).append(s)
    for (data, protocol, metric), rows in spreads.items():
        parts += [tag("h3", "By client"), _spread(rows, _caption(metric, "over clients", data, protocol))]
    if not parts:
        return None
    lead = "A mean can hide who loses. Here it is taken apart, down to the worst-served tenth of the clients."
    return section("groups", "Who is served well, who is not", *parts, lead=lead)


def _caption(metric: str, how: str, data: str, protocol: str) -> str:
    where = ", ".join(w for w in (data, protocol) if w)
    return f"{metric} {how}" + (f" ({where})" if where else "")


def _groups(groups: Groups) -> Html:
    top = max((e.value for values in groups.values.values() for e in values if e.value is not None), default=0.0)
    header = [head("Algorithm", class_="")]
    for k, name in enumerate(groups.names):
        people = tag("small", f"{numbers.count(groups.users[k])}", class_="ci") if groups.users else None
        header.append(head(name, people))
    rows = []
    for name, values in groups.values.items():
        cells: list[Child] = [head(tag("bdi", name), class_="", scope="row")]
        for e in values:
            drawn = plots.bar(e.value, top) if e.value is not None else None
            cells.append(cell(estimate(e), drawn, class_="n barred"))
        rows.append(tag("tr", cells))
    return table(
        _caption(groups.metric, f"by {groups.by}", groups.data, groups.protocol), [tag("tr", header)], rows, "compact"
    )


def _spread(rows: list[Spread], caption: str) -> Html:
    top = max((s.p90 for s in rows if s.p90 is not None), default=0.0)
    names = ("worst", "worst tenth, mean", "10 %", "median", "90 %")
    header = [head("Algorithm", class_=""), head("people"), *(head(n) for n in names)]
    header.append(head("10 % to 90 %, median", class_="plot"))
    body = []
    for s in rows:
        drawn = None
        if s.p10 is not None and s.p50 is not None and s.p90 is not None:
            drawn = plots.spread(s.p10, s.p50, s.p90, top)
        who = tag("small", tag("bdi", s.worst_client), class_="ci") if s.worst_client else None
        values = (s.worst_decile, s.p10, s.p50, s.p90)
        cells: list[Child] = [head(tag("bdi", s.algorithm), class_="", scope="row")]
        cells.append(cell(figure(s.clients, numbers.count(s.clients))))
        cells.append(cell(figure(s.worst, numbers.fraction(s.worst)), who))
        cells += [cell(figure(v, numbers.fraction(v))) for v in values]
        cells.append(cell(drawn, class_="plot"))
        body.append(tag("tr", cells))
    return table(caption, [tag("tr", header)], body, "compact")
