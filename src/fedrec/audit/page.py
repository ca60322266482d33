"""The officer's page: one HTML file that loads nothing, and the same document as JSON beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedrec.audit.line import number
from fedrec.experiment.files import write_json, write_text
from fedrec.report import numbers
from fedrec.report.cells import cell, head, section, slug, table
from fedrec.report.html import page
from fedrec.report.markup import Child, Html, embedded, join, tag
from fedrec.report.plots import Scale

Doc = Mapping[str, Any]
BADGES = {"PASS": "pass", "FAIL": "fail", "KNOWN LIMIT": "limit", "DOES NOT APPLY": "skipped"}
COVERS = {"protected": "pass", "partly": "limit", "not": "fail"}
SECTIONS = (("lines", "Experiments"), ("threats", "Threats"), ("flow", "Data flow"), ("budget", "Budget"))


def write(path: Path, document: Doc) -> int:
    """Write the page to ``path`` and the document beside it as JSON, each in one step; return the page's bytes."""
    text = render(document)
    write_json(path.with_suffix(".json"), dict(document))
    write_text(path, text)
    return len(text.encode())


def render(document: Doc) -> str:
    """Return the page; the same document gives the same bytes."""
    links = [tag("li", tag("a", name, href=f"#{anchor}")) for anchor, name in (*SECTIONS, ("again", "Run again"))]
    body = tag(
        "body",
        tag("a", "Skip to the audit", href="#main", class_="skip"),
        _header(document),
        tag("nav", tag("ul", links), aria_label="Parts of this audit"),
        tag(
            "main",
            _lines(document),
            _threats(document),
            _flow(document),
            _budget(document),
            _again(document),
            id="main",
        ),
        tag("footer", tag("p", "This file is complete: it loads nothing, runs no script and sends nothing.")),
        tag("script", embedded(dict(document)), type="application/json", id="data"),
    )
    return page(f"Audit of {document['title']}", body)


def _header(document: Doc) -> Html:
    d = document["data"]
    counts = f"{d['users']:,} people, {d['items']:,} items, {d['interactions']:,} interactions"
    off = [tag("p", s, class_="protection on" if s.startswith("ON") else "protection") for s in document["off"]]
    verdicts = [
        join(tag("span", f"{document['verdicts'].get(v, 0)} {v}", class_=f"badge {kind}"), " ")
        for v, kind in BADGES.items()
    ]
    return tag(
        "header",
        tag("p", "fedrec audit", class_="kicker"),
        tag("h1", tag("bdi", document["title"])),
        tag("div", [tag("div", p) for p in off]),
        tag("p", tag("strong", tag("bdi", d["name"])), f" {counts}", class_="muted"),
        tag("p", verdicts),
    )


def _lines(document: Doc) -> Html:
    lead = (
        "Each experiment attacks this set-up with its own data. The baseline is what somebody reaches who knows only "
        "which items are popular. A KNOWN LIMIT is open by design, and says so."
    )
    every = tag("ul", [_line(x) for x in document["lines"]], class_="lines")
    return section("lines", "Experiments", _summary(document["lines"]), every, lead=lead)


def _summary(lines: Sequence[Doc]) -> Html:
    """Return all verdicts in one table, with links to what they come from."""
    rows = []
    for line in lines:
        badge = tag("span", line["verdict"], class_=f"badge {BADGES[line['verdict']]}")
        cells: list[Child] = [head(badge, class_="", scope="row")]
        cells.append(cell(tag("a", line["name"], href=f"#{slug(line['name'])}"), class_="text"))
        cells += [cell(_number(line[k])) for k in ("figure", "baseline")]
        rows.append(tag("tr", cells, cell(line["unit"], class_="")))
    names = (("verdict", ""), ("experiment", ""), ("figure", "n"), ("baseline", "n"), ("unit", ""))
    header = tag("tr", [head(n, class_=kind) for n, kind in names])
    return table("Verdicts", [header], rows, "compact")


def _line(line: Doc) -> Html:
    badge = tag("span", line["verdict"], class_=f"badge {BADGES[line['verdict']]}")
    said: list[Child] = []
    if line["figure"] is not None:
        said.append(tag("p", *_figure(line), class_="said"))
    if line["experiment"]:
        said.append(tag("p", line["experiment"]))
    if line["detail"]:
        said.append(tag("p", line["detail"], class_="muted"))
    if line["rows"]:
        said.append(_table(line["name"], line["rows"]))
    return tag("li", tag("h3", badge, " ", line["name"], id=slug(line["name"])), *said)


def _figure(line: Doc) -> list[Child]:
    value, interval = line["figure"], line["interval"]
    parts: list[Child] = [f"{line['unit']} " if line["unit"] else "", tag("strong", _number(value))]
    if interval is not None and None not in interval:
        parts.append(f" ({_number(interval[0])} to {_number(interval[1])})")
    if line["baseline"] is not None:
        parts.append(f"; baseline {_number(line['baseline'])}")
    if line["target"]:
        parts.append(f"; passes: {line['target']}")
    interval = None if interval is None or None in interval else interval
    inside = [x for x in (value, line["baseline"], *(interval or ())) if x is not None]
    if isinstance(value, float) and all(0 <= x <= 1 for x in inside):
        parts.append(_mini(value, line["baseline"], interval))
    return parts


def _mini(value: float, baseline: float | None, interval: Sequence[float] | None) -> Html:
    """Return a dot with its interval on an axis from 0 to 1, the baseline as a stroke."""
    place = Scale(0.0, 1.0, 5.0, 85.0)
    parts = [tag("path", d="M5 9H85", class_="grid")]
    if interval is not None:
        parts.append(tag("path", d=f"M{place(interval[0]):.1f} 9H{place(interval[1]):.1f}", class_="whisker"))
    if baseline is not None:
        parts.append(tag("path", d=f"M{place(baseline):.1f} 2v14", class_="median"))
    parts.append(tag("circle", cx=place(value), cy=9, r=4, class_="dot"))
    return tag("svg", *parts, viewBox="0 0 90 18", width=90, height=18, aria_hidden="true", class_="mini")


def _number(value: Any) -> str:
    if value is None:
        return numbers.NONE
    if isinstance(value, float) and 0 < abs(value) < 5e-4:
        return numbers.scientific(value)
    return number(value).replace("-", numbers.MINUS) if isinstance(value, int | float) else str(value)


def _table(caption: str, rows: Sequence[Doc], badges: Mapping[str, str] | None = None) -> Html:
    """Return rows as a table; a column whose values are all numbers is right-aligned."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    numeric = {n for n in names if all(isinstance(r.get(n), int | float | None) for r in rows)}
    header = tag("tr", [head(n, class_="n" if n in numeric and n != names[0] else "") for n in names])
    body = []
    for row in rows:
        first, *rest = names
        cells: list[Child] = [head(tag("bdi", _number(row.get(first))), class_="", scope="row")]
        cells += [_cell(n, row.get(n), n in numeric, badges or {}) for n in rest]
        body.append(tag("tr", cells))
    return table(caption, [header], body, "compact" if numeric else "")


def _cell(name: str, value: Any, numeric: bool, badges: Mapping[str, str]) -> Html:
    if isinstance(value, str) and value in badges:
        return cell(tag("span", value, class_=f"badge {badges[value]}"), class_="")
    return cell(_number(value), class_="n" if numeric else "text" if len(str(value)) > 30 else "")


def _threats(document: Doc) -> Html:
    return section(
        "threats", "Who may attack, and what holds", _table("Threats", document["threats"], COVERS),
        lead="What this very set-up protects against, partly or not at all.",
    )  # fmt: skip


def _flow(document: Doc) -> Html:
    badges = {"uploaded": "uploaded", "shared": "shared", "private": "private"}
    return section(
        "flow", "Data-flow sheet", _table("Data flow", document["flow"], badges),
        lead="Every array of the running set-up: who sees it, in what form, for how long.",
    )  # fmt: skip


def _budget(document: Doc) -> Html:
    facts = document["budget"]
    if facts is None:
        return section("budget", "Privacy budget", tag("p", "Noise is off: nothing is counted, no epsilon is claimed."))
    what = [
        ("unit", facts["unit"]),
        ("epsilon of one training", _number(facts["epsilon"])),
        ("delta", f"{facts['delta']:g}"),
        ("epsilon of everything released", _number(facts["epsilon_of_everything_released"])),
        ("accountant", facts["accountant"]),
    ]
    rows = [{"what": k, "value": v} for k, v in what]
    assumed = tag("ul", [tag("li", sentence) for sentence in facts["assumptions"]])
    return section("budget", "Privacy budget", _table("Budget", rows), tag("h3", "Assumed"), assumed)


def _again(document: Doc) -> Html:
    facts = [tag("div", tag("dt", k), tag("dd", str(v))) for k, v in document["environment"].items()]
    return section(
        "again",
        "Run it again",
        tag("pre", tag("code", document["command"]), tabindex=0),
        tag("p", "The settings below, saved as config.toml, are all it needs: fedrec audit --config config.toml ..."),
        tag("details", tag("summary", "config.toml"), tag("pre", tag("code", document["config"]), tabindex=0)),
        tag("dl", facts, class_="facts"),
    )
