"""Alternating least squares: the user's own solve, the item sums, and the server's solves.

Source: Hu, Koren, Volinsky, ICDM 2008, section 4; Rendle et al., RecSys 2022, section 2.1, for the form of the loss.
All arithmetic is float64. A client and a cohort run the same compiled solve, so law 2 holds bit for bit. Symmetric
matrices travel packed: row by row, from the diagonal on, d (d + 1) / 2 numbers.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.kernels import lanes


@numba.njit(nogil=True, cache=True, fastmath={"contract"})  # type: ignore[untyped-decorator]
def _eliminate(a, b):  # type: ignore[no-untyped-def]
    """Solve a x = b in place (x in b); ``a`` symmetric positive definite, only its upper half is read.

    Four pivots at a time, so that a row is loaded once for four updates.
    """
    d = len(b)
    for k in range(0, d, 4):
        last = min(k + 4, d)
        for p in range(k, last):  # the pivot rows among themselves
            for i in range(p + 1, last):
                f = a[p, i] / a[p, p]
                row, top = a[i, i:], a[p, i:]
                for j in range(len(row)):
                    row[j] -= f * top[j]
                b[i] -= f * b[p]
        if last == d:
            break
        s0, s1, s2, s3 = 1.0 / a[k, k], 1.0 / a[k + 1, k + 1], 1.0 / a[k + 2, k + 2], 1.0 / a[k + 3, k + 3]
        for i in range(last, d):
            f0, f1, f2, f3 = a[k, i] * s0, a[k + 1, i] * s1, a[k + 2, i] * s2, a[k + 3, i] * s3
            row, t0, t1, t2, t3 = a[i, i:], a[k, i:], a[k + 1, i:], a[k + 2, i:], a[k + 3, i:]
            for j in range(len(row)):
                row[j] -= (f0 * t0[j] + f1 * t1[j]) + (f2 * t2[j] + f3 * t3[j])
            b[i] -= (f0 * b[k] + f1 * b[k + 1]) + (f2 * b[k + 2] + f3 * b[k + 3])
    for k in range(d - 1, -1, -1):
        s = b[k]
        for j in range(k + 1, d):
            s -= a[k, j] * b[j]
        b[k] = s / a[k, k]


@numba.njit(nogil=True, cache=True, fastmath={"contract"})  # type: ignore[untyped-decorator]
def _users(out, start, stop, offsets, items, factors, base, ridge, bound):  # type: ignore[no-untyped-def]
    d = base.shape[0]
    a = np.empty((d, d))
    b = np.empty(d)
    v = np.zeros((4, d))
    for u in range(start, stop):
        lo, hi = offsets[u], offsets[u + 1]
        if lo == hi:
            out[u] = 0.0
            continue
        for i in range(d):
            b[i] = 0.0
            for j in range(i, d):
                a[i, j] = base[i, j]
            a[i, i] += ridge[u]
        for e in range(lo, hi, 4):  # four items at a time: a quarter of the loads and stores of a
            for s in range(4):
                if e + s < hi:
                    for i in range(d):
                        v[s, i] = factors[items[e + s], i]
                else:
                    v[s] = 0.0
            v0, v1, v2, v3 = v[0], v[1], v[2], v[3]
            for i in range(d):
                f0, f1, f2, f3 = v0[i], v1[i], v2[i], v3[i]
                row, w0, w1, w2, w3 = a[i, i:], v0[i:], v1[i:], v2[i:], v3[i:]
                b[i] += (f0 + f1) + (f2 + f3)
                for j in range(len(row)):
                    row[j] += (f0 * w0[j] + f1 * w1[j]) + (f2 * w2[j] + f3 * w3[j])
        _eliminate(a, b)
        square = 0.0
        for i in range(d):
            square += b[i] * b[i]
        scale = 1.0 if square <= bound * bound else bound / np.sqrt(square)
        for i in range(d):
            out[u, i] = b[i] * scale


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _item_sums(outer, linear, start, stop, item_offsets, rows, vectors, outer_scale, linear_scale):  # type: ignore[no-untyped-def]
    d = vectors.shape[1]
    u = np.zeros((4, d))
    acc = np.empty(outer.shape[1], np.int64)
    for i in range(start, stop):
        lo, hi = item_offsets[i], item_offsets[i + 1]
        if lo == hi:
            continue
        acc[:] = 0
        for e in range(lo, hi, 4):  # four users at a time: a quarter of the loads and stores of acc
            for s in range(4):
                if e + s < hi:
                    for a in range(d):
                        u[s, a] = vectors[rows[e + s], a]
                        linear[i, a] += np.int64(np.rint(u[s, a] * linear_scale))
                else:
                    u[s] = 0.0
            u0, u1, u2, u3 = u[0], u[1], u[2], u[3]
            p = 0
            for a in range(d):
                f0, f1, f2, f3 = u0[a] * outer_scale, u1[a] * outer_scale, u2[a] * outer_scale, u3[a] * outer_scale
                row, w0, w1, w2, w3 = acc[p : p + d - a], u0[a:], u1[a:], u2[a:], u3[a:]
                for b in range(len(row)):
                    row[b] += (np.int64(np.rint(f0 * w0[b])) + np.int64(np.rint(f1 * w1[b]))) + (
                        np.int64(np.rint(f2 * w2[b])) + np.int64(np.rint(f3 * w3[b]))
                    )
                p += d - a
        total = outer[i]
        for p in range(len(acc)):
            total[p] += acc[p]


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _items(out, start, stop, outer, linear, base, ridge):  # type: ignore[no-untyped-def]
    d = base.shape[0]
    a = np.empty((d, d))
    b = np.empty(d)
    for i in range(start, stop):
        p = 0
        for r in range(d):
            b[r] = linear[i, r]
            for c in range(r, d):
                a[r, c] = base[r, c] + outer[i, p]
                p += 1
            a[r, r] += ridge[i]
        _eliminate(a, b)
        for r in range(d):
            out[i, r] = b[r]


def user_vectors(
    users: Interactions,
    factors: NDArray[Any],
    base: NDArray[np.float64],
    ridge: NDArray[np.float64],
    bound: float,
) -> NDArray[np.float32]:
    """Return every user's own solve, (n_users, d) float32: (base + sum v v' + ridge I)^-1 sum v over the history.

    ``factors`` (n_items, d) float32 or float64; ``base`` (d, d); ``ridge`` (n_users,) > 0. An empty history gives 0;
    a vector longer than ``bound`` is scaled down to it.
    """
    out = np.empty((users.n_users, factors.shape[1]), np.float32)

    def task(start: int, stop: int) -> None:
        _users(out, start, stop, users.offsets, users.items, factors, base, ridge, bound)

    lanes.run(task, lanes.balanced(users.offsets, 4 * lanes.threads()))
    return out


def add_item_sums(
    users: Interactions,
    vectors: NDArray[np.float32],
    outer: NDArray[Any],
    linear: NDArray[Any],
    outer_quantum: float,
    linear_quantum: float,
) -> None:
    """Add u u' (packed) to ``outer[i]`` and u to ``linear[i]`` for each item i of each user, in integer steps.

    ``vectors`` (n_users, d) float32, whose products are exact in float64, so the rounding is the only step that
    loses anything and equals the one client's. Item by item: rows of the sum are independent.
    """
    offsets, rows, _ = users.by_item()

    def task(start: int, stop: int) -> None:
        _item_sums(outer, linear, start, stop, offsets, rows, vectors, 1.0 / outer_quantum, 1.0 / linear_quantum)

    lanes.run(task, lanes.balanced(offsets, 4 * lanes.threads()))


def add_gram(vectors: NDArray[Any], gram: NDArray[Any], quantum: float) -> None:
    """Add u u' (packed) of every user to ``gram`` (d (d + 1) / 2,), in integer steps."""
    n, d = vectors.shape
    ranges = lanes.even(n, 4 * lanes.threads())
    edges = np.array([0, *[stop for _, stop in ranges]], np.int64)
    rows, parts, linear = np.arange(n), np.zeros((len(ranges), len(gram)), np.int64), np.zeros((len(ranges), d))

    def task(start: int, stop: int) -> None:
        _item_sums(parts, linear, start, stop, edges, rows, vectors, 1.0 / quantum, 0.0)

    lanes.run(task, lanes.even(len(ranges), len(ranges)))
    gram += parts.sum(axis=0).astype(gram.dtype)


def item_factors(
    outer: NDArray[np.float64], linear: NDArray[np.float64], base: NDArray[np.float64], ridge: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the server's solves, (n_items, d) float64: (base + outer[i] + ridge[i] I)^-1 linear[i]."""
    out = np.empty(linear.shape)

    def task(start: int, stop: int) -> None:
        _items(out, start, stop, outer, linear, base, ridge)

    lanes.run(task, lanes.even(len(out), 4 * lanes.threads()))
    return out


def pack(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return the upper half of a symmetric matrix, row by row from the diagonal, (d (d + 1) / 2,)."""
    return matrix[np.triu_indices(len(matrix))]


def unpack(packed: NDArray[Any]) -> NDArray[np.float64]:
    """Return the symmetric matrix of ``pack``, (d, d) float64."""
    d = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    out = np.zeros((d, d))
    out[np.triu_indices(d)] = packed
    return out + np.triu(out, 1).T


def with_gram(items: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return what is broadcast: the item vectors V (n, d) float32 and V'V (d, d) float64."""
    narrow = items.astype(np.float32)
    wide = narrow.astype(np.float64)
    with lanes.one_blas_thread():
        return {"items": narrow, "gram": wide.T @ wide}
