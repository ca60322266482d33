"""Dense linear algebra of the closed forms, and scoring with an item-item matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ConfigError, Interactions
from fedrec.kernels import lanes

Matrix = NDArray[np.float64]


def inverse(a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of a symmetric positive definite matrix, in place (Cholesky: potrf, potri)."""
    from scipy.linalg import lapack

    with lanes.one_blas_thread():
        factor, info = lapack.dpotrf(a.T, lower=1, overwrite_a=1, clean=0)
        if info:
            raise ConfigError(f"the matrix is not positive definite (leading minor {info}): raise reg")
        result, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    mirror_lower(result)
    return np.ascontiguousarray(result.T) if not result.flags.c_contiguous else result


def solve(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a^-1 b for a symmetric positive definite ``a``; both arguments are overwritten."""
    from scipy.linalg import lapack

    with lanes.one_blas_thread():
        factor, info = lapack.dpotrf(a.T, lower=1, overwrite_a=1, clean=0)
        if info:
            raise ConfigError(f"the matrix is not positive definite (leading minor {info}): raise reg")
        x, _ = lapack.dpotrs(factor, np.asfortranarray(b), lower=1, overwrite_b=1)
    return np.ascontiguousarray(x)


def definite(a: Matrix) -> Matrix:
    """Return the nearest positive semi-definite matrices to (..., n, n) symmetric ones: negative eigenvalues to 0."""
    with lanes.one_blas_thread():
        values, vectors = np.linalg.eigh((a + np.swapaxes(a, -1, -2)) / 2)
        return np.asarray((vectors * np.maximum(values, 0.0)[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def unforged(attempt: Callable[[Callable[[Matrix], Matrix]], Matrix]) -> Matrix:
    """Return ``attempt`` with the sums as they are, or where they are not positive definite with ``definite`` ones.

    Forged updates can make a sum indefinite, honest ones cannot; training then goes on. ``attempt`` is handed what to
    do with a sum before it is solved, and starts from the sums each time, because solving overwrites them.
    """
    try:
        return attempt(lambda a: a)
    except ConfigError:
        return attempt(definite)


def above_noise(a: NDArray[np.float64], sigma: float, threshold: float) -> NDArray[np.float64]:
    """Return a symmetric ``a`` (n, n) without what may be noise, positive semidefinite; as it is where sigma is 0.

    Symmetric noise of deviation sigma on the diagonal and sigma / sqrt(2) beside it has a largest eigenvalue near
    e = sigma sqrt(2 n) (the edge of the semicircle law). Eigenvalues become max(0, x - threshold e).
    """
    from scipy.linalg import eigh

    if sigma == 0:
        return a
    cut = threshold * sigma * float(np.sqrt(2 * len(a)))
    with lanes.one_blas_thread():
        values, vectors = eigh(a, subset_by_value=(cut, np.inf), driver="evr", check_finite=False)
        roots = vectors * np.sqrt(values - cut)
        return np.asarray(roots @ roots.T)


def mirror_lower(a: NDArray[np.float64]) -> None:
    """Copy the lower triangle of a square matrix onto the upper one, in blocks."""
    n = len(a)
    for i in range(0, n, 256):
        stop = min(i + 256, n)
        corner = a[i:stop, i:stop]
        corner[...] = np.tril(corner) + np.tril(corner, -1).T
        a[i:stop, stop:] = a[stop:, i:stop].T


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_rows(out, weights, start, stop, offsets, items, values, row_of):  # type: ignore[no-untyped-def]
    n = out.shape[1]
    acc = np.empty(n, np.float64)
    for u in range(start, stop):
        acc[:] = 0.0
        for e in range(offsets[u], offsets[u + 1]):
            v = values[e]
            row = weights[row_of[e]]
            for j in range(n):
                acc[j] += v * row[j]
        for j in range(n):
            out[u, j] = acc[j]


def add_rows(
    weights: NDArray[Any],
    users: Interactions,
    values: NDArray[np.float64] | None,
    rows: NDArray[np.int64] | None = None,
    offsets: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Return sum over a user's entries of value * weights[row], (n_users, n_columns) float32.

    Without ``rows`` the entries are the users' items (each once); with it, any rows in a CSR layout ``offsets``.
    """
    offsets = users.offsets if offsets is None else offsets
    if rows is None:
        rows = users.items.astype(np.int64)
    if values is None:
        values = np.ones(len(rows), np.float64)
        if not users.unique():
            values = first_of_each(users)
    out = np.empty((users.n_users, weights.shape[1]), np.float32)

    def task(start: int, stop: int) -> None:
        _add_rows(out, weights, start, stop, offsets, None, values, rows)

    lanes.run(task, lanes.balanced(offsets, lanes.threads()))
    return out


def first_of_each(users: Interactions) -> NDArray[np.float64]:
    """Return 1 for the first time a user has an item, 0 for repeats, (nnz,) float64."""
    rows = np.repeat(np.arange(users.n_users, dtype=np.int64), users.lengths())
    _, first = np.unique(rows * users.n_items + users.items, return_index=True)
    out = np.zeros(users.n_interactions)
    out[first] = 1.0
    return out
