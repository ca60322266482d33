"""Inline SVG plots of our own: they print, follow the page's light or dark colours and need no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fedrec.report.markup import Html, join, tag

SERIES = 8  # colours; the shape of the marker and the dashes tell series apart without colour
_DASHES = (None, "6 3", "2 3", "8 3 2 3")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380.0, 256.0, 44.0, 14.0, 26.0, 40.0


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis from values to pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; values outside the axis sit on its ends."""
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        share = 0.5 if high == low else (value - low) / (high - low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round numbers inside the axis, at most about six."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.floor(math.log10(self.high) + 1e-9)
            factors = (1,) if last - first >= 3 else (1, 3) if last - first == 2 else (1, 2, 5)
            step = max(1, math.ceil((last - first) / 6))
            found = [m * 10.0**p for p in range(first, last + 1, step) for m in factors]
            return [v for v in found if self.low * 0.999 <= v <= self.high * 1.001]
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        raw = span / 4
        power = 10.0 ** math.floor(math.log10(raw))
        step_size = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
        step_size = max(step_size, 1.0) if self.whole else step_size
        first = math.ceil(self.low / step_size - 1e-9)
        return [k * step_size for k in range(first, math.floor(self.high / step_size + 1e-9) + 1)]


@dataclass(frozen=True)
class Line:
    """One series: its name, its place in the palette, its points (x, y, low, high)."""

    name: str
    index: int
    points: tuple[tuple[float, float, float | None, float | None], ...]


def marker(index: int, x: float, y: float, r: float = 4.0) -> Html:
    """Return the marker of a series, centred at (x, y)."""
    kind, c = index % SERIES, f"s{index % SERIES} mark"
    if kind == 0:
        return tag("circle", cx=x, cy=y, r=r, class_=c)
    if kind == 1:
        return tag("rect", x=x - r * 0.9, y=y - r * 0.9, width=1.8 * r, height=1.8 * r, class_=c)
    corners = {
        2: [(0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
        3: [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        4: [(0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
        5: [(-1.2, 0), (0.8, 1.1), (0.8, -1.1)],
        6: [(1.2, 0), (-0.8, 1.1), (-0.8, -1.1)],
        7: [(-1.2, -0.4), (1.2, -0.4), (1.2, 0.4), (-1.2, 0.4)],
    }[kind]
    return tag("polygon", points=" ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in corners), class_=c)


def key(index: int) -> Html:
    """Return the swatch of a series for a legend: its line and its marker."""
    line = tag("path", d="M1 7H27", class_=f"s{index % SERIES} line", stroke_dasharray=_DASHES[index // 2 % 4])
    return tag("svg", line, marker(index, 14.0, 7.0), viewBox="0 0 28 14", width=28, height=14, aria_hidden="true")


def chart(
    lines: Sequence[Line], x_label: str, y_label: str, summary: str, span: tuple[float, float], whole: bool = False
) -> Html:
    """Return a line chart; x is logarithmic where the values span more than a factor of 30.

    ``span``: the ends of the y axis; ``whole``: x counts something, so its ticks are whole numbers.
    A series that ends early is carried on as a faint level line, so that one-round methods can be compared.
    """
    xs = [p[0] for line in lines for p in line.points]
    positive = [x for x in xs if x > 0]
    log = bool(positive) and len(positive) == len(xs) and max(xs) / min(positive) > 30
    low = min(positive) if log else 0.0
    across = Scale(
        low, max(xs) * (1.0 if max(len(line.points) for line in lines) > 1 else 1.15), LEFT, WIDTH - RIGHT, log, whole
    )
    up = Scale(span[0], span[1], HEIGHT - BOTTOM, TOP)
    body = [_grid(across, up), *(_line(line, across, up) for line in lines)]
    middle = (LEFT + WIDTH - RIGHT) / 2
    body.append(tag("text", x_label, x=middle, y=HEIGHT - 6, class_="axis", text_anchor="middle"))
    body.append(tag("text", y_label, x=4.0, y=11.0, class_="axis"))
    return tag("svg", *body, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img", aria_label=summary, class_="chart")


def _grid(across: Scale, up: Scale) -> Html:
    out = []
    for value in up.ticks():
        y = up(value)
        out.append(tag("path", d=f"M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}", class_="grid"))
        out.append(tag("text", _tick(value), x=LEFT - 6, y=y + 4, class_="tick", text_anchor="end"))
    base = HEIGHT - BOTTOM
    out.append(tag("path", d=f"M{LEFT:g} {base:g}H{WIDTH - RIGHT:g}", class_="base"))
    for value in across.ticks():
        x = across(value)
        out.append(tag("path", d=f"M{x:.1f} {base:g}v4", class_="base"))
        out.append(tag("text", _tick(value), x=x, y=base + 16, class_="tick", text_anchor="middle"))
    return join(out)


def _line(line: Line, across: Scale, up: Scale) -> Html:
    index = line.index
    places = [(across(x), up(y)) for x, y, _, _ in line.points]
    band = [(across(x), up(lo), up(hi)) for x, _, lo, hi in line.points if lo is not None and hi is not None]
    out = []
    if len(band) > 1:
        there = " ".join(f"{x:.1f},{b:.1f}" for x, _, b in band)
        back = " ".join(f"{x:.1f},{a:.1f}" for x, a, _ in reversed(band))
        out.append(tag("polygon", points=f"{there} {back}", class_=f"s{index % SERIES} band"))
    x, y = places[-1]
    if across.end - x > 6:
        out.append(tag("path", d=f"M{x:.1f} {y:.1f}H{across.end:g}", class_=f"s{index % SERIES} level"))
    if len(places) > 1:
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
        out.append(tag("path", d=path, class_=f"s{index % SERIES} line", stroke_dasharray=_DASHES[index // 2 % 4]))
    every = max(1, len(places) // 8)  # a marker now and then, always on the last point
    out.extend(marker(index, a, b, 3.4) for k, (a, b) in enumerate(places) if (len(places) - 1 - k) % every == 0)
    return tag("g", tag("title", line.name), *out)


def _tick(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if abs(value) >= 1e4 else f"{value:,.4g}"


def interval(
    value: float, low: float | None, high: float | None, span: tuple[float, float], zero: bool = False
) -> Html:
    """Return a dot with its interval on a common axis ``span``, small enough for a table cell."""
    place = Scale(span[0], span[1], 5.0, 85.0)
    parts = [tag("path", d="M5 9H85", class_="grid")]
    if zero:
        parts.append(tag("path", d=f"M{place(0.0):.1f} 1v16", class_="base"))
    if low is not None and high is not None:
        parts.append(tag("path", d=f"M{place(low):.1f} 9H{place(high):.1f}", class_="whisker"))
    parts.append(tag("circle", cx=place(value), cy=9, r=4, class_="dot"))
    return tag("svg", *parts, viewBox="0 0 90 18", width=90, height=18, aria_hidden="true", class_="mini")


def bar(value: float, top: float, kind: str = "") -> Html:
    """Return a bar as wide as its box lets it be; ``top`` is a full bar."""
    share = 0.0 if top <= 0 else min(max(value / top, 0.0), 1.0)
    track = tag("rect", x=0, y=0, width=100, height=8, class_="track")
    filled = tag("rect", x=0, y=0, width=100 * share, height=8, class_=f"fill {kind}".strip())
    box = {"viewBox": "0 0 100 8", "preserveAspectRatio": "none", "aria_hidden": "true", "class_": "bar"}
    return tag("svg", track, filled, **box)


def spread(p10: float, p50: float, p90: float, top: float) -> Html:
    """Return the range from the 10th to the 90th percentile with the median marked."""
    place = Scale(0.0, top, 5.0, 85.0)
    parts = [
        tag("path", d="M5 9H85", class_="grid"),
        tag("path", d=f"M{place(p10):.1f} 9H{place(p90):.1f}", class_="thick"),
        tag("path", d=f"M{place(p50):.1f} 2v14", class_="median"),
    ]
    return tag("svg", *parts, viewBox="0 0 90 18", width=90, height=18, aria_hidden="true", class_="mini")
