"""Rows as text: the same numbers in a terminal, in Markdown, in CSV and in LaTeX."""

from __future__ import annotations

import csv as csv_module
import io
import re

import pytest

from fedrec.report import numbers, table
from fedrec.report.document import Document
from fedrec.report.rows import example_rows, result_rows, shop_rows
from tests.report.sample import sample

DOCUMENT = Document.from_dict(sample())


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv_module.DictReader(io.StringIO(text)))


def test_csv_holds_every_result_with_exact_values_and_intervals() -> None:
    read = read_csv(table.csv(result_rows(DOCUMENT)))
    assert len(read) == len(DOCUMENT.results)
    for row, result in zip(read, DOCUMENT.results, strict=True):
        assert (row["algorithm"], row["protocol"], row["role"]) == (result.algorithm, result.protocol, result.role)
        for name, e in result.metrics.items():
            assert [row[name], row[f"{name} low"], row[f"{name} high"]] == [str(e.value), str(e.low), str(e.high)]
        up = result.up_bytes_per_client_round
        assert row["kB up"] == ("" if up is None else str(up / 1e3))


def test_rows_of_one_protocol_hold_its_metrics_only() -> None:
    rows = result_rows(DOCUMENT, "leave-last-out", "quickstart")
    assert {r.algorithm for r in DOCUMENT.results if r.protocol == "leave-last-out"} == {r["algorithm"] for r in rows}
    assert all("hr@10" in r and "recall@20" not in r for r in rows)


def test_markdown_is_a_table_and_cannot_be_broken_by_a_title() -> None:
    text = table.markdown([{"title": "a | b\n<c>", "score": 0.5}, {"title": "back\\slash", "score": None}])
    lines = text.splitlines()
    assert lines[0] == "| title | score |"
    assert lines[1] == "| --- | ---: |"
    assert lines[2] == "| a \\| b <c> | 0.5000 |"
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [3, 3, 3, 3]


def test_latex_gives_one_booktabs_table_a_protocol_with_special_characters_escaped() -> None:
    text = table.latex(result_rows(DOCUMENT))
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == 3
    assert r"0.146 {\scriptsize (0.135--0.157)}" in text
    assert re.search(r"\$\d\.\d\\times10\^\{-(9|10)\}\$", text)
    assert table.latex([{"name": "50% & $x_1$ {a}"}]).splitlines()[4] == r"50\% \& \$x\_1\$ \{a\} \\"
    for one in text.split(r"\begin{tabular}")[1:]:
        align = re.match(r"\{([lr]+)\}", one)
        assert align is not None
        assert {line.count("&") for line in one.splitlines() if line.endswith(r" \\")} == {len(align[1]) - 1}


def test_terminal_prints_numbers_right_aligned_without_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    table.terminal("A [title] in brackets", [{"name": "x", "n": 5}, {"name": "[red]y", "n": 12_345}])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "A [title] in brackets"
    assert [line for line in lines if line != line.rstrip()] == []
    first, second = (next(x for x in lines if word in x) for word in ("x  ", "[red]y"))
    assert first.index("5") + 1 == len(second) == second.index("12,345") + 6


@pytest.mark.parametrize("width", [60, 100, 200])
def test_a_narrow_terminal_loses_intervals_before_numbers(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "PIPE_WIDTH", width)
    rows = [{k: r[k] for k in ("algorithm", "recall@20", "ndcg@20")} for r in result_rows(DOCUMENT, "last-basket")]
    table.terminal("t", rows)
    out = capsys.readouterr().out
    assert "0.146" in out
    assert "0.126" in out
    assert ("0.135–0.157" in out) == (width >= 100)
    assert max(len(line) for line in out.splitlines()) <= width


def test_examples_side_by_side_become_one_below_the_other_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = example_rows(DOCUMENT.examples[0])
    monkeypatch.setattr(table, "PIPE_WIDTH", 80)
    table.terminal("t", rows)
    out = capsys.readouterr().out
    for one in DOCUMENT.examples[0].lists:
        assert f"\n {one.algorithm} " in out
    assert "✓ " in out


def test_shop_rows_show_the_gain_with_its_interval() -> None:
    first = shop_rows(DOCUMENT)[0]
    assert first["shop"] == "14 small shops"
    assert first["ease gain"].text == "+0.035 (+0.016 to +0.054)"
    assert first["slist federated"].text == "0.140"


def test_no_rows_and_empty_columns_are_no_problem(capsys: pytest.CaptureFixture[str]) -> None:
    table.terminal("nothing", [])
    assert table.markdown([{"a": None, "b": 1}]).splitlines()[0] == "| b |"
    assert "nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (numbers.fraction(0.12849), "0.128"),
        (numbers.fraction(-0.5), "−0.500"),
        (numbers.signed(0.0351), "+0.035"),
        (numbers.signed(-0.0004), "0.000"),
        (numbers.percent(0.1284), "12.8\u00a0%"),
        (numbers.count(176102), "176,102"),
        (numbers.kilobytes(4156), "4.2"),
        (numbers.kilobytes(6478165), "6,478"),
        (numbers.kilobytes(0), "0"),
        (numbers.size(999), "999 B"),
        (numbers.size(6478165), "6.48 MB"),
        (numbers.size(26_870_000_000), "26.9 GB"),
        (numbers.size(999_600), "1 MB"),
        (numbers.seconds(0.042), "0.04"),
        (numbers.seconds(3.14), "3.1"),
        (numbers.seconds(124.4), "124"),
        (numbers.probability(0.0002), "<0.001"),
        (numbers.probability(0.0314), "0.031"),
        (numbers.scientific(3.14e-9), "3.1×10⁻⁹"),
        (numbers.scientific(9.96e-9), "1.0×10⁻⁸"),
        (numbers.scientific(0.0), "0"),
        (numbers.scientific(0.25), "0.25"),
        (numbers.scientific(111.7), "1.1×10²"),
        (numbers.shape([1039, 64]), "1,039 × 64"),
    ],
)
def test_numbers_are_written_as_agreed(written: str, expected: str) -> None:
    assert written == expected
