"""Linking rows, on sums small enough to see."""

import numpy as np

from fedrec.audit.linking import link, narrowed, partners

U, V = np.array([0.6, 0.8, 0.0]), np.array([0.0, 0.28, 0.96])


def table() -> np.ndarray:
    """Return a sum over two people: rows 0 and 1 are one's, 3 and 4 the other's, 2 both's, 5 nobody's."""
    return np.stack([U, -0.5 * U, U + V, V, 2.0 * V, np.zeros(3)])


OWNERS = [np.array([0, 1, 2]), np.array([2, 3, 4])]


def test_rows_of_one_person_find_each_other() -> None:
    assert partners(table()).tolist() == [1, 0, -1, 4, 3, -1]


def test_everything_is_counted() -> None:
    found = link(table(), OWNERS)
    assert (found.touched, found.linked, found.right, found.alone) == (5, 4, 4, 4)


def test_parallel_rows_of_two_people_are_linked_wrongly() -> None:
    same = np.stack([U, 3.0 * U])
    found = link(same, [np.array([0]), np.array([1])])
    assert (found.linked, found.right) == (2, 0)


def test_noise_ends_it() -> None:
    noisy = table() + np.random.Generator(np.random.Philox(key=1)).normal(scale=0.1, size=(6, 3))
    found = link(noisy, OWNERS)
    assert (found.touched, found.linked) == (5, 0)


def test_rounding_does_not_hide_rows_from_an_attacker_who_knows_the_step() -> None:
    step = 0.01
    rounded = np.rint(table() / step) * step
    rounded[1] += [step / 2, 0, 0]
    assert partners(rounded)[1] == -1
    assert partners(rounded, error=step)[1] == 0


def test_wide_rows_stay_parallel_when_they_are_projected() -> None:
    wide = np.zeros((3, 100))
    wide[0, :50], wide[1, :50], wide[2, 50:] = 1.0, -2.0, 1.0
    small = narrowed(wide, seed=0)
    assert small.shape == (3, 32)
    assert partners(small).tolist() == [1, 0, -1]


def test_one_row_and_no_row_have_no_partner() -> None:
    assert partners(np.array([[1.0, 2.0]])).tolist() == [-1]
    assert partners(np.zeros((2, 2))).tolist() == [-1, -1]
