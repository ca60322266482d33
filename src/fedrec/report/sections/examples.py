"""A few customers: what they bought, and what each algorithm recommends, side by side."""

from __future__ import annotations

from fedrec.report.cells import cell, head, section, table, title
from fedrec.report.document import Document, Example, Item
from fedrec.report.markup import Child, Html, tag

SHOWN = 14  # bought products in the list; the rest is counted


def render(document: Document) -> Html | None:
    """Return one side-by-side table for each example customer."""
    if not document.examples:
        return None
    parts: list[Child] = []
    for example in document.examples:
        parts.append(_customer(example))
    lead = (
        "What the algorithms see is above each table; a ✓ marks a recommended product that the customer really went on "
        "to buy and that was hidden from the algorithm."
    )
    return section("examples", "Example customers", *parts, lead=lead)


def _customer(example: Example) -> Html:
    about = tag("small", example.about) if example.about else None
    parts: list[Child] = [tag("h3", "Customer ", tag("bdi", example.customer), " ", about)]
    facts: list[Child] = []
    if example.bought:
        facts += [tag("dt", "Bought"), tag("dd", _titles(example.bought))]
    if example.held_out:
        facts += [tag("dt", "Bought next (hidden)"), tag("dd", _titles(example.held_out))]
    parts.append(tag("dl", facts, class_="bought"))
    if example.lists:
        parts.append(_lists(example))
    return tag("div", parts, class_="customer")


def _titles(items: list[Item]) -> Html:
    shown = [tag("li", title(item)) for item in items[:SHOWN]]
    if len(items) > SHOWN:
        shown.append(tag("li", f"and {len(items) - SHOWN} more", class_="muted"))
    return tag("ul", shown, class_="chips")


def _lists(example: Example) -> Html:
    header = [head("", tag("span", "rank", class_="hidden"), class_="rank")]
    for one in example.lists:
        hits = sum(item.hit for item in one.items)
        header.append(
            head(tag("bdi", one.algorithm), tag("small", f"{hits} of {len(one.items)}", class_="ci"), class_="")
        )
    rows = []
    for rank in range(max(len(one.items) for one in example.lists)):
        cells: list[Child] = [head(rank + 1, class_="rank", scope="row")]
        for one in example.lists:
            cells.append(_pick(one.items[rank]) if rank < len(one.items) else cell(class_=""))
        rows.append(tag("tr", cells))
    return table(f"Recommendations for customer {example.customer}", [tag("tr", header)], rows, class_="picks")


def _pick(item: Item) -> Html:
    if not item.hit:
        return cell(title(item), class_="")
    return cell(
        tag("span", "✓ ", aria_hidden="true"), title(item), tag("span", " (hit)", class_="hidden"), class_="hit"
    )
