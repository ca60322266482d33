"""The report as one HTML file: no script, no outside host, every number embedded as JSON as well."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fedrec.experiment.files import write_text
from fedrec.report.document import Document
from fedrec.report.markup import Child, Html, embedded, flat, join, tag
from fedrec.report.sections import curves, examples, facts, groups, ledger, privacy, results, shops
from fedrec.report.words import sentences

LIMIT = 500_000  # bytes
SECTIONS = (
    ("shops", "Shops", shops.render),
    ("results", "Algorithms", results.render),
    ("examples", "Examples", examples.render),
    ("curves", "Cost", curves.render),
    ("groups", "Who is served", groups.render),
    ("ledger", "What leaves", ledger.render),
    ("privacy", "Privacy", privacy.render),
    ("controls", "Controls", facts.controls),
    ("measured", "Method", facts.measured),
)


def write(path: str | Path, document: Document | Mapping[str, Any]) -> int:
    """Write the page to ``path`` in one step and return its size in bytes.

    Where it would be larger than 500 kB, the curves are thinned (and a note says so); ContractError for a dict that
    is not a document, StorageError where the file cannot be written.
    """
    page = render(fitted(_document(document)))
    write_text(Path(path), page)
    return len(page.encode())


def fitted(document: Document) -> Document:
    """Return the document with its curves thinned as far as the page's limit asks for."""
    most = 200
    slim = document
    while most >= 5 and len(render(slim).encode()) >= LIMIT:
        thin = [c.model_copy(update={"points": curves.thinned(c.points, most)}) for c in document.curves]
        note = f"To keep this page small each curve holds at most {most} points; rounds.jsonl has all."
        slim = document.model_copy(update={"curves": thin, "notes": [*document.notes, note]})
        most //= 2
    return slim


def _document(document: Document | Mapping[str, Any]) -> Document:
    return document if isinstance(document, Document) else Document.from_dict(document)


def render(document: Document | Mapping[str, Any]) -> str:
    """Return the page; the same document gives the same bytes."""
    document = _document(document)
    parts = [(anchor, name, build(document)) for anchor, name, build in SECTIONS]
    links = [tag("li", tag("a", name, href=f"#{anchor}")) for anchor, name, part in parts if part is not None]
    nav = tag("nav", tag("ul", links), aria_label="Parts of this report") if links else None
    data = tag("script", embedded(document.to_dict()), type="application/json", id="data")
    body = tag(
        "body",
        tag("a", "Skip to the report", href="#main", class_="skip"),
        _header(document),
        nav,
        tag("main", _answer(document), *(part for _, _, part in parts), id="main"),
        _footer(document),
        data,
    )
    return page(document.title, body)


def page(title: str, body: Html) -> str:
    """Return a whole page: its policy lets it load nothing, run no script and send nothing."""
    return "<!DOCTYPE html>\n" + flat(tag("html", _head(title), body, lang="en")) + "\n"


@cache
def _style() -> str:
    return (files("fedrec.report") / "page.css").read_text(encoding="utf-8")


def _head(title: str) -> Html:
    css = _style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("meta", name_="referrer", content="no-referrer"),
        tag("title", f"{title} · fedrec"),
        tag("style", Html(css)),
    )


def _header(document: Document) -> Html:
    kind = "fedrec bench report" if document.kind == "bench" else "fedrec report"
    counts: list[Child] = []
    for d in document.data[:3]:
        known = [(d.users, "users"), (d.items, "items"), (d.interactions, "interactions")]
        said = ", ".join(f"{n:,} {word}" for n, word in known if n is not None)
        counts.append(tag("p", tag("strong", d.name), f" {said}", class_="muted"))
    off = tag("p", tag("span", "⚠ ", aria_hidden="true"), document.protection, class_="protection")
    shown = off if document.protection else None
    return tag("header", tag("p", kind, class_="kicker"), tag("h1", tag("bdi", document.title)), *counts, shown)


def _answer(document: Document) -> Html | None:
    said = sentences(document)
    drawn = shops.cards(document)
    if not said and drawn is None:
        return None
    words = tag("div", [tag("p", sentence) for sentence in said], class_="words")
    title = "What a shop gains" if document.shops is not None else "In short"
    return tag(
        "section", tag("h2", title, id="answer"), tag("div", words, drawn, class_="answer"), aria_labelledby="answer"
    )


def _footer(document: Document) -> Html:
    again = [tag("p", "Made by ", tag("code", document.command))] if document.command else []
    words = (
        "This file is complete: it loads nothing, runs no script and sends nothing. All its numbers are embedded as "
        "JSON in the element with the id “data”."
    )
    return tag("footer", join(again), tag("p", words))
