import numpy as np
import pytest

from fedrec.contract import Interactions
from fedrec.kernels import krylov, spectral
from fedrec.kernels.principal import principal
from fedrec.testing import worlds

USERS = worlds.awkward()
N = USERS.n_items


def dense(users=USERS):
    out = np.zeros((users.n_users, users.n_items))
    for row, (_, history) in enumerate(users.histories()):
        out[row, history.items] = 1.0
    return out


def draw(*shape, key=0):
    return np.random.Generator(np.random.Philox(key=key)).normal(size=shape)


def test_project_takes_means():
    probe = draw(N, 5).astype(np.float32)
    x = dense()
    expected = x @ probe / np.maximum(x.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(spectral.project(USERS, probe), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "quantum"), [(np.int32, 2.0**-20), (np.int64, 2.0**-56)])
def test_products_are_sums_of_rounded_rows(kind, quantum):
    projected = draw(USERS.n_users, 3, key=1).astype(np.float32)
    ring = np.zeros((N, 3), kind)
    spectral.add_products(USERS, projected, ring, quantum)
    steps = np.rint(projected.astype(np.float64) / quantum).astype(np.int64)
    np.testing.assert_array_equal(ring, dense().astype(np.int64).T @ steps)


@pytest.mark.parametrize("rows", [1, 6, N])
def test_pair_rows_are_the_blocks_of_one_matrix(rows):
    x = dense().astype(np.int64)
    steps = np.rint(1.0 / np.maximum(x.sum(axis=1), 1) / 2.0**-20).astype(np.int64)
    whole = x.T @ (x * steps[:, None])
    for first in range(0, N, rows):
        ring = np.zeros((rows, N), np.int32)
        spectral.add_pair_rows(USERS, first, ring, 2.0**-20)
        there = min(rows, N - first)
        np.testing.assert_array_equal(ring[:there], whole[first : first + there])
        assert not ring[there:].any()


def test_pair_scores_add_sparse_rows():
    full = np.where(draw(N, N, key=2) > 0.7, draw(N, N, key=3), 0.0).astype(np.float32)
    where, items = np.nonzero(full)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(where, minlength=N))])
    out = np.ones((USERS.n_users, N), np.float32)
    spectral.add_pair_scores(USERS, out, offsets, items.astype(np.int32), full[where, items])
    np.testing.assert_allclose(out, 1.0 + dense() @ full, rtol=1e-5, atol=1e-5)


def test_orthonormal_pads_what_is_missing():
    """Three columns, two directions: an orthonormal pair and a column of zeros."""
    block = draw(9, 2)
    q = krylov.orthonormal(np.concatenate([block, block[:, :1] * 3], axis=1))
    assert not q[:, 2].any()
    np.testing.assert_allclose(q[:, :2].T @ q[:, :2], np.eye(2), atol=1e-12)
    np.testing.assert_allclose(q @ (q.T @ block), block, atol=1e-12)
    assert not krylov.orthonormal(np.zeros((9, 2))).any()


def test_blocks_stay_orthogonal_and_find_the_leading_vectors():
    """A spectrum that falls by half each step: three blocks of four columns find its first four directions."""
    basis = np.linalg.qr(draw(60, 60))[0]
    values = 0.5 ** np.arange(60)
    matrix = (basis * values) @ basis.T
    space = block = krylov.orthonormal(draw(60, 4, key=5))
    products = matrix @ block
    for _ in range(3):
        block = krylov.next_block(space, products[:, -4:])
        space = np.concatenate([space, block], axis=1)
        products = np.concatenate([products, matrix @ block], axis=1)
    np.testing.assert_allclose(space.T @ space, np.eye(16), atol=1e-10)
    found = krylov.leading(space, products, 4)
    overlap = np.abs(np.sum(found * basis[:, :4], axis=0))
    np.testing.assert_allclose(overlap, 1.0, atol=1e-6)


def test_an_empty_history_projects_to_nothing():
    users = Interactions.from_lists(3, [[], [1]])
    assert not spectral.project(users, np.ones((3, 2), np.float32))[0].any()


def test_principal_directions_are_those_of_the_svd() -> None:
    matrix = np.random.Generator(np.random.Philox(key=4)).normal(size=(40, 12)) @ np.diag(np.arange(12.0))
    vectors, sizes = principal(matrix, 5)
    left, values, _ = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(sizes, values[:5])
    np.testing.assert_allclose(np.abs(np.sum(vectors * left[:, :5], axis=0)), 1.0)
    assert principal(matrix, 99)[0].shape == (40, 11)  # one column has no weight
    assert principal(matrix, 5)[0].tobytes() == vectors.tobytes()
