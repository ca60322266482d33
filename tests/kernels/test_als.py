import numpy as np
import pytest

from fedrec.contract import Interactions
from fedrec.kernels import als, lanes
from fedrec.kernels.distinct import distinct
from fedrec.testing import worlds

USERS = worlds.awkward()


def factors(d, seed=0):
    return np.random.Generator(np.random.Philox(key=seed)).normal(size=(USERS.n_items, d)).astype(np.float32)


def test_by_hand():
    """Items 1 and 2 long, weight 0.5 in all directions, ridge 1: u = 3 / (0.5 + 1 + 4 + 1)."""
    one = Interactions.from_lists(2, [[0, 1], []])
    out = als.user_vectors(one, np.array([[1.0], [2.0]], np.float32), np.array([[0.5]]), np.ones(2), 9.0)
    np.testing.assert_allclose(out, [[3 / 6.5], [0.0]], rtol=1e-6)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 8, 13])
def test_the_users_solve_is_a_solve(d):
    v = factors(d).astype(np.float64)
    base, ridge = 0.1 * v.T @ v, 0.2 + np.arange(USERS.n_users) / 7
    out = als.user_vectors(USERS, factors(d), base, ridge, 1e9)
    for row, (_, history) in enumerate(USERS.histories()):
        mine = v[history.items]
        expected = np.linalg.solve(base + mine.T @ mine + ridge[row] * np.eye(d), mine.sum(axis=0))
        np.testing.assert_allclose(out[row], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("d", [1, 4, 6])
@pytest.mark.parametrize(("kind", "quantum"), [(np.int32, 2.0**-20), (np.int64, 2.0**-55)])
def test_sums_are_the_sums_of_rounded_products(d, kind, quantum):
    """Integers equal to rounding each user's u u' and u by itself, also beyond 2^53."""
    vectors = np.random.Generator(np.random.Philox(key=1)).normal(size=(USERS.n_users, d)).astype(np.float32)
    outer, linear = np.zeros((USERS.n_items, d * (d + 1) // 2), kind), np.zeros((USERS.n_items, d), kind)
    als.add_item_sums(USERS, vectors, outer, linear, quantum, quantum)
    plain_outer, plain_linear, plain_gram = np.zeros_like(outer), np.zeros_like(linear), np.zeros_like(outer[0])
    for row, (_, history) in enumerate(USERS.histories()):
        u = vectors[row].astype(np.float64)
        pairs = np.rint(als.pack(np.outer(u, u)) / quantum).astype(kind)
        plain_outer[history.items] += pairs
        plain_linear[history.items] += np.rint(u / quantum).astype(kind)
        plain_gram += pairs
    np.testing.assert_array_equal(outer, plain_outer)
    np.testing.assert_array_equal(linear, plain_linear)
    gram = np.zeros_like(plain_gram)
    als.add_gram(vectors, gram, quantum)
    np.testing.assert_array_equal(gram, plain_gram)


def test_the_items_solve_is_a_solve():
    d, n = 5, 7
    draw = np.random.Generator(np.random.Philox(key=2))
    outer = np.stack([als.pack(a.T @ a) for a in draw.normal(size=(n, 9, d))])
    linear, base, ridge = draw.normal(size=(n, d)), np.eye(d), draw.uniform(0.1, 1.0, n)
    out = als.item_factors(outer, linear, base, ridge)
    for i in range(n):
        expected = np.linalg.solve(base + als.unpack(outer[i]) + ridge[i] * np.eye(d), linear[i])
        np.testing.assert_allclose(out[i], expected, rtol=1e-9)


def test_law_3_any_number_of_threads_gives_the_same_bits():
    found = []
    for threads in (1, 2, 5):
        lanes.set_threads(threads)
        try:
            out = als.user_vectors(USERS, factors(9), np.eye(9), np.ones(USERS.n_users), 9.0)
            gram = np.zeros(45, np.int64)
            als.add_gram(out, gram, 2.0**-40)
        finally:
            lanes.set_threads(0)
        found.append((out.tobytes(), gram.tobytes()))
    assert len(set(found)) == 1


def test_packing_is_undone():
    matrix = np.arange(16.0).reshape(4, 4)
    matrix = matrix + matrix.T
    np.testing.assert_array_equal(als.unpack(als.pack(matrix)), matrix)


def test_distinct_keeps_the_first_of_each():
    users = Interactions.from_lists(4, [[2, 1, 2, 3, 1], [], [0, 0]])
    once = distinct(users)
    assert [h.items.tolist() for _, h in once.histories()] == [[2, 1, 3], [], [0]]
    assert distinct(once) is once
