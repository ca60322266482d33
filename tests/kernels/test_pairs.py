"""Sums over pairs against dense sums, added to a symmetric matrix that holds something; the order by item."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.contract import Interactions, Key
from fedrec.contract.interactions import stable_order
from fedrec.kernels import lanes
from fedrec.kernels.pairs import KNOWN, TILE, cooccurrence, decay_powers, decayed_sums, tail_sums


@pytest.fixture(autouse=True)
def _threads():
    yield
    lanes.set_threads(0)


def world(n: int, seed: int) -> tuple[Interactions, np.ndarray]:
    """Return users without repeats and a symmetric matrix of integers."""
    draw = Key(seed, 0, "world").generator()
    users = Interactions.from_lists(n, [draw.permutation(n)[: draw.integers(0, n + 1)].tolist() for _ in range(7)])
    before = draw.integers(-9, 9, (n, n))
    return users, before + before.T


@given(st.sampled_from([1, 2, 7, 8, TILE - 1, TILE, TILE + 1, 2 * TILE + 3]), st.integers(0, 99), st.integers(1, 3))
def test_cooccurrence_adds_the_product_to_what_is_there(n: int, seed: int, threads: int) -> None:
    users, before = world(n, seed)
    x = np.zeros((users.n_users, n), np.int64)
    for row, history in enumerate(users.history(r) for r in range(users.n_users)):
        x[row, history.items] = 1
    lanes.set_threads(threads)
    for kind in (np.int32, np.int64):
        out = before.astype(kind)
        cooccurrence(users, out)
        np.testing.assert_array_equal(out, before + x.T @ x)
        out, steps = before.astype(kind), np.arange(3, 3 + users.n_users)
        cooccurrence(users, out, steps)
        np.testing.assert_array_equal(out, before + x.T @ (steps[:, None] * x))


def plain_decayed(
    users: Interactions, positions: np.ndarray, factors: np.ndarray, decays: tuple[float, ...], quantum: float
) -> tuple[np.ndarray, np.ndarray]:
    n, k = users.n_items, len(decays)
    gram, cross = np.zeros((k, n, k, n), np.int64), np.zeros((k, n, n), np.int64)
    longest = int(positions.max(initial=0))
    powers = [np.append(decay_powers(g, longest), np.zeros(longest + 2)) for g in decays]
    for u in range(users.n_users):
        at = positions[users.offsets[u] : users.offsets[u + 1]]
        mine = users.history(u).items
        for (q, i), (r, j) in ((x, y) for x in enumerate(mine) for y in enumerate(mine)):
            d = int(at[r]) - int(at[q])
            for a, ga in enumerate(decays):
                if d > 0:
                    cross[a, i, j] += int(np.rint(powers[a][d - 1] * factors[u] / quantum))
                for b, gb in enumerate(decays):
                    tail = tail_sums(ga * gb, longest)[at[-1] - max(at[q], at[r])]
                    weight = powers[a if d >= 0 else b][abs(d)] * tail * factors[u]
                    gram[a, i, b, j] += int(np.rint(weight / quantum))
    return gram.reshape(k * n, k * n), cross.reshape(k * n, n)


@given(
    st.sampled_from([1, 3, 20, TILE + 1]),
    st.integers(0, 99),
    st.sampled_from([(0.85,), (0.0,), (1.0,), (0.3, 0.9), (0.01, 1.0, 0.5)]),
    st.integers(1, 3),
)
def test_decayed_sums_equal_the_pairs_of_steps_to_the_last_bit(
    n: int, seed: int, decays: tuple[float, ...], basket: int
) -> None:
    users, _ = world(n, seed)
    k, quantum = len(decays), 2.0**-30
    within = np.concatenate([np.arange(m) // basket for m in users.lengths()]).astype(np.int32)
    draw = Key(seed, 1, "before").generator()
    half, before_cross = draw.integers(-9, 9, (k * n, k * n)), draw.integers(-9, 9, (k * n, n))
    gram, cross = half + half.T, before_cross.copy()
    factors = draw.choice([1.0, 1.0 / 3.0, 2.0**-0.5], users.n_users)
    decayed_sums(users, within, factors, decays, gram, cross, quantum, quantum)
    expected_gram, expected_cross = plain_decayed(users, within, factors, decays, quantum)
    np.testing.assert_array_equal(gram, half + half.T + expected_gram)
    np.testing.assert_array_equal(cross, before_cross + expected_cross)


def test_a_history_too_long_for_the_weights_known_beforehand() -> None:
    n = 400
    assert n * n > 2 * KNOWN
    users, gram, cross = Interactions.from_lists(n, [list(range(n))]), *np.zeros((2, n, n), np.int64)
    decayed_sums(users, np.arange(n, dtype=np.int32), np.ones(users.n_users), (1.0,), gram, cross, 0.5, 0.25)
    step = np.arange(n)  # nothing decays: a pair counts once for each step after the later one
    np.testing.assert_array_equal(gram, 2 * (n - 1 - np.maximum(step[:, None], step)))
    np.testing.assert_array_equal(cross, 4 * (step[:, None] < step))


@given(st.lists(st.integers(0, 2**18 - 1), max_size=50), st.integers(1, 2**18))
def test_the_order_by_item_is_that_of_a_stable_sort(numbers: list[int], n_items: int) -> None:
    items = np.array(numbers, np.int32) % n_items
    np.testing.assert_array_equal(stable_order(items, n_items), np.argsort(items, kind="stable"))


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=5))
def test_repeats_are_found(lists: list[list[int]]) -> None:
    assert Interactions.from_lists(6, lists).unique() == all(len(set(x)) == len(x) for x in lists)
