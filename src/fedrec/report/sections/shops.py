"""The shopkeeper's question first: what does a shop gain."""

from __future__ import annotations

from fedrec.report import numbers, plots
from fedrec.report.cells import cell, estimate, figure, head, section, table
from fedrec.report.document import Arms, Document, Shop, Shops
from fedrec.report.markup import Html, join, tag
from fedrec.report.words import answers, meaning

ARMS = ("alone", "federated", "pooled")


def cards(document: Document) -> Html | None:
    """Return the answer as bars: the totals and the largest shop, alone, federated and pooled."""
    shops = document.shops
    if shops is None or not shops.rows or not shops.algorithms:
        return None
    algorithm = shops.algorithms[0]
    rows = [row for row in answers(shops) if algorithm in row.scores]
    values = [getattr(row.scores[algorithm], arm).value or 0.0 for row in rows for arm in ARMS]
    top = max(values, default=0.0)
    return tag("div", [_card(row, row.scores[algorithm], algorithm, shops.metric, top) for row in rows], class_="cards")


def _card(row: Shop, arms: Arms, algorithm: str, metric: str, top: float) -> Html:
    users = f"{numbers.count(row.users)} customers" if row.users is not None else None
    lines = []
    for arm in ARMS:
        e = getattr(arms, arm)
        if e.value is not None:
            name = tag("th", arm, scope="row")
            drawn = tag("td", plots.bar(e.value, top, arm), class_="b")
            lines.append(tag("tr", name, drawn, cell(figure(e.value, numbers.percent(e.value)))))
    what = tag("p", f"{metric}, {algorithm}", class_="muted")
    return tag(
        "div", tag("h3", row.name, " ", tag("small", users)), tag("table", tag("tbody", lines)), what, class_="card"
    )


def render(document: Document) -> Html | None:
    """Return the table of all shops: alone, federated, pooled, and the gain with its interval."""
    shops = document.shops
    if shops is None or not shops.rows:
        return None
    span = _span(shops)
    arms = len(ARMS) + 2
    top = [head("Shop", class_="", rowspan=2)]
    top += [head(name, class_="group", colspan=arms, scope="colgroup") for name in shops.algorithms]
    below = [h for _ in shops.algorithms for h in _arm_heads()]
    body = [_row(row, shops, span) for row in shops.rows]
    under = f" under {shops.protocol}" if shops.protocol else ""
    words = meaning(shops.metric)
    lead = (
        "Each shop is one client that holds its own customers. Alone: it learns from its own purchases only. "
        "Federated: the shops add up what they send. Pooled: all purchases in one place, what federation avoids. "
        f"{shops.metric}{under}" + (f": {words}." if words else ".")
    )
    caption = f"{shops.metric} of every shop{under}"
    note = tag("p", shops.note, class_="note") if shops.note else None
    shown = table(caption, [tag("tr", top), tag("tr", below)], body, class_="shops")
    legend = tag("p", "Gain: federated minus alone over the same customers, with its 95 % interval. ", class_="note")
    return section("shops", "Every shop", shown, legend, note, lead=lead)


def _arm_heads() -> list[Html]:
    drawn = head(tag("span", "gain, drawn", class_="hidden"), class_="plot")
    return [head("gain", class_="n first"), drawn, *(head(arm) for arm in ARMS)]


def _row(row: Shop, shops: Shops, span: tuple[float, float]) -> Html:
    users = tag("small", figure(row.users, numbers.count(row.users)), " customers", class_="ci") if row.users else None
    cells = [head(tag("bdi", row.name), users, class_="", scope="row")]
    for name in shops.algorithms:
        arms = row.scores.get(name, Arms())
        gain = arms.gain
        drawn = None if gain.value is None else plots.interval(gain.value, gain.low, gain.high, span, zero=True)
        cells += [cell(estimate(gain, show=numbers.signed), class_="n first"), cell(join(drawn), class_="plot")]
        cells += [cell(estimate(getattr(arms, a))) for a in ARMS]
    return tag("tr", cells, class_="total" if row.total else None)


def _span(shops: Shops) -> tuple[float, float]:
    gains = [row.scores[a].gain for row in shops.rows for a in shops.algorithms if a in row.scores]
    ends = [v for g in gains for v in (g.value, g.low, g.high) if v is not None]
    return min(ends, default=0.0) if min(ends, default=0.0) < 0 else 0.0, max([*ends, 1e-9])
