"""Compiled draws from the contract's counter-based randomness, and the plain versions beside them.

Draw number c of a key is ``mix(key + c * GOLDEN)`` (fedrec.contract.random.mix); ``below`` maps it to 0 .. n - 1.
A client's local negatives are drawn uniformly from the items that are neither in its history nor in ``avoid``,
without repeats within a group. Where less than a quarter of the catalogue is left, the free items are listed first,
so that a person who has nearly everything costs no long search.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import History
from fedrec.contract.random import GOLDEN, mix

FREE, AVOID = -1, -2  # marks in ``slot``; >= 0: the local number of an item the client holds
_GOLDEN, _A, _B = np.uint64(GOLDEN), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def draw(key, counter, n):  # type: ignore[no-untyped-def]
    """Return draw number ``counter`` of ``key`` as a whole number below ``n`` (both uint64, n < 2^32)."""
    x = key + counter * _GOLDEN
    x = (x ^ (x >> _S30)) * _A
    x = (x ^ (x >> _S27)) * _B
    x ^= x >> _S31
    return np.int64(((x >> _S32) * np.uint64(n)) >> _S32)


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def mark(slot, touched, history, avoid, free):  # type: ignore[no-untyped-def]
    """Number a client's own items in ``slot`` and ``touched``; return (own items, free items, whether listed)."""
    own = 0
    for i in history:
        if slot[i] == FREE:
            slot[i] = own
            touched[own] = i
            own += 1
    taken = own
    for i in avoid:
        if slot[i] == FREE:
            slot[i] = AVOID
            taken += 1
    left = len(slot) - taken
    listed = 4 * left < len(slot)
    if listed:
        at = 0
        for i in range(len(slot)):
            if slot[i] == FREE:
                free[at] = i
                at += 1
    return own, left, listed


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def unmark(slot, touched, met, avoid):  # type: ignore[no-untyped-def]
    """Free all marks again; ``touched[:met]`` are the numbered items."""
    for r in range(met):
        slot[touched[r]] = FREE
    for i in avoid:
        slot[i] = FREE


@numba.njit(nogil=True, cache=True, inline="always")  # type: ignore[untyped-decorator]
def negative(key, counter, slot, own, free, left, listed, group, size):  # type: ignore[no-untyped-def]
    """Draw an item outside history, avoid and group[1 : size]; return (item, next counter).

    ``slot`` may number further items from ``own`` on (negatives met before): these may be drawn again. Inlined,
    because handing over arrays costs more than the draw itself.
    """
    limit = left if listed else len(slot)
    i = np.int64(0)
    known = True
    while known:
        i = draw(key, counter, limit)
        counter += np.uint64(1)
        if listed:
            i = np.int64(free[i])
        s = slot[i]
        known = (s != FREE) & (s < own)
        for g in range(1, size):
            known |= group[g] == s
    return i, counter


class Draws:
    """The plain version: one client's draws, in order."""

    def __init__(self, key: int) -> None:
        self.key, self.counter = key, 0

    def below(self, n: int) -> int:
        """Return the next draw as a whole number below ``n``."""
        x = mix(self.key + self.counter * GOLDEN)
        self.counter += 1
        return ((x >> 32) * n) >> 32

    def order(self, n: int) -> NDArray[np.int64]:
        """Return a random order of range(n) by Fisher and Yates, from the last place down."""
        out = np.arange(n)
        for last in range(n - 1, 0, -1):
            other = self.below(last + 1)
            out[last], out[other] = out[other], out[last]
        return out

    def negatives(self, history: History, n_items: int, count: int) -> NDArray[np.int64]:
        """Return local negatives for each interaction, (len(history), min(count, free items)) int64."""
        taken = set(history.items.tolist()) | set([] if history.avoid is None else history.avoid.tolist())
        left = n_items - len(taken)
        free = [i for i in range(n_items) if i not in taken] if 4 * left < n_items else None
        out = np.empty((len(history), min(count, left)), np.int64)
        for row in out:
            group: list[int] = []
            while len(group) < len(row):
                i = self.below(n_items) if free is None else free[self.below(left)]
                if i not in taken and i not in group:
                    group.append(i)
            row[:] = group
        return out
