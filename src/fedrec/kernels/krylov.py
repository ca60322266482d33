"""Leading eigenvectors of a symmetric matrix from its products with a few blocks (block Lanczos, Rayleigh-Ritz)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.kernels.lanes import one_blas_thread

Matrix = NDArray[np.float64]
NOTHING = 1e-6  # of a largest eigenvalue 1: directions shorter than this are rounding


def orthonormal(block: Matrix) -> Matrix:
    """Return an orthonormal basis of the columns, padded with zero columns to the same shape (n, r)."""
    from scipy.linalg import qr

    out = np.zeros(block.shape)
    with one_blas_thread():
        q, triangle, _ = qr(block, mode="economic", pivoting=True, check_finite=False)
    held = int(np.sum(np.abs(np.diagonal(triangle)) > NOTHING))
    out[:, :held] = q[:, :held]
    return out


def next_block(basis: Matrix, product: Matrix) -> Matrix:
    """Return the next orthonormal block: the newest product without what ``basis`` (n, k) spans, zero-padded."""
    with one_blas_thread():
        for _ in range(2):  # twice is enough (Giraud et al. 2005)
            product = product - basis @ (basis.T @ product)
    return orthonormal(product)


def leading(basis: Matrix, products: Matrix, rank: int, least: float = NOTHING) -> Matrix:
    """Return the leading Ritz vectors of A, (n, at most rank), from an orthonormal basis and ``products`` = A basis.

    ``least``: the Ritz value above which they count.
    """
    with one_blas_thread():
        small = basis.T @ products
        values, vectors = np.linalg.eigh((small + small.T) / 2.0)
        best = np.argsort(-values, kind="stable")[:rank]
        return np.asarray(basis @ vectors[:, best[values[best] > least]])
