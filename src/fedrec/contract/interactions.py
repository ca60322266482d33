"""What a client knows: one user's history, and many users' histories in CSR form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DAY = 86_400.0


@dataclass(frozen=True)
class History:
    """One user's interactions in time order.

    ``items`` (m,) int32; ``values`` (m,) float32 or None; ``times`` (m,) float64 UTC seconds or None;
    ``avoid`` (k,) int32 or None: items that local negatives must not be drawn from *besides* the history. Honest
    protocols leave it None; ``pfedrec-leaky`` puts the held-out items there to reproduce the published leak.
    """

    items: NDArray[np.int32]
    values: NDArray[np.float32] | None = None
    times: NDArray[np.float64] | None = None
    avoid: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Interactions:
    """Many users' histories, users in rows, each in time order.

    ``users`` (u,) int64 row numbers in the data set (they key the randomness and the private state);
    ``offsets`` (u + 1,) int64; ``items`` (nnz,) int32; ``values`` (nnz,) float32 or None; ``times`` (nnz,) float64 or
    None; ``avoid_offsets`` / ``avoid_items``: see History.avoid.
    """

    n_items: int
    users: NDArray[np.int64]
    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    values: NDArray[np.float32] | None = None
    times: NDArray[np.float64] | None = None
    avoid_offsets: NDArray[np.int64] | None = None
    avoid_items: NDArray[np.int32] | None = None
    _cache: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n_users(self) -> int:
        """Return the number of users."""
        return len(self.users)

    @property
    def n_interactions(self) -> int:
        """Return the number of interactions."""
        return len(self.items)

    def lengths(self) -> NDArray[np.int64]:
        """Return the number of interactions of each user, (u,) int64."""
        return np.diff(self.offsets)

    def history(self, row: int) -> History:
        """Return the history in one row (a row of this object, not a row number of the data set)."""
        a, b = int(self.offsets[row]), int(self.offsets[row + 1])
        avoid = None
        if self.avoid_offsets is not None and self.avoid_items is not None:
            avoid = self.avoid_items[self.avoid_offsets[row] : self.avoid_offsets[row + 1]]
        return History(
            self.items[a:b],
            None if self.values is None else self.values[a:b],
            None if self.times is None else self.times[a:b],
            avoid,
        )

    def histories(self) -> Iterator[tuple[int, History]]:
        """Yield (row number in the data set, history) for each user."""
        for row in range(self.n_users):
            yield int(self.users[row]), self.history(row)

    def slice(self, start: int, stop: int) -> Interactions:
        """Return a contiguous range of users without copying their items."""
        a, b = int(self.offsets[start]), int(self.offsets[stop])
        avoid_offsets = avoid_items = None
        if self.avoid_offsets is not None and self.avoid_items is not None:
            low, high = int(self.avoid_offsets[start]), int(self.avoid_offsets[stop])
            avoid_offsets, avoid_items = self.avoid_offsets[start : stop + 1] - low, self.avoid_items[low:high]
        return Interactions(
            self.n_items,
            self.users[start:stop],
            self.offsets[start : stop + 1] - a,
            self.items[a:b],
            None if self.values is None else self.values[a:b],
            None if self.times is None else self.times[a:b],
            avoid_offsets,
            avoid_items,
        )

    def take(self, rows: NDArray[np.int64]) -> Interactions:
        """Return the given rows, in the given order, as a copy."""
        if len(rows) == self.n_users and np.array_equal(rows, np.arange(self.n_users)):
            return self
        where, offsets = gather(self.offsets, rows)
        avoid_offsets = avoid_items = None
        if self.avoid_offsets is not None and self.avoid_items is not None:
            avoid_where, avoid_offsets = gather(self.avoid_offsets, rows)
            avoid_items = self.avoid_items[avoid_where]
        return Interactions(
            self.n_items,
            self.users[rows],
            offsets,
            self.items[where],
            None if self.values is None else self.values[where],
            None if self.times is None else self.times[where],
            avoid_offsets,
            avoid_items,
        )

    def chunks(self, size: int) -> Iterator[Interactions]:
        """Yield consecutive ranges of at most ``size`` users."""
        for start in range(0, self.n_users, size):
            yield self.slice(start, min(start + size, self.n_users))

    def by_item(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the view sorted by item, built once: (offsets (n_items + 1,), rows (nnz,), positions (nnz,)).

        ``rows`` are rows of this object in ascending order within an item, ``positions`` index ``items``.
        """
        if "by_item" not in self._cache:
            order = stable_order(self.items, self.n_items)
            rows = np.repeat(np.arange(self.n_users, dtype=np.int64), self.lengths())[order]
            counts = np.bincount(self.items, minlength=self.n_items)
            self._cache["by_item"] = (np.concatenate([[0], np.cumsum(counts)]), rows, order)
        return self._cache["by_item"]  # type: ignore[return-value]

    def unique(self) -> bool:
        """Return whether no user has the same item twice."""
        if "unique" not in self._cache:
            offsets, rows, _ = self.by_item()
            again = rows[1:] == rows[:-1]  # a repeated item's rows are neighbours; so may be the ends of two items
            starts = offsets[1:-1]
            again[starts[(starts > 0) & (starts < len(rows))] - 1] = False
            self._cache["unique"] = not again.any()
        return bool(self._cache["unique"])

    @staticmethod
    def from_lists(n_items: int, lists: list[list[int]], times: list[list[float]] | None = None) -> Interactions:
        """Build from plain lists (for tests and small examples)."""
        offsets = np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)
        flat = np.array([i for x in lists for i in x], dtype=np.int32)
        flat_times = None if times is None else np.array([t for x in times for t in x], dtype=np.float64)
        return Interactions(n_items, np.arange(len(lists), dtype=np.int64), offsets, flat, None, flat_times)

    @staticmethod
    def of(history: History, n_items: int, user: int = 0) -> Interactions:
        """Return one history as a cohort of one."""
        avoid = history.avoid
        return Interactions(
            n_items,
            np.array([user], dtype=np.int64),
            np.array([0, len(history)], dtype=np.int64),
            history.items,
            history.values,
            history.times,
            None if avoid is None else np.array([0, len(avoid)], dtype=np.int64),
            avoid,
        )


def stable_order(items: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """Return the stable order of ``items``, all in range(n_items).

    NumPy sorts 16 bits at a time in one pass over the numbers, and 32 by comparing them, ten times slower.
    """
    order = np.argsort((items & 0xFFFF).astype(np.uint16), kind="stable")
    if n_items > 1 << 16:
        order = order[np.argsort((items >> 16)[order].astype(np.uint16), kind="stable")]
    return order


def gather(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (positions of the rows' entries, new offsets) for taking ``rows`` out of a CSR layout."""
    lengths = offsets[rows + 1] - offsets[rows]
    new = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    where = np.arange(new[-1], dtype=np.int64) + np.repeat(offsets[rows] - new[:-1], lengths)
    return where, new
