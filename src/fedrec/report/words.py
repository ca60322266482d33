"""The answer in plain sentences, and what the metrics mean; used by the page and by the terminal."""

from __future__ import annotations

import re

from fedrec.report.document import Arms, Document, Estimate, Result, Shop, Shops
from fedrec.report.numbers import count, fraction, percent, scientific, signed

_MEANING = {
    "recall": "of the held-out items, the share among the first {k} suggestions",
    "hr": "the share of customers with a held-out item among the first {k} suggestions",
    "ndcg": "finding the held-out items among the first {k}, and the higher up the better; 1 is perfect",
    "precision": "of the first {k} suggestions, the share that was held out",
    "mrr": "one over the rank of the first held-out item, if it is among the first {k}",
    "map": "mean precision at the held-out items among the first {k}",
    "coverage": "the share of the catalogue that appears in anybody's first {k}",
}


def meaning(metric: str) -> str:
    """Return what a metric is in plain words, e.g. for recall@20; empty for an unknown one."""
    found = re.fullmatch(r"([a-z]+)@(\d+)(?:\[(\d+)\])?", metric)
    if found is None or found[1] not in _MEANING:
        return ""
    sampled = f" (ranked against {found[3]} sampled items only)" if found[3] else ""
    return _MEANING[found[1]].format(k=found[2]) + sampled


def sentences(document: Document) -> list[str]:
    """Return the summary: the writer's own, or one made from the shops and the results."""
    if document.summary:
        return list(document.summary)
    return [*_shops(document.shops), *_customers(document)]


def _shops(shops: Shops | None) -> list[str]:
    if shops is None or not shops.rows or not shops.algorithms:
        return []
    algorithm = shops.algorithms[0]
    out = []
    for row in answers(shops):
        arms = row.scores.get(algorithm)
        if arms is not None and arms.alone.value is not None and arms.federated.value is not None:
            out.append(_answer(row, arms, shops.metric, algorithm))
    return out


def answers(shops: Shops) -> list[Shop]:
    """Return the rows that answer the question: the totals, then the largest single shop."""
    single = [row for row in shops.rows if not row.total]
    largest = max(single, key=lambda row: row.users or 0, default=None)
    return [row for row in shops.rows if row.total] + ([largest] if largest is not None else [])


def _answer(row: Shop, arms: Arms, metric: str, algorithm: str) -> str:
    who = f"{row.name} ({count(row.users)} customers)" if row.users is not None else row.name
    both = f"{percent(arms.federated.value)} federated with {algorithm} and {percent(arms.alone.value)} alone"
    found = re.fullmatch(r"(recall|hr)@(\d+)", metric)
    text = f"{who}: {metric} is {both}"
    if found is not None:
        text = f"{who}: of what they bought next, the first {found[2]} suggestions hold {both}"
        if found[1] == "hr":
            text = f"{who}: the first {found[2]} suggestions hold something they bought next for {both}"
    text += f", {_gain(arms.gain)}." if arms.gain.value is not None else "."
    if arms.pooled.value is not None and arms.federated.value is not None:
        apart = abs(arms.pooled.value - arms.federated.value)
        gives = "the same" if apart < 0.0005 else percent(arms.pooled.value)
        text += f" Pooling all purchases in one place gives {gives}."
    return text


def _gain(gain: Estimate) -> str:
    value = gain.value or 0.0
    direction = "gain" if value >= 0 else "loss"
    text = f"a {direction} of {abs(100 * value):.1f} points"
    if gain.low is None or gain.high is None:
        return text
    span = f"95\u00a0% interval {signed(100 * gain.low, 1)} to {signed(100 * gain.high, 1)}"
    unclear = gain.low <= 0 <= gain.high
    return f"{text} ({span}{', so it may be nothing' if unclear else ''})"


def _customers(document: Document) -> list[str]:
    """Say which federated algorithm leads under the headline protocol, beside popularity and its twin."""
    rows = headline(document)
    if not rows:
        return []
    metric = next(iter(rows[0].metrics), "")
    fair = [r for r in rows if r.role == "federated" and not r.flag and _value(r, metric) is not None]
    if not fair:
        return []
    best = max(fair, key=lambda r: _value(r, metric) or 0.0)
    start = "With one customer as one client" if document.shops is not None else f"On {best.data}"
    text = f"{start}, {best.algorithm} is best under {best.protocol}: {metric} {fraction(_value(best, metric))}"
    popular = next((r for r in rows if r.algorithm == "popularity" and r is not best), None)
    if popular is not None and _value(popular, metric) is not None:
        text += f", popularity {fraction(_value(popular, metric))}"
    if best.max_relative_difference is not None:
        apart = scientific(best.max_relative_difference)
        text += f". Its scores and those of the centralised twin differ by at most {apart} of the largest score"
    out = [text + "."]
    flagged = list(dict.fromkeys(f"{r.algorithm} under {r.protocol}" for r in document.results if r.flag))
    if flagged:
        out.append(f"Do not trust: {', '.join(flagged)}; the reason stands beside each number.")
    return out


def headline(document: Document) -> list[Result]:
    """Return the results on the first data set under the first protocol."""
    if not document.results:
        return []
    first = document.results[0]
    protocols = [p.name for p in document.protocols if p.data in ("", first.data)]
    with_results = {r.protocol for r in document.results if r.data == first.data}
    protocol = next((p for p in protocols if p in with_results), first.protocol)
    return [r for r in document.results if (r.data, r.protocol) == (first.data, protocol)]


def _value(result: Result, metric: str) -> float | None:
    found = result.metrics.get(metric)
    return None if found is None else found.value
