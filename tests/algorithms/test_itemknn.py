import numpy as np
import pytest

from fedrec.contract import Interactions
from fedrec.testing import worlds
from fedrec.testing.subject import fitted_scores
from tests.algorithms.agreement import apart, subject_of

SETTINGS = [{}, {"neighbours": 1}, {"neighbours": 3, "shrink": 0.0, "alpha": 0.2}, {"neighbours": 500, "alpha": 1.0},
            {"neighbours": 4, "shrink": 0.1, "user_power": 1.0, "bits": 64}]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("repeats", [False, True])
def test_it_equals_its_twin(settings, repeats):
    assert apart(subject_of("itemknn", worlds.awkward(repeats=repeats), **settings)) <= 1e-6


def test_the_comparison_can_fail():
    assert apart(subject_of("itemknn", worlds.awkward(), neighbours=3), neighbours=4) > 1e-3


def test_by_hand():
    """Items 0 and 1 share two people of three and two, 0 and 2 one of three and one."""
    users = Interactions.from_lists(3, [[0, 1], [1, 0], [0, 2]])
    cosine = subject_of("itemknn", users, neighbours=2, shrink=0.0)
    people = Interactions.from_lists(3, [[0], [1], [2], []])
    scores = fitted_scores(cosine, people)
    np.testing.assert_allclose(scores[0], [0.0, 2 / np.sqrt(6), 1 / np.sqrt(3)], rtol=1e-6)
    np.testing.assert_allclose(scores[1], [2 / np.sqrt(6), 0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(scores[2], [1 / np.sqrt(3), 0.0, 0.0], rtol=1e-6)
    assert not scores[3].any()


def test_a_candidate_keeps_its_nearest():
    """With one neighbour, item 0 is scored by item 1 alone, and item 2 by item 0."""
    users = Interactions.from_lists(3, [[0, 1], [1, 0], [0, 2]])
    scores = fitted_scores(
        subject_of("itemknn", users, neighbours=1, shrink=0.0), Interactions.from_lists(3, [[0], [2]])
    )
    assert scores[0][2] > 0
    assert scores[1][0] == 0
