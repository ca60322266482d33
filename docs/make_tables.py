"""Regenerate every table of README.md and docs/ that comes from code or from benchmarks/results.

    python docs/make_tables.py            write the files
    python docs/make_tables.py --check    exit 1 where a file is not up to date

A block ``<!-- table: NAME -->`` .. ``<!-- end -->`` holds what the function NAME below returns. A result file is JSON
with ``command``; rows (``rows``) that name ``data``, ``protocol`` and ``algorithm`` and hold metrics, themselves or
under ``test``, are quality figures and appear in the README; ``target`` is what the project asked for, ``reached``
whether it was.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from math import log2
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
    """Return the committed result files that name their command, by name."""
    found = {}
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "command" in content:
            found[path.stem] = content
    return found


def rows_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a result file; none where it holds single values."""
    rows = content.get("rows")
    if isinstance(rows, dict):
        return [_named(name, row, content) for name, row in rows.items()]
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _named(name: str, row: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Return a row called "protocol, algorithm" with means and deviations in percent, in fractions and spelled out."""
    from fedrec.algorithms.registry import BUILT_IN

    protocol, _, variant = name.partition(", ")
    algorithm = variant if variant in BUILT_IN else f"pfedrec, {variant}"
    out: dict[str, Any] = {"data": content["data"]["name"], "protocol": protocol, "algorithm": algorithm}
    for metric in [k for k in row if METRIC.match(k)]:
        out |= {metric: row[metric]["mean"] / 100, f"{metric} sd": row[metric]["sd"] / 100}
    target = row.get("target", {})
    asked = pairs({k: v / 100 for k, v in target.items() if METRIC.match(k)}, 3)
    if "tolerance" in target:
        asked += f" +-{target['tolerance'] / 100:.3f}"
    rest = {k: row[k] for k in ("settings", "reached") if k in row}
    return out | {"seeds": len(row.get("seeds", [])), "target": asked} | rest


def quality(row: dict[str, Any]) -> dict[str, float]:
    """Return the metrics of a quality figure, none for any other row."""
    if not all(name in row for name in NAMES):
        return {}
    return {k: v for k, v in {**row, **row.get("test", {})}.items() if METRIC.match(k)}


def pairs(values: Any, digits: int) -> str:
    """Return metrics as text: ``hr@10 .3031, ndcg@10 .2117``; text stays as it is."""
    if not isinstance(values, dict):
        return str(values or "")
    return ", ".join(f"{k} {v:.{digits}f}" for k, v in sorted(values.items(), key=lambda kv: _metric_order(kv[0])))


def figures() -> str:
    """Return the README's table: one line a quality figure."""
    rows = [row for content in results().values() for row in rows_of(content) if quality(row) and "epsilon" not in row]
    if not rows:
        return "No figure has been measured and committed yet.\n"
    columns = ["data", "protocol", "algorithm", "measured", "asked for", "rounds", "up a round", "to the twin"]
    body = []
    for row in rows:
        label = row["algorithm"] + row.get("name", "").rpartition(row["algorithm"])[2]
        if row.get("seeds"):
            label += f" (mean of {row['seeds'] if isinstance(row['seeds'], int) else len(row['seeds'])} seeds)"
        asked = pairs(row.get("target"), 3)
        if asked and row.get("reached") is False:
            asked += " (**not reached**)"
        twin = row.get("twin_difference")
        rounds = row.get("rounds")
        body.append([
            str(row["data"]), str(row["protocol"]), str(label), pairs(quality(row), 4), asked,
            str(rounds) if isinstance(rounds, int) else "", _bytes(row["bytes_up"]) if "bytes_up" in row else "",
            "" if twin is None else f"{twin:.0e}" if twin else "0",
        ])  # fmt: skip
    return table(columns, body) + "\n"


def _metric_order(key: str) -> tuple[bool, bool, int]:
    name, _, rest = key.partition("@")
    return ("[" in rest, name == "ndcg", int(rest.split("[")[0]))


def benchmarks() -> str:
    """Return every result file: its command, its environment, its rows or its values."""
    parts = []
    for name, content in results().items():
        parts.append(f"### {name.replace('_', ' ')}\n")
        if content.get("title"):
            parts.append(f"{content['title']}\n")
        parts.append(f"```sh\n{content['command']}\n```\n")
        if isinstance(content.get("environment"), dict):
            parts.append(f"Measured with {cell(content['environment'])}.\n")
        rows = [_flat({k: v for k, v in row.items() if k != "settings"}) | _settings(row) for row in rows_of(content)]
        if rows:
            columns = list(dict.fromkeys(k for row in rows for k in row))
            parts.append(table(columns, [[cell(row.get(c)) for c in columns] for row in rows]) + "\n")
        else:
            values = _flat({k: v for k, v in content.items() if k not in ("command", "environment", "title")})
            parts.append(table(["what", "value"], [[k, cell(v)] for k, v in values.items()]) + "\n")
        parts += [f"{note}\n" for note in content.get("notes", []) if rows]
    return "\n".join(parts) if parts else "No figure has been measured and committed yet.\n"


def _settings(row: dict[str, Any]) -> dict[str, Any]:
    return {"settings": cell(row["settings"])} if "settings" in row else {}


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


def sensitivity() -> str:
    """Return what one person can add to each statistic, by default and as it may be released with noise."""
    from fedrec.algorithms.registry import BUILT_IN, get
    from fedrec.contract import Catalog

    rows = []
    for name in BUILT_IN:
        kind = get(name)
        cases = [("default", {}), ("with noise", dict(kind.dp))] if kind.dp is not None else [("default", {})]
        for label, chosen in cases:
            for phase in kind(**chosen).plan(Catalog(1_039, 2_593)):
                for stat, s in phase.stats.items():
                    l2 = s.l2 if s.l2 is not None else phase.clip
                    rows.append([
                        f"`{name}`", label, stat, str(phase.rounds), "none" if l2 is None else f"{l2:.4g}",
                        f"{s.linf:.4g}", "whole numbers" if s.counts else f"2^{log2(s.quantum(2_593)):.0f}",
                    ])  # fmt: skip
    columns = ["algorithm", "settings", "statistic", "rounds", "L2", "L-infinity", "one step"]
    return table(columns, rows, {"rounds", "L2", "L-infinity"}) + "\n"


def mutations() -> str:
    """Return the ways in which the sum was broken on purpose, and what notices each."""
    sys.path.insert(0, str(ROOT))
    from tests.privacy.mutations import MUTATIONS

    rows = [[what, f"`{file}`", f"`{guard}`"] for what, file, _, _, guard in MUTATIONS]
    return table(["broken", "where", "noticed by"], rows) + "\n"


def secure_defects() -> str:
    """Return the defects seeded into the secure sum, and the guard that notices each."""
    sys.path.insert(0, str(ROOT))
    from tests.privacy.secure_mutations import MUTATIONS

    rows = [[what, f"`privacy/secure/{file}`", f"`guard_{guard}`"] for what, (file, _, _, guard) in MUTATIONS.items()]
    return table(["defect", "where", "noticed by"], rows) + "\n"


EPSILONS = (8, 4, 2, 1)


HEADLINE = ("ML-1M slist-private", "gift-shop slist-private", "ml-1m dpals")


def private_headline() -> str:
    """Return the README's few lines of private_figures."""
    return private_figures(HEADLINE)


def private_figures(only: tuple[str, ...] = ()) -> str:
    """Return the quality of private models by epsilon, as the mechanism that ships measured it."""
    found = [r for r in rows_of(results().get("private_quality", {})) if r["masks"] == "simulated"]
    lines: dict[str, dict[Any, str]] = {}
    for row in found:
        label = re.sub(r", epsilon [\d.]+", "", row["name"])
        metric = next(k for k in row if METRIC.match(k))
        value = f"{row[metric]:.4f}"
        if "share of ials without noise" in row:
            value += f" = {row['share of ials without noise']:.1%}"
        asked = row.get("target")
        if asked:
            wanted = f"{asked[metric]:.3f}" if isinstance(asked, dict) else str(asked).split()[0]
            value += f" (asked {wanted}{'' if row['reached'] else ', **not reached**'})"
        lines.setdefault(label, {"metric": metric})[int(row["epsilon"])] = value
    body = [
        [label, x["metric"], *(x.get(e, "") for e in EPSILONS)]
        for label, x in lines.items()
        if not only or label in only
    ]
    columns = ["data and algorithm", "metric", *(f"epsilon {e}" for e in EPSILONS)]
    return table(columns, body) + "\n" if body else "Not measured yet.\n"


def attackers() -> str:
    """Return what attackers find, in short: benchmarks.md has every row."""

    def kept(row: dict[str, Any]) -> bool:
        name, what = row["experiment"], row["what"]
        return (
            name.startswith(("raw", "canaries"))
            or (name.startswith("linked") and what.startswith("100 clients"))
            or (name.startswith("inference") and ", epsilon" in name and "everybody" not in what)
        )

    body = [
        [row["experiment"], row["what"], *(cell(row[k]) for k in ("figure", "low", "high", "beside"))]
        for row in rows_of(results().get("privacy_attacks", {}))
        if kept(row)
    ]
    return table(["experiment", "what", "figure", "from", "to", "beside"], body) + "\n"


def poisoning() -> str:
    """Return how often the oracle's fakes put their items before honest people, by set-up and share of fakes."""
    cells = results().get("poisoning", {}).get("cells", {})
    lines: dict[str, dict[str, Any]] = {}
    for key, found in cells.items():
        setup, attack, share = (part.strip() for part in key.split("|"))
        if attack in ("none", "oracle boost"):
            lines.setdefault(setup, {})["none" if attack == "none" else share] = found
    body = [
        [setup, cell(x["none"]["ndcg@20"]), *(cell(x[s]["er@10"]) if s in x else "" for s in ("0.1%", "1.0%", "5.0%"))]
        for setup, x in lines.items()
        if "none" in x and len(x) > 1 and setup != "dpals, no bound"  # a huge row defeats itself: no worst case
    ]
    columns = ["set-up", "ndcg@20 without fakes", "ER@10, 0.1 % fakes", "1 %", "5 %"]
    return table(columns, body) + "\n"


def public_figures() -> str:
    """Return, for comparison, what the same data and protocols give without privacy."""
    rows = [r for name in ("figures", "ials_figures", "private_dpals") for r in rows_of(results().get(name, {}))]
    wanted = ("popularity", "markov", "ease", "ials", "slist")
    body = [
        [str(r["data"]), str(r["protocol"]), str(r["name"]), pairs(quality(r), 4)]
        for r in rows
        if quality(r) and not r.get("epsilon") and r["algorithm"] in wanted
        and r["data"] in ("quickstart", "ml-1m", "ml-100k") and not str(r["protocol"]).startswith("pfedrec")
    ]  # fmt: skip
    return table(["data", "protocol", "without privacy", "measured"], body) + "\n"


def round_defects() -> str:
    """Return the defects seeded into noise and masks of a round, and the guard that notices each."""
    sys.path.insert(0, str(ROOT))
    from tests.privacy.round_mutations import MUTATIONS

    rows = [[what, f"`{file}`", f"`{guard}`"] for what, file, _, _, guard in MUTATIONS]
    return table(["defect", "where", "noticed by"], rows) + "\n"


def mechanism_defects() -> str:
    """Return the defects seeded into noise, accountant and ledger, and the guard that notices each."""
    sys.path.insert(0, str(ROOT))
    from tests.privacy.test_mechanism_mutations import MUTATIONS

    rows = [[what, f"`{file}`", f"`{guard.__name__}`"] for what, file, _, _, guard in MUTATIONS]
    return table(["defect", "where", "noticed by"], rows) + "\n"


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
    f.__name__: f
    for f in (
        figures, benchmarks, algorithms, differs, settings, sensitivity, mutations, secure_defects, round_defects,
        mechanism_defects, private_figures, private_headline, public_figures, attackers,
        poisoning, laws,
    )
}  # fmt: skip


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
