"""One line of an audit: an experiment, its figure beside what popularity guesses, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
        """Return the line as plain data."""
        return asdict(self)


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
