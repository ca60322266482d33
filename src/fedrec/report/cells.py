"""The pieces all sections are made of: numbers with intervals, tables that scroll by themselves, headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from fedrec.report import numbers
from fedrec.report.document import Document, Estimate, Item
from fedrec.report.markup import Child, Html, join, tag


def figure(value: float | int | None, text: str) -> Html:
    """Return a number as it is shown, with the exact value beside it for machines (equal to the embedded JSON)."""
    return tag("span", text, class_="none") if value is None else tag("data", text, value=repr(value))


def estimate(e: Estimate, best: bool = False, show: Callable[[float | None], str] = numbers.fraction) -> Html:
    """Return a value with its interval, and the deviation over seeds, in smaller type below."""
    shown = figure(e.value, show(e.value))
    parts: list[Child] = [tag("strong", shown, tag("span", " best", class_="hidden")) if best else shown]
    if e.low is not None and e.high is not None:
        between = "–" if show is numbers.fraction and e.low >= 0 else " to "  # a dash beside a minus sign misleads
        parts.append(tag("small", figure(e.low, show(e.low)), between, figure(e.high, show(e.high)), class_="ci"))
    if e.std is not None:
        parts.append(tag("small", "± ", figure(e.std, numbers.fraction(e.std)), class_="ci"))
    return join(parts)


def cell(*children: Child, class_: str = "n", **attributes: str | int) -> Html:
    """Return a table cell; numbers (the default class) are right-aligned."""
    return tag("td", *children, class_=class_ or None, **attributes)


def head(*children: Child, class_: str = "n", scope: str = "col", **attributes: str | int) -> Html:
    """Return a header cell."""
    return tag("th", *children, scope=scope, class_=class_ or None, **attributes)


def table(caption: str, header: Iterable[Child], body: Iterable[Child], class_: str = "") -> Html:
    """Return a table inside a box of its own that scrolls sideways and can be reached by keyboard.

    ``header``: rows; ``body``: rows or whole ``tbody`` elements.
    """
    rows = list(body)
    groups: list[Child] = rows if rows and _is(rows[0], "tbody") else [tag("tbody", rows)]
    inner = tag("table", tag("caption", caption), tag("thead", header), *groups, class_=class_ or None)
    return tag("div", inner, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _is(child: Child, name: str) -> bool:
    return isinstance(child, Html) and child.text.startswith(f"<{name}")


def section(anchor: str, title: str, *children: Child, lead: Child = None) -> Html:
    """Return one part of the page with its heading and an opening sentence."""
    opening = tag("p", lead, class_="lead") if lead is not None else None
    return tag("section", tag("h2", title, id=anchor), opening, *children, aria_labelledby=anchor)


def slug(text: str) -> str:
    """Return text as an id: lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def title(item: Item) -> Html:
    """Return a product's title (or id), in its own writing direction."""
    return tag("bdi", item.title or item.id, title=item.id if item.title else None, dir="auto")


def series(document: Document) -> dict[str, int]:
    """Return each algorithm's place in the palette: federated ones first, in the order of the results."""
    names = [r.algorithm for r in document.results if r.role == "federated"]
    names += [c.algorithm for c in document.curves]
    return {name: place for place, name in enumerate(dict.fromkeys(names))}
