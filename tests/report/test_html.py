"""The page: complete, small, escaped, valid, and the numbers it shows are the numbers it embeds."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.contract import ContractError, StorageError
from fedrec.report import html, markup, numbers
from tests.report.sample import sample

VOID = {"br", "hr", "link", "meta", "col", "wbr"}
OPTIONAL = [k for k in sample() if k not in ("kind", "title")]
NASTY = """</script><script>alert(1)</script> <img src=x onerror=alert(1)> "quoted" 'single' & 🎄 שלום \u2028"""


class Reader(HTMLParser):
    """Walks a page and keeps what the tests ask for; refuses wrong nesting."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.figures: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            self.figures.append((dict(attrs)["value"] or "", ""))

    def handle_endtag(self, tag: str) -> None:
        assert tag not in VOID
        assert self.open, f"</{tag}> without a start"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ""
        if where == "script":
            self.scripts.append(data)
        elif where != "style":
            self.text.append(data)
        if where == "data":
            value, text = self.figures[-1]
            self.figures[-1] = (value, text + data)


def page_of(**changes: Any) -> str:
    return html.render(sample() | changes)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [x for v in value.values() for x in leaves(v)]
    if isinstance(value, list):
        return [x for v in value for x in leaves(v)]
    return [value]


def test_the_file_is_under_500_kb_and_is_written_whole(tmp_path: Path) -> None:
    size = html.write(tmp_path / "report.html", sample())
    assert size == (tmp_path / "report.html").stat().st_size < html.LIMIT
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_same_document_gives_the_same_bytes() -> None:
    assert page_of() == page_of()


def test_long_curves_are_thinned_until_the_page_fits_and_a_note_says_so(tmp_path: Path) -> None:
    document = sample()
    points = [{"round": r, "megabytes": r / 7, "seconds": r / 11, "value": r / 90_000} for r in range(1, 6001)]
    document["curves"] = [dict(c, points=points) for c in document["curves"]]
    assert html.write(tmp_path / "r.html", document) < html.LIMIT
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "each curve holds at most" in text
    embedded = json.loads(Reader(text).scripts[0])
    assert all(c["points"][-1]["round"] == 6000 for c in embedded["curves"])


def test_nesting_is_valid_and_ids_are_unique_and_links_stay_inside() -> None:
    reader = Reader(page_of())
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = [value for _, name, value in reader.attributes if name in ("href", "aria-labelledby") and value]
    assert targets
    assert {t.lstrip("#") for t in targets} <= set(ids)


def test_nothing_outside_is_referred_to_and_nothing_runs() -> None:
    page = page_of(notes=["see https://example.org for more"])
    reader = Reader(page)
    loading = {"src", "srcset", "action", "data", "poster", "background", "formaction", "style"}
    assert not [a for a in reader.attributes if a[1] in loading or a[1].startswith("on")]
    links = [value for _, name, value in reader.attributes if name == "href"]
    assert all(v is not None and v.startswith("#") for v in links)
    assert [v for t, n, v in reader.attributes if t == "script" and n == "type"] == ["application/json"]
    style = page[page.index("<style>") + 7 : page.index("</style>")]
    assert not re.search(r"url\(|@import|https?:", style)
    assert not [a for a in reader.attributes if a[2] is not None and re.search(r"https?://", a[2])]


def test_the_content_policy_allows_this_style_sheet_and_nothing_else() -> None:
    page = page_of()
    policy = next(
        v for t, n, v in Reader(page).attributes if t == "meta" and n == "content" and v and "default-src" in v
    )
    style = page[page.index("<style>") + 7 : page.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_every_number_shown_is_an_embedded_number_written_by_one_of_the_formats() -> None:
    reader = Reader(page_of())
    embedded = json.loads("".join(reader.scripts))
    known = {x for x in leaves(embedded) if isinstance(x, (int, float)) and not isinstance(x, bool)}
    ways = [numbers.fraction, numbers.signed, numbers.percent, numbers.count, numbers.kilobytes, numbers.size]
    ways += [numbers.seconds, numbers.probability, numbers.scientific]
    assert len(reader.figures) > 300
    for exact, shown in reader.figures:
        value = float(exact)
        assert value in known, exact
        assert shown in {way(value) for way in ways}, (exact, shown)


def test_the_headline_metrics_of_every_result_are_on_the_page() -> None:
    document = sample()
    shown = set(Reader(html.render(document)).figures)
    for result in document["results"]:
        for estimate in result["metrics"].values():
            for part in estimate.values():
                assert (repr(part), numbers.fraction(part)) in shown


def test_text_is_escaped_wherever_it_comes_from() -> None:
    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v if k in ("kind", "role", "where") else poisoned(v) for k, v in value.items()}
        if isinstance(value, list):
            return [poisoned(v) for v in value]
        return NASTY + value if isinstance(value, str) else value

    document = poisoned(copy.deepcopy(sample()))
    # keys that are names of their own stay equal to what they point at
    document["shops"]["algorithms"] = list(document["shops"]["rows"][0]["scores"])
    reader = Reader(html.render(document))
    assert [a for a in reader.attributes if a[1] == "onerror" or a[0] == "img"] == []
    assert sum(t == "script" for t, n, _ in reader.attributes if n == "type") == 1
    assert json.loads("".join(reader.scripts))["title"] == document["title"]
    assert any("<img src=x onerror=alert(1)>" in t for t in reader.text)


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_title_comes_back_as_it_was(title: str) -> None:
    item = markup.flat(markup.tag("bdi", title, title=title)).replace("\r", "&#13;")
    reader = Reader(item)
    assert "".join(reader.text).replace("\x00", "\ufffd") == title.replace("\x00", "\ufffd")


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x, max_size=3), max_leaves=4))
@settings(max_examples=60, deadline=None)
def test_embedded_json_reads_back_and_cannot_close_its_element(value: Any) -> None:
    text = markup.embedded(value).text
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


@pytest.mark.parametrize("missing", OPTIONAL)
def test_the_page_does_without_any_optional_part(missing: str) -> None:
    Reader(html.render({k: v for k, v in sample().items() if k != missing}))


@pytest.mark.parametrize("kind", ["bench", "runs"])
def test_an_empty_document_still_gives_a_page(kind: str) -> None:
    page = html.render({"kind": kind, "title": "nothing yet"})
    assert "nothing yet" in "".join(Reader(page).text)


def test_results_without_metrics_costs_or_twins_do_not_break_the_table() -> None:
    bare = {"algorithm": "a", "role": "federated", "data": "d", "protocol": "p"}
    lonely = {
        "algorithm": "t",
        "role": "twin",
        "twin_of": "gone",
        "data": "d",
        "protocol": "q",
        "metrics": {"hr@10": None},
    }
    text = "".join(Reader(html.render({"kind": "runs", "title": "t", "results": [bare, lonely]})).text)
    assert "centralised twin" in text


def test_best_marks_the_best_fair_number_only() -> None:
    def row(name: str, role: str, value: float, flag: str = "") -> dict[str, Any]:
        metrics = {"hr@10": value}
        return {"algorithm": name, "role": role, "data": "d", "protocol": "p", "metrics": metrics, "flag": flag}

    results = [row("fair", "federated", 0.2), row("poor", "baseline", 0.1), row("leak", "federated", 0.9, "reached")]
    results += [row("off", "control", 1.0), row("twin", "twin", 0.3)]
    page = html.render({"kind": "bench", "title": "t", "results": results})
    marked = re.findall(r"<strong><data value=\"([0-9.]+)\">", page)
    assert marked == ["0.2"]
    assert "reached" in page


def test_the_protection_sentence_stands_on_the_page() -> None:
    assert "simulated on one machine; masks and noise off" in "".join(Reader(page_of()).text)


def test_a_dict_that_is_no_document_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        html.write(tmp_path / "r.html", {"kind": "bench"})
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        html.write(tmp_path / "folder.html", sample())
    assert [p.name for p in tmp_path.iterdir()] == ["folder.html"]


def colours(css: str, dark: bool) -> dict[str, str]:
    light, night = css.split("@media (prefers-color-scheme: dark)")[:2]
    found = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", light))
    return found | (dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", night.split("* {")[0])) if dark else {})


def contrast(a: str, b: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_reaches_aa_contrast_and_graphics_three_to_one(dark: bool) -> None:
    css = (Path(html.__file__).parent / "page.css").read_text(encoding="utf-8")
    c = colours(css, dark)
    for text in ("ink", "muted", "accent", "warn", "good", "bad"):
        for ground in ("paper", "card"):
            assert contrast(c[text], c[ground]) >= 4.5, (text, ground)
    assert contrast(c["ink"], c["best"]) >= 4.5
    assert contrast(c["muted"], c["best"]) >= 4.5
    assert contrast(c["good"], c["best"]) >= 4.5
    assert contrast(c["warn"], c["warn-tint"]) >= 4.5
    for drawn in ("alone", "pooled", "accent", *(f"c{k}" for k in range(8))):
        assert contrast(c[drawn], c["paper"]) >= 3, drawn
