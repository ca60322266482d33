"""What leaves a client: every array by name, where it is, its shape and its bytes."""

from __future__ import annotations

from fedrec.report import numbers, plots
from fedrec.report.cells import cell, figure, head, section, table
from fedrec.report.document import Document, Ledger, LedgerRow
from fedrec.report.markup import Child, Html, tag

PLACES = {
    "uploaded": ("↑", "uploaded", "leaves the client to be added up; hidden in the sum only where masks are on"),
    "shared": ("⇄", "shared", "held and sent out by the server"),
    "private": ("●", "private", "stays with the person"),
}


def render(document: Document) -> Html | None:
    """Return one table for all algorithms, and the clients that were missing from the sums."""
    parts: list[Child] = []
    if document.ledger:
        legend = [tag("li", _badge(k), " ", words[2]) for k, words in PLACES.items()]
        parts.append(tag("ul", legend, class_="legend"))
        top = max((_sent(x) for x in document.ledger), default=0)
        header = ["Algorithm", "Where", "What", "Phase", "Shape", "Bytes"]
        cells = [head(h, class_="n" if h in ("Shape", "Bytes") else "") for h in header]
        parts.append(table("Egress ledger", [tag("tr", cells)], [_ledger(x, top) for x in document.ledger], "ledger"))
    parts += _missing(document)
    if not parts:
        return None
    lead = (
        "Everything an algorithm uploads, shares or keeps, from its declared plan. Uploads are counted for one client "
        "and one round, dense: the same size whatever the person did."
    )
    return section("ledger", "What leaves a client", *parts, lead=lead if document.ledger else None)


def _sent(ledger: Ledger) -> int:
    return sum(row.bytes or 0 for row in ledger.rows if row.where == "uploaded")


def _badge(where: str) -> Html:
    sign, word, _ = PLACES[where]
    return tag("span", tag("span", sign, " ", aria_hidden="true"), word, class_=f"badge {where}")


def _ledger(ledger: Ledger, top: int) -> Html:
    sent = _sent(ledger)
    rounds = f"{ledger.rounds} round{'' if ledger.rounds == 1 else 's'}, " if ledger.rounds is not None else ""
    name = [
        tag("bdi", ledger.algorithm),
        tag("small", f"{rounds}{numbers.size(sent)} up a round", class_="ci"),
        plots.bar(sent, top),
    ]
    rows = []
    for k, row in enumerate(ledger.rows):
        first = [head(name, class_="barred", scope="rowgroup", rowspan=len(ledger.rows))] if k == 0 else []
        rows.append(tag("tr", first, _cells(row)))
    return tag("tbody", rows)


def _cells(row: LedgerRow) -> list[Html]:
    note = tag("small", row.note, class_="ci") if row.note else None
    return [
        cell(_badge(row.where), class_=""),
        cell(tag("code", row.name), note, class_=""),
        cell(row.phase, class_=""),
        cell(numbers.shape(row.shape)),
        cell(figure(row.bytes, numbers.size(row.bytes))),
    ]


def _missing(document: Document) -> list[Child]:
    rows = []
    for r in document.results:
        for reason, n in r.failures.items():
            cells = [head(tag("bdi", r.algorithm), class_="", scope="row"), cell(r.protocol, class_="")]
            rows.append(tag("tr", cells, cell(reason, class_=""), cell(figure(n, numbers.count(n)))))
    if not rows:
        return []
    header = tag("tr", [head(h, class_="n" if h == "Times" else "") for h in ("Algorithm", "Protocol", "Why", "Times")])
    return [
        tag("h3", "Clients missing from the sums"),
        table("Clients that were not in the sum, with the reason", [header], rows),
    ]
