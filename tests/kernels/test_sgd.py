"""Vector functions and draws against plain NumPy; the training kernels: same bytes for any number of threads."""

from collections.abc import Iterator

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.algorithms.registry import get
from fedrec.contract import Catalog, ConfigError, ContractError, History, Interactions, Key
from fedrec.contract.random import GOLDEN, mix
from fedrec.kernels import lanes
from fedrec.kernels.draws import FREE, Draws, draw, mark, negative, unmark
from fedrec.kernels.sgd_block import block_errors, block_gradient, block_push
from fedrec.kernels.sgd_step import group_step, plain_step
from fedrec.kernels.vectors import add_steps, axpy, copy, dot, exchange, sigmoids, subtract, width_of
from fedrec.privacy import RingSum
from fedrec.testing import worlds

D = 16
WIDTH = width_of(D)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    lanes.set_threads(0)


def rows(n: int, seed: int = 0) -> np.ndarray:
    return Key(seed, 0, "rows").generator().normal(size=(n, D)).astype(np.float32)


@numba.njit
def call_dot(a, i, b, j, width):
    return dot(a, i, b, j, width)


@numba.njit
def call_moves(a, b, c, width):
    axpy(a, 0, np.float32(0.5), b, 0, width)
    exchange(a, 0, np.float32(2.0), b, 16, np.float32(0.9), np.float32(-0.25), c, 0, width)
    copy(a, 16, b, 0, width)
    return subtract(a, 32, c, 16, width)


@numba.njit
def call_add_steps(ring, row, scale, width):
    add_steps(ring, 0, row, 0, scale, width)


@numba.njit
def call_sigmoids(a):
    for i in range(0, len(a), 8):
        sigmoids(a, i)


def test_a_dot_product_reads_the_rows_it_is_told() -> None:
    a, b = rows(3), rows(3, 1)
    assert call_dot(a.ravel(), D, b.ravel(), 2 * D, WIDTH) == pytest.approx(a[1] @ b[2], rel=1e-6)


def test_moves_equal_numpy() -> None:
    a, b, c = rows(3), rows(3, 1), rows(3, 2)
    first = a[0] + np.float32(0.5) * b[0] + np.float32(2.0) * b[1]
    row = np.float32(0.9) * b[1] - np.float32(0.25) * c[0]
    rest = a[2] - c[1]
    flat_a, flat_b = a.ravel().copy(), b.ravel().copy()
    square = call_moves(flat_a, flat_b, c.ravel(), WIDTH)
    np.testing.assert_allclose(flat_a[:D], first, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(flat_b[D : 2 * D], row, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(flat_a[D : 2 * D], b[0])
    np.testing.assert_array_equal(flat_a[2 * D :], rest)
    assert square == pytest.approx(float(rest @ rest), rel=1e-6)


@pytest.mark.parametrize(("dtype", "scale"), [(np.int32, 4.0), (np.int64, 4.0), (np.int64, 2.0**40)])
def test_steps_are_rounded_to_nearest_even(dtype: type, scale: float) -> None:
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.49, 7.51, 0.0] * 2, np.float32) / np.float32(4.0)
    ring = np.full(D, 10, dtype)
    call_add_steps(ring, halves, scale, WIDTH)
    np.testing.assert_array_equal(ring, 10 + np.rint(halves.astype(np.float64) * scale).astype(dtype))


def test_sigmoids_are_exact_to_float32_and_saturate() -> None:
    z = np.concatenate([np.linspace(-30, 30, 4000), [-1e30, -200, -90, 17, 60, 200, 1e30, 0]]).astype(np.float32)
    got = z.copy()
    call_sigmoids(got)
    with np.errstate(over="ignore"):
        exact = 1.0 / (1.0 + np.exp(-z.astype(np.float64)))
    np.testing.assert_allclose(got, exact, rtol=3e-7, atol=1e-37)
    assert got[-2] == 1.0
    assert got[-1] == 0.5


def test_no_fast_math() -> None:
    """With it, freshly compiled and cached code may order a sum differently: a resumed run would not be the same."""
    call_dot(rows(1).ravel(), 0, rows(1).ravel(), 0, WIDTH)
    code = "".join(call_dot.inspect_llvm().values())
    assert "llvm.fmuladd" in code or "llvm.fma" in code
    assert " fast " not in code
    assert "reassoc" not in code


def test_a_width_that_is_no_multiple_of_8_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of 8"):
        width_of(12)


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**6), st.integers(1, 2**31))
def test_compiled_draws_are_the_contracts(key: int, counter: int, n: int) -> None:
    expected = ((mix(key + counter * GOLDEN) >> 32) * n) >> 32
    assert draw(np.uint64(key), np.uint64(counter), n) == expected


@numba.njit
def call_negatives(slot, touched, free, history, avoid, key, count, out):
    own, left, listed = mark(slot, touched, history, avoid, free)
    met = own
    counter = np.uint64(0)
    group = np.zeros(count + 1, np.int32)
    for row in range(len(history)):
        for g in range(1, 1 + min(count, left)):
            i, counter = negative(key, counter, slot, own, free, left, listed, group, g)
            if slot[i] == FREE:
                slot[i] = met
                touched[met] = i
                met += 1
            group[g] = slot[i]
            out[row, g - 1] = i
    unmark(slot, touched, met, avoid)
    return listed


@given(st.integers(5, 30), st.integers(0, 2**64 - 1), st.integers(1, 6), st.data())
def test_negatives_are_new_distinct_and_as_plain(n_items: int, key: int, count: int, data: st.DataObject) -> None:
    ids = st.lists(st.integers(0, n_items - 1), max_size=2 * n_items)
    history = np.array(data.draw(ids), np.int32)
    avoid = np.array(data.draw(ids), np.int32)
    plain = Draws(key).negatives(History(history, avoid=avoid), n_items, count)
    taken = set(history.tolist()) | set(avoid.tolist())
    assert plain.shape == (len(history), min(count, n_items - len(taken)))
    for row in plain:
        assert len(set(row.tolist())) == len(row)
        assert not set(row.tolist()) & taken
    slot, fast = np.full(n_items, FREE, np.int32), np.zeros_like(plain)
    touched, free = np.zeros(n_items + 1, np.int32), np.zeros(n_items, np.int32)
    call_negatives(slot, touched, free, history, avoid, np.uint64(key), count, fast)
    np.testing.assert_array_equal(fast, plain)
    assert (slot == FREE).all(), "the marks are not freed"


@pytest.mark.parametrize("own", [3, 17])
def test_negatives_are_uniform_by_rejection_and_from_the_list(own: int) -> None:
    """17 of 20 items taken: drawn from the list of free ones; chi-square at the 0.1 % level (own: 3 or 17)."""
    history = History(np.tile(np.arange(own, dtype=np.int32), 6000 // own))
    drawn = Draws(7).negatives(history, 20, 1)
    counts = np.bincount(drawn.ravel(), minlength=20)
    assert (counts[:own] == 0).all()
    expected = len(history) / (20 - own)
    chi_square = float((np.square(counts[own:] - expected) / expected).sum())
    assert chi_square < {16: 39.25, 2: 13.82}[20 - own - 1]


@numba.njit
def call_group(user, flat, group, size, bpr, lr, item_lr, shrink, keep, width, full):
    group_step(user, 0, flat, group, size, bpr, lr, item_lr, shrink, keep, width, full)


@pytest.mark.parametrize("bpr", [False, True])
@pytest.mark.parametrize("size", [1, 3, 5, 10])
def test_a_grouped_step_equals_plain(bpr: bool, size: int) -> None:
    full = (0,) * max(size, 5)
    user, table = rows(1, 3)[0], rows(12, 4)
    group = np.array([4, 2, 7, 0, 9, 1, 3, 5, 6, 8][:size] + [11] * (len(full) - size), np.int32)
    expected_user, expected = plain_step(user, table[group[:size]], bpr, 0.3, 0.2, 0.05)
    fast_user, fast = user.copy(), table.ravel().copy()
    f = np.float32
    call_group(fast_user, fast, group, size, bpr, f(0.3), f(0.2), f(0.3 * 0.05), f(1 - 0.2 * 0.05), WIDTH, full)
    fast = fast.reshape(table.shape)
    np.testing.assert_allclose(fast_user, expected_user, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fast[group[:size]], expected, rtol=1e-5, atol=1e-6)
    others = np.setdiff1d(np.arange(11), group[:size])
    np.testing.assert_array_equal(fast[others], table[others])


@numba.njit
def call_block(errors, flat, samples, left, weight, bias, gradient, width):
    share = np.float32(1.0) / np.float32(left)
    block_errors(errors, 0, flat, samples, 0, left, weight, bias, share, width)
    slope = block_gradient(gradient, errors, 0, flat, samples, 0, width)
    block_push(flat, samples, 0, errors, 0, np.float32(-3.0), weight, width)
    return slope


@pytest.mark.parametrize("left", [8, 3])
def test_a_block_of_samples_equals_plain(left: int) -> None:
    table, weight, bias = rows(6, 5), rows(1, 6)[0], np.float32(0.3)
    number, label = np.array([0, 5, 5, 2, 1, 3, 4, 0]), np.array([1, 0, 0, 1, 0, 0, 1, 0])
    p = 1.0 / (1.0 + np.exp(-(table[number] @ weight + bias)))
    wanted = np.where(np.arange(8) < left, (p - label) / left, 0.0)
    moved = table.copy()
    np.subtract.at(moved, number, (3.0 * np.outer(wanted, weight)).astype(np.float32))
    errors, gradient, flat = np.zeros(8, np.float32), np.zeros(D, np.float32), table.ravel().copy()
    samples = (2 * number + label).astype(np.int32)
    slope = call_block(errors, flat, samples, left, weight, bias, gradient, WIDTH)
    np.testing.assert_allclose(errors, wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient, wanted @ table[number], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(flat.reshape(table.shape), moved, rtol=1e-5, atol=1e-6)
    assert slope == pytest.approx(wanted.sum(), abs=1e-6)


def one_round(
    name: str, users: Interactions, threads: int, **settings: object
) -> tuple[RingSum, dict[str, np.ndarray]]:
    lanes.set_threads(threads)
    algorithm = get(name)(**settings)
    catalog = Catalog(users.n_items, users.n_users)
    phase, shared = algorithm.plan(catalog)[0], algorithm.shared(catalog, 1)
    private = algorithm.cohort_private(users.users, Key(1), catalog)
    total = RingSum(phase, users.n_users)
    after = algorithm.cohort_update(phase, shared, private, users, Key(1, 3, "update"), total)
    return total, after


@pytest.mark.parametrize(("name", "settings"), [("fedmf", {"clip": 0.5}), ("fedmf", {"bits": 64}), ("pfedrec", {})])
def test_law_6_any_number_of_threads_gives_the_same_bytes(name: str, settings: dict[str, object]) -> None:
    users = worlds.planted()
    one, private = one_round(name, users, 1, **settings)
    for threads in (2, 5):
        many, others = one_round(name, users, threads, **settings)
        for stat, ring in one.ring.items():
            assert many.ring[stat].tobytes() == ring.tobytes()
        assert all(others[key].tobytes() == array.tobytes() for key, array in private.items())
        assert (many.users, many.clipped) == (one.users, one.clipped)


@pytest.mark.parametrize(("name", "settings"), [("fedmf", {"lr": 1e30, "item_lr": 1e30}), ("pfedrec", {"eta": 1e36})])
def test_training_that_diverges_is_an_error_that_says_what_to_do(name: str, settings: dict[str, float]) -> None:
    with pytest.raises(ContractError, match="lower lr"), np.errstate(all="ignore"):
        one_round(name, worlds.planted(), 1, **settings)
