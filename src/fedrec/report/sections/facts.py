"""How it was measured: controls, ceiling, protocols, data, environment, configuration."""

from __future__ import annotations

from fedrec.report import numbers
from fedrec.report.cells import cell, figure, head, section, table
from fedrec.report.document import Control, Data, Document, Protocol, Result
from fedrec.report.markup import Child, Html, join, tag


def controls(document: Document) -> Html | None:
    """Return the controls and the ceiling in words."""
    parts: list[Child] = []
    if document.controls:
        parts.append(tag("ul", [_control(c) for c in document.controls], class_="checks"))
    if document.ceiling:
        parts.append(tag("p", tag("strong", "Ceiling. "), document.ceiling))
    if not parts:
        return None
    return section("controls", "Controls and ceiling", *parts)


def _control(control: Control) -> Html:
    sign, word = {True: ("✓", "as it should be"), False: ("✗", "not as it should be"), None: ("·", "")}[control.ok]
    mark = tag("span", sign, class_="sign", aria_hidden="true")
    spoken = tag("span", f" ({word})", class_="hidden") if word else None
    kind = {True: "ok", False: "bad", None: None}[control.ok]
    return tag("li", mark, tag("div", tag("strong", control.name), spoken, " ", control.text), class_=kind)


def measured(document: Document) -> Html | None:
    """Return protocols, data, environment, configuration and notes."""
    parts: list[Child] = []
    if document.command:
        parts.append(join(tag("p", "This page comes from:"), tag("pre", tag("code", document.command), tabindex=0)))
    if document.protocols:
        parts += [tag("h3", "Protocols"), _protocols(document.protocols)]
    if document.data:
        parts += [tag("h3", "Data"), *(_data(d) for d in document.data)]
    used = [r for r in document.results if r.settings]
    if used:
        parts += [tag("h3", "Settings"), _settings(used)]
    if document.environment:
        pairs = [tag("div", tag("dt", k), tag("dd", str(v))) for k, v in document.environment.items()]
        parts += [tag("h3", "Environment"), tag("dl", pairs, class_="facts")]
    if document.notes:
        parts += [tag("h3", "Notes"), tag("ul", [tag("li", note) for note in document.notes])]
    for name, text in document.config.items():
        summary = tag("summary", "Configuration: ", tag("code", name))
        parts.append(tag("details", summary, tag("pre", tag("code", text), tabindex=0)))
    if not parts:
        return None
    return section("measured", "How it was measured", *parts)


def _protocols(protocols: list[Protocol]) -> Html:
    names = ("Protocol", "Split", "Candidates", "Training negatives", "Ties", "People", "Fingerprint")
    header = tag("tr", [head(n, class_="n" if n == "People" else "") for n in names])
    rows = []
    for p in protocols:
        data = tag("small", p.data, class_="ci") if p.data else None
        cells: list[Child] = [head(p.name, data, class_="", scope="row")]
        cells += [cell(text, class_="text") for text in (p.split, p.candidates, p.negatives, p.ties)]
        cells.append(cell(figure(p.users, numbers.count(p.users))))
        cells.append(cell(tag("code", p.fingerprint) if p.fingerprint else None, class_=""))
        rows.append(tag("tr", cells))
    return table("Evaluation protocols", [header], rows)


def _settings(results: list[Result]) -> Html:
    rows = []
    for r in results:
        cells: list[Child] = [head(tag("bdi", r.algorithm), class_="", scope="row")]
        cells += [cell(text, class_="") for text in (r.data, r.protocol)]
        rows.append(tag("tr", cells, cell(tag("code", r.settings), class_="text")))
    header = tag("tr", [head(n, class_="") for n in ("Algorithm", "Data", "Protocol", "Settings")])
    return table("Settings of each algorithm", [header], rows, "compact")


def _data(data: Data) -> Html:
    counted = (("users", data.users), ("items", data.items), ("interactions", data.interactions))
    facts: list[tuple[str, Child]] = [(k, figure(v, numbers.count(v))) for k, v in counted if v is not None]
    for k, v in data.facts.items():
        facts.append((k, v if isinstance(v, str) else figure(v, numbers.count(v) if isinstance(v, int) else f"{v:g}")))
    if data.fingerprint:
        facts.append(("fingerprint", tag("code", data.fingerprint)))
    pairs = [tag("div", tag("dt", k), tag("dd", v)) for k, v in facts]
    return join(tag("p", tag("strong", data.name), " ", data.about), tag("dl", pairs, class_="facts"))
