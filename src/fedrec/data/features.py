"""Public features of items, from their titles and their side table: nothing here reads an interaction."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import Dataset

FloatArray = NDArray[np.float64]
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_BRACKETS = re.compile(r"\([^)]*\)")
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+")
YEARS = 2.0  # years: standard deviation of the smoothing of a release year, and distance of the centres
DECADE = 5.0  # years: the same for the crossing with genres, spread and distance of centres
CODES = 4.0  # places in the catalogue: standard deviation of the smoothing of a product code
WORDS = 0.7  # weight of the title's words against each other block


def public_features(data: Dataset, rarest: int = 2) -> NDArray[np.float32] | None:
    """Return (n_items, f) float32 features of the catalogue, None where it says nothing of its items.

    Blocks of unit length, side by side: words of the title (at least ``rarest`` items, weighted by log(n / items)),
    genres, smoothed release year and genre by decade, smoothed place in the order of product codes. Ids and prices
    are left out: ids may have been given in the order of the interactions, prices may be medians of them.
    """
    blocks = []
    titles = data.titles
    if titles is not None:
        blocks.append(WORDS * _words(titles, rarest))
    genres, years = _genres(data), _years(titles)
    blocks += [block for block in (genres, _smooth(years, YEARS, YEARS)) if block is not None]
    decades = _smooth(years, DECADE, DECADE)
    if genres is not None and decades is not None:
        blocks.append((genres[:, :, None] * decades[:, None, :]).reshape(len(genres), -1))
    codes = _codes(data)
    if codes is not None:
        blocks.append(codes)
    blocks = [block[:, block.any(axis=0)] for block in blocks]
    width = sum(block.shape[1] for block in blocks)
    return np.concatenate(blocks, axis=1).astype(np.float32) if width else None


def _words(titles: list[str], rarest: int) -> FloatArray:
    """Return words by tf-idf with counts of 0 or 1, rows of unit length."""
    said = [set(_WORD.findall(_BRACKETS.sub(" ", title.lower()))) for title in titles]
    counts = Counter(word for words in said for word in words)
    known = {word: k for k, word in enumerate(sorted(w for w, c in counts.items() if c >= rarest))}
    out = np.zeros((len(titles), len(known)))
    for row, words in enumerate(said):
        for word in words & known.keys():
            out[row, known[word]] = np.log(len(titles) / counts[word])
    return _unit(out)


def _genres(data: Dataset) -> FloatArray | None:
    """Return the labels of a column named genre or genres, rows of unit length."""
    if data.items is None:
        return None
    name = next((c for c in data.items.columns[1:] if c.lower() in ("genre", "genres", "categories")), None)
    if name is None:
        return None
    texts = [str(text or "") for text in data.items[name].to_list()]
    split = "|" if any("|" in text for text in texts) else None
    labels = [{label for label in text.split(split) if label} for text in texts]
    known = {label: k for k, label in enumerate(sorted(set().union(*labels)))}
    out = np.zeros((len(labels), len(known)))
    for row, mine in enumerate(labels):
        out[row, [known[label] for label in mine]] = 1.0
    return _unit(out)


def _years(titles: list[str] | None) -> FloatArray | None:
    """Return the year at the end of each title, "Toy Story (1995)"; NaN where there is none; None: rarely there."""
    found = [_YEAR.search(title) for title in titles or []]
    if sum(match is not None for match in found) * 2 < max(len(found), 1):
        return None
    return np.array([np.nan if match is None else float(match.group(1)) for match in found])


def _smooth(values: FloatArray | None, spread: float, step: float) -> FloatArray | None:
    """Return bumps of width ``spread`` around each value at centres ``step`` apart, rows of unit length."""
    if values is None:
        return None
    centres = np.arange(np.nanmin(values), np.nanmax(values) + step, step)
    out = np.exp(-0.5 * ((values[:, None] - centres) / spread) ** 2)
    return _unit(np.nan_to_num(out))


def _codes(data: Dataset) -> FloatArray | None:
    """Return the smoothed place of each product code (a column such as stock_code) among all, by its first number.

    A shop numbers the products of one range one after the other.
    """
    if data.items is None:
        return None
    name = next((c for c in data.items.columns[1:] if c.lower() in ("stock_code", "sku", "product_code")), None)
    if name is None:
        return None
    found = [_NUMBER.search(str(code)) for code in data.items[name].to_list()]
    numbers = np.array([np.nan if match is None else float(match.group()) for match in found])
    place = np.unique(numbers[~np.isnan(numbers)]).searchsorted(numbers).astype(np.float64)
    return _smooth(np.where(np.isnan(numbers), np.nan, place), CODES, CODES)


def _unit(rows: FloatArray) -> FloatArray:
    """Return rows divided by their length, empty ones as they are."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
