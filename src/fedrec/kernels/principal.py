"""Leading directions of a tall matrix, the same bytes for the same matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from fedrec.kernels.lanes import one_blas_thread

FloatArray = NDArray[np.float64]
NOTHING = 1e-10  # of the largest eigenvalue: below it a direction is rounding


def principal(matrix: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Return (left singular vectors (n, k), singular values (k,)), k <= ``count``, largest first.

    By the eigenvectors of matrix' matrix, so for fewer columns than rows; the largest entry of each right vector is
    made positive, because signs are free. Directions without weight are left out.
    """
    with one_blas_thread():
        small = matrix.T @ matrix
        some = min(count, len(small))
        values, vectors = eigh(small, subset_by_index=(len(small) - some, len(small) - 1))
        keep = values > NOTHING * max(float(values[-1]), 1e-300)
        values, vectors = values[keep][::-1], vectors[:, keep][:, ::-1]
        vectors = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), range(len(values))] < 0, -1.0, 1.0)
        return matrix @ vectors / np.sqrt(values), np.sqrt(values)
