"""Paired bootstrap over people: intervals of means and of differences, and Holm's correction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Key

FloatArray = NDArray[np.float64]
RESAMPLES = 1000
BLOCK = 100  # resamples drawn at a time
KEPT = 10_000  # people up to whom the draws are kept for the next metric


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
    blocks = [_draws(len(values), seed, first) for first in range(0, resamples, BLOCK)]
    return np.concatenate([block @ values for block in blocks])[:resamples] / len(values)


@lru_cache(maxsize=2 * RESAMPLES // BLOCK)
def _cached_draws(n: int, seed: int, first: int) -> NDArray[np.float32]:
    draws = Key(seed, first, "bootstrap").generator().integers(0, n, (BLOCK, n))
    return np.stack([np.bincount(row, minlength=n) for row in draws]).astype(np.float32)


def _draws(n: int, seed: int, first: int) -> NDArray[np.float32]:
    """Return how often each person is drawn in BLOCK resamples, (BLOCK, n); the same for every metric."""
    return _cached_draws(n, seed, first) if n <= KEPT else _cached_draws.__wrapped__(n, seed, first)


def holm(p: list[float]) -> list[float]:
    """Return Holm's step-down corrected p values, in the order given (Holm 1979)."""
    order = np.argsort(p)
    out = [0.0] * len(p)
    worst = 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[index]))
        out[index] = worst
    return out
