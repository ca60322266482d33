"""Paired bootstrap over people: intervals of means and of differences, and Holm's correction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Key

FloatArray = NDArray[np.float64]
RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A mean over people with its 95 % percentile interval; ``p``: two-sided, of a difference being zero."""

    mean: float
    low: float
    high: float
    p: float | None = None


def interval(values: FloatArray, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return the mean of one value a person, (u,) float64, with its bootstrap interval."""
    means = _resampled_means(values, seed, resamples)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def difference(a: FloatArray, b: FloatArray, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return mean(a - b) over the same people, its interval and its p value (paired: people are drawn, not scores)."""
    gap = a - b
    means = _resampled_means(gap, seed, resamples)
    low, high = np.quantile(means, [0.025, 0.975])
    tail = (1 + min(int((means <= 0).sum()), int((means >= 0).sum()))) / (resamples + 1)
    return Interval(float(gap.mean()), float(low), float(high), min(1.0, 2.0 * tail))


def _resampled_means(values: FloatArray, seed: int, resamples: int) -> FloatArray:
    out = np.empty(resamples)
    for first in range(0, resamples, 100):  # in blocks, so that memory stays at 100 x people
        count = min(100, resamples - first)
        draws = Key(seed, first, "bootstrap").generator().integers(0, len(values), (count, len(values)))
        out[first : first + count] = values[draws].mean(axis=1)
    return out


def holm(p: list[float]) -> list[float]:
    """Return Holm's step-down corrected p values, in the order given (Holm 1979)."""
    order = np.argsort(p)
    out = [0.0] * len(p)
    worst = 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[index]))
        out[index] = worst
    return out
