"""One line of an audit: an experiment, its figure beside what popularity guesses, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Key

Verdict = Literal["PASS", "FAIL", "KNOWN LIMIT", "DOES NOT APPLY"]
Interval = tuple[float, float]
DRAWS = 2000  # of the bootstrap


@dataclass(frozen=True)
class Line:
    """What one experiment found.

    ``figure`` is compared with ``baseline``, which a reader reaches who has nothing but item popularity; ``interval``:
    95 %; ``unit``: what the figure is; ``target``: what passes; ``rows``: more figures of the same experiment, as a
    table.
    """

    name: str
    verdict: Verdict
    experiment: str
    figure: float | None = None
    baseline: float | None = None
    interval: Interval | None = None
    detail: str = ""
    unit: str = ""
    target: str = ""
    rows: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the line as plain data; what is no number (a training that broke down) becomes null."""
        out: dict[str, Any] = _finite(asdict(self))
        return out


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def number(value: float | None) -> str:
    """Return a figure as it is shown: whole numbers as they are, the others with three decimals."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"


def skipped(name: str, experiment: str, reason: str) -> Line:
    """Return a line for an experiment that does not apply here."""
    return Line(name, "DOES NOT APPLY", experiment, detail=reason)


def judged(passed: bool) -> Verdict:
    """Return PASS or FAIL."""
    return "PASS" if passed else "FAIL"


def mean_interval(values: Sequence[float] | NDArray[np.float64], seed: int) -> Interval:
    """Return the 95 % interval of a mean, by resampling ``values`` (one a person), seeded."""
    listed = np.asarray(values, np.float64)
    if len(listed) < 2:
        return (0.0, 1.0)
    draw = Key(seed, 0, "audit bootstrap").generator()
    means = listed[draw.integers(0, len(listed), (DRAWS, len(listed)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return (float(low), float(high))


def clustered_error(values: NDArray[np.float64], *groups: NDArray[np.int64]) -> float:
    """Return the standard error of a mean whose values depend on each other within each of two groupings.

    Questions about one person are alike, and so are those about one item, whose noise they share (Cameron, Gelbach,
    Miller, "Robust Inference With Multiway Clustering", 2011: the variances by group add, that of single values is in
    both and taken off once).
    """
    apart = values - values.mean()
    alone = float(np.square(apart).sum())
    by_group = [float(np.square(np.bincount(np.unique(g, return_inverse=True)[1], apart)).sum()) for g in groups]
    total = sum(by_group) - (len(groups) - 1) * alone
    return float(np.sqrt(max(total, *by_group, alone))) / len(values)


def auc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """Return P(a positive's score is higher than a negative's), ties one half."""
    both = np.sort(negative)
    below = np.searchsorted(both, positive, side="left")
    upto = np.searchsorted(both, positive, side="right")
    return float((below + upto).mean() / 2 / len(negative))


def auc_interval(positive: NDArray[np.float64], negative: NDArray[np.float64], seed: int) -> Interval:
    """Return the 95 % interval of ``auc``, by resampling both groups, seeded."""
    draw = Key(seed, 0, "audit bootstrap").generator()
    found = [
        auc(
            positive[draw.integers(0, len(positive), len(positive))],
            negative[draw.integers(0, len(negative), len(negative))],
        )
        for _ in range(DRAWS // 4)
    ]
    low, high = np.quantile(found, [0.025, 0.975])
    return (float(low), float(high))
