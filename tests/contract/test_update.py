"""Bounds, bytes and the ring's scale all come from Stat."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.contract import Part, Phase, Stat


@pytest.mark.parametrize(
    ("stat", "numbers", "size"),
    [
        (Stat((5,), 1.0), 5, 20),
        (Stat((5, 3), 1.0), 15, 60),
        (Stat((5, 3), 1.0, bits=64), 15, 120),
        (Stat((4, 4), 1.0, symmetric=True), 10, 40),
        (Stat((2, 3, 3), 1.0, symmetric=True, bits=64), 12, 96),
        (Stat((), 1.0), 1, 4),
    ],
)
def test_numbers_and_bytes_on_the_wire_by_hand(stat: Stat, numbers: int, size: int) -> None:
    assert stat.numbers == numbers
    assert stat.wire_bytes == size


def test_a_phase_adds_up_its_bytes() -> None:
    phase = Phase("p", 3, {"a": Stat((5,), 1.0), "b": Stat((2, 2), 1.0, symmetric=True, bits=64)})
    assert phase.up_bytes == 20 + 24


@pytest.mark.parametrize(
    ("linf", "capacity", "bits", "exponent"),
    # 2^exponent * 2^(bits - 1) is at least twice linf * capacity, rounded up to a power of two
    [(1.0, 1, 32, -30), (1.0, 1024, 32, -20), (1.0, 1025, 32, -19), (3.0, 1000, 32, -18), (1.0, 1024, 64, -52)],
)
def test_the_quantum_by_hand(linf: float, capacity: int, bits: int, exponent: int) -> None:
    assert Stat((1,), linf, bits=bits).quantum(capacity) == 2.0**exponent


@given(st.floats(1e-6, 1e6), st.integers(1, 10**7), st.sampled_from([32, 64]))
def test_everybody_at_the_bound_does_not_overflow(linf: float, capacity: int, bits: int) -> None:
    quantum = Stat((1,), linf, bits=bits).quantum(capacity)
    steps = int(np.rint(linf / quantum))
    assert steps * capacity < 2 ** (bits - 1)
    assert np.log2(quantum) % 1 == 0
    # and the scale is not wasteful: at most three of the ring's bits are unused
    assert linf / quantum * capacity >= 2 ** (bits - 1) / 8


def test_counts_are_exact() -> None:
    assert Stat((3,), 1.0, counts=True).quantum(10**6) == 1.0


def test_a_part_is_dense_on_the_wire() -> None:
    part = Part(np.array([[1.0, 2.0], [3.0, 4.0]]), (np.array([3, 1]), np.array([0, 2])))
    np.testing.assert_array_equal(
        part.dense((4, 3)), [[0.0, 0.0, 0.0], [3.0, 0.0, 4.0], [0.0, 0.0, 0.0], [1.0, 0.0, 2.0]]
    )
    np.testing.assert_array_equal(Part(np.array([1.0, 2.0])).dense((2,)), [1.0, 2.0])
    np.testing.assert_array_equal(Part(np.zeros((0, 2)), (np.zeros(0, int),)).dense((2, 2)), np.zeros((2, 2)))
    rows = Part(np.array([[5.0, 6.0]]), (np.array([1]),))
    np.testing.assert_array_equal(rows.dense((2, 2)), [[0.0, 0.0], [5.0, 6.0]])
