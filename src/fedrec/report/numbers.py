"""How numbers are written, in one place, so that a terminal, a paper and the page show the same digits."""

from __future__ import annotations

import math
from dataclasses import dataclass

MINUS = "\u2212"
NONE = "\u2013"
DIGITS = 3
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Shown:
    """A number in a table: the exact value for files, the text for eyes."""

    value: float | int | None
    text: str


def fraction(value: float | None, digits: int = DIGITS) -> str:
    """Return a metric, e.g. 0.128."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = DIGITS) -> str:
    """Return a difference with its sign, e.g. +0.035."""
    if value is None:
        return NONE
    text = f"{value:+.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", MINUS)


def percent(value: float | None) -> str:
    """Return a fraction for prose, e.g. 12.8 %."""
    return NONE if value is None else f"{100 * value:.1f}\u00a0%".replace("-", MINUS)


def count(value: float | None) -> str:
    """Return a whole number with separators, e.g. 2,593."""
    return NONE if value is None else f"{value:,.0f}".replace("-", MINUS)


def kilobytes(value: float | None) -> str:
    """Return bytes in kB (10^3 bytes), one decimal below 100, e.g. 6,478 or 12.5."""
    if value is None:
        return NONE
    return f"{value / 1e3:,.0f}" if value >= 99_950 or value == 0 else f"{value / 1e3:.1f}"


def size(value: float | None) -> str:
    """Return bytes with the unit that reads best (powers of 10), e.g. 6.5 MB."""
    if value is None:
        return NONE
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= 0.9995 * factor:
            return f"{value / factor:.3g} {unit}" if value < 999.5 * factor else f"{value / factor:,.0f} {unit}"
    return f"{value:,.0f} B"


def seconds(value: float | None) -> str:
    """Return seconds, two significant digits below 10, e.g. 3.1 or 124."""
    if value is None:
        return NONE
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.95 or value == 0 else f"{value:.2f}"


def probability(value: float | None) -> str:
    """Return a p value, e.g. 0.012 or <0.001."""
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def scientific(value: float | None) -> str:
    """Return a small or large number by its order, e.g. 3.1×10⁻⁹."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -3 <= exponent < 2:
        return f"{value:.2g}".replace("-", MINUS)
    mantissa, _, power = f"{value:.1e}".partition("e")
    return f"{mantissa.replace('-', MINUS)}×10{str(int(power)).translate(_SUPERSCRIPT)}"


def shape(value: list[int]) -> str:
    """Return an array's shape, e.g. 1,039 × 1,039; a single number for no axes."""
    return " × ".join(f"{n:,}" for n in value) if value else "1"
