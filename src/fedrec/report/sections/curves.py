"""Quality against rounds, against megabytes, against seconds."""

from __future__ import annotations

from fedrec.report import plots
from fedrec.report.cells import section, series
from fedrec.report.document import Curve, Document, Point
from fedrec.report.markup import Child, Html, tag

AXES = (("round", "rounds"), ("megabytes", "MB so far, all clients, up and down"), ("seconds", "seconds of training"))
DRAWN = 60  # points a line; more cannot be told apart at this size


def render(document: Document) -> Html | None:
    """Return three charts for each data set, protocol and metric."""
    parts: list[Child] = []
    places = series(document)
    panels: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in document.curves:
        if any(p.value is not None for p in curve.points):
            panels.setdefault((curve.data, curve.protocol, curve.metric), []).append(curve)
    for (data, protocol, metric), curves in panels.items():
        where = ", ".join(w for w in (data, protocol) if w)
        if len(panels) > 1:
            parts.append(tag("h3", f"{where}: {metric}" if where else metric))
        parts.append(_legend(curves, places))
        parts.append(tag("div", [_chart(curves, axis, label, metric, places) for axis, label in AXES], class_="charts"))
    if not parts:
        return None
    first = next(iter(panels))
    under = f" ({first[2]}, {first[1]})" if len(panels) == 1 and first[1] else ""
    lead = (
        f"Quality on the validation part{under} against what it costs. A method that is done early is carried on as a "
        "faint level line."
    )
    return section("curves", "Quality against rounds, traffic and time", *parts, lead=lead)


def _legend(curves: list[Curve], places: dict[str, int]) -> Html:
    names = dict.fromkeys(c.algorithm for c in curves)
    items = [tag("li", plots.key(places[name]), " ", tag("bdi", name)) for name in names]
    return tag("ul", items, class_="legend")


def _chart(curves: list[Curve], axis: str, label: str, metric: str, places: dict[str, int]) -> Html | None:
    lines = []
    for curve in curves:
        points = tuple(
            (float(x), p.value, p.low, p.high)
            for p in thinned([p for p in curve.points if p.value is not None], DRAWN)
            if (x := getattr(p, axis)) is not None and p.value is not None
        )
        if points:
            lines.append(plots.Line(curve.algorithm, places[curve.algorithm], points))
    if not lines:
        return None
    values = [v for line in lines for p in line.points for v in p[1:] if v is not None]
    top = max(values)
    span = (min(0.0, *values), top * 1.05 if top > 0 else 1.0)
    ends = "; ".join(f"{x.name} {x.points[-1][1]:.3f} at {x.points[-1][0]:.4g}" for x in lines)
    return tag("figure", plots.chart(lines, label, metric, f"{metric} against {label}: {ends}", span, axis == "round"))


def thinned(points: list[Point], most: int) -> list[Point]:
    """Return at most about ``most`` points, evenly spaced, always with the last."""
    every = -(-len(points) // most) if most > 0 else 1
    return points if every <= 1 else [p for k, p in enumerate(points) if (len(points) - 1 - k) % every == 0]
