"""Regenerate every table of README.md and docs/ that comes from code or from benchmarks/results.

    python docs/make_tables.py            write the files
    python docs/make_tables.py --check    exit 1 where a file is not up to date

A block ``<!-- table: NAME -->`` .. ``<!-- end -->`` holds what the function NAME below returns. A result file is JSON
with ``command`` and ``rows``; rows that name ``data``, ``protocol`` and ``algorithm`` and hold metrics are quality
figures and appear in the README; ``target`` in a row, if any, is what the project asked for.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
METRIC = re.compile(r"^(hr|ndcg|recall)@\d+(\[\d+\])?$")
NAMES = ("data", "protocol", "algorithm")


def table(columns: list[str], rows: list[list[str]], right: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    """Return a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |"]
    lines.append("| " + " | ".join("---:" if c in right else "---" for c in columns) + " |")
    lines += ["| " + " | ".join(x.replace("|", "\\|") for x in row) + " |" for row in rows]
    return "\n".join(lines)


def cell(value: Any) -> str:
    """Return a value as text: fractions with four digits after the point, larger numbers with four digits."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return " ".join(cell(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {cell(v)}" for k, v in value.items())
    return str(value)


def results() -> dict[str, dict[str, Any]]:
    """Return the committed result files that have a command and rows, by name."""
    found = {}
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "command" in content and isinstance(content.get("rows"), list):
            found[path.stem] = content
    return found


def is_quality(row: dict[str, Any]) -> bool:
    """Return whether a row is a quality figure."""
    return all(name in row for name in NAMES) and any(METRIC.match(k) for k in row)


def figures() -> str:
    """Return the README's table: one row a quality figure."""
    rows = [row for content in results().values() for row in content["rows"] if is_quality(row)]
    if not rows:
        return "No figure has been measured and committed yet.\n"
    keys = sorted({k for row in rows for k in row if METRIC.match(k)}, key=_metric_order)
    columns = ["data", "protocol", "algorithm", *keys]
    with_target = any("target" in row for row in rows)
    body = [
        [row["data"], row["protocol"], row["algorithm"], *(cell(row.get(k)) for k in keys)]
        + ([cell(row.get("target"))] if with_target else [])
        for row in rows
    ]
    return table(columns + (["target"] if with_target else []), body, set(keys)) + "\n"


def _metric_order(key: str) -> tuple[bool, int, str]:
    name, _, rest = key.partition("@")
    return ("[" in rest, int(rest.split("[")[0]), name)


def benchmarks() -> str:
    """Return every result file: its command, its environment, its rows."""
    parts = []
    for name, content in results().items():
        rows = [_flat(row) for row in content["rows"]]
        columns = list(dict.fromkeys(k for row in rows for k in row))
        parts.append(f"### {name.replace('_', ' ')}\n")
        if content.get("title"):
            parts.append(f"{content['title']}\n")
        parts.append(f"```sh\n{content['command']}\n```\n")
        if content.get("environment"):
            parts.append(f"Measured with {cell(content['environment'])}.\n")
        parts.append(table(columns, [[cell(row.get(c)) for c in columns] for row in rows]) + "\n")
        parts += [f"{note}\n" for note in content.get("notes", [])]
    return "\n".join(parts) if parts else "No figure has been measured and committed yet.\n"


def _flat(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in row.items():
        out |= _flat(value, f"{prefix}{key}: ") if isinstance(value, dict) else {prefix + key: value}
    return out


def algorithms() -> str:
    """Return what each algorithm is and what leaves a client, from the code."""
    from fedrec.algorithms.registry import BUILT_IN, get
    from fedrec.contract import Catalog

    columns = ["algorithm", "what it is", "rounds", "a client uploads, each round", "stays with the user", "source"]
    rows = []
    for name in BUILT_IN:
        kind = get(name)
        ledger = kind().explain(Catalog(1_039, 2_593))
        rounds = " + ".join(f"{r} {phase}" for phase, r in ledger.rounds.items())
        sent = []
        for stats in ledger.uploaded.values():
            names = ", ".join(f"{n} {_shape(s)}" for n, (s, _, _) in stats.items())
            sent.append(f"{names}: {_bytes(sum(size for _, size, _ in stats.values()))}")
        kept = ", ".join(f"{n} {_shape(s)}" for n, s in ledger.private.items())
        label = f"`{name}`" + (" (baseline)" if kind.baseline else "")
        rows.append([label, kind.card.summary, rounds or "none", "; then ".join(sent) or "nothing", kept or "nothing",
                     kind.card.source])  # fmt: skip
    return table(columns, rows) + "\n"


def differs() -> str:
    """Return where each algorithm differs from its paper, in its own words."""
    from fedrec.algorithms.registry import BUILT_IN, get

    lines = [
        f"- `{name}`: {get(name).card.differs.removeprefix('Differs from the paper: ')}"
        for name in BUILT_IN
        if get(name).card.differs
    ]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Return every setting of every algorithm with its default and meaning."""
    from fedrec.algorithms.registry import BUILT_IN, get

    rows = []
    for name in BUILT_IN:
        for field, info in get(name).Config.model_fields.items():
            rows.append([f"`{name}`", f"`{field}`", f"`{info.default!r}`", info.description or ""])
    return table(["algorithm", "setting", "default", "meaning"], rows) + "\n"


def mutations() -> str:
    """Return the ways in which the sum was broken on purpose, and what notices each."""
    sys.path.insert(0, str(ROOT))
    from tests.privacy.mutations import MUTATIONS

    rows = [[what, f"`{file}`", f"`{guard}`"] for what, file, _, _, guard in MUTATIONS]
    return table(["broken", "where", "noticed by"], rows) + "\n"


def laws() -> str:
    """Return every law with the tests that check it, from their docstrings."""
    from fedrec.testing import AlgorithmLaws

    rows = []
    for name in sorted(n for n in dir(AlgorithmLaws) if n.startswith(("test_law_", "test_duty_"))):
        doc = " ".join((getattr(AlgorithmLaws, name).__doc__ or "").split()).replace("``", "`")
        law = name.split("_")[2] if name.startswith("test_law_") else "duty"
        rows.append([law, f"`{name}`", doc])
    return table(["law", "test", "what it checks"], rows) + "\n"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{n:,}" for n in shape) or "1"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


TABLES: dict[str, Callable[[], str]] = {
    f.__name__: f for f in (figures, benchmarks, algorithms, differs, settings, mutations, laws)
}


def pages() -> list[Path]:
    """Return the Markdown files that may hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rendered(text: str) -> str:
    """Return a page with its tables made anew."""
    return BLOCK.sub(lambda m: m.group(1) + TABLES[m.group(2)]() + m.group(3), text)


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say which are out of date."""
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        fresh = rendered(text)
        if fresh != text:
            stale.append(page.relative_to(ROOT))
            if "--check" not in arguments:
                page.write_text(fresh, encoding="utf-8")
    for page in stale:
        print(f"{page}: {'not up to date: make docs' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
