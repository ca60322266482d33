import numpy as np
import pytest

from fedrec import data as data_layer
from fedrec.contract import Interactions
from fedrec.data.protocols import apply
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import rank_all
from fedrec.testing import worlds
from fedrec.testing.subject import fitted_scores
from tests.algorithms.agreement import apart, subject_of


@pytest.mark.parametrize("shrink", [0.0, 1.0, 300.0])
@pytest.mark.parametrize("repeats", [False, True])
def test_it_equals_counting(shrink, repeats):
    assert apart(subject_of("markov", worlds.awkward(repeats=repeats), shrink=shrink)) <= 1e-6


def test_the_comparison_can_fail():
    assert apart(subject_of("markov", worlds.awkward(), shrink=1.0), shrink=2.0) > 1e-3


def test_by_hand():
    """From 0, two people went to 1 and one to 2; nobody left 2, and an empty history gets the share of arrivals."""
    users = Interactions.from_lists(3, [[0, 1], [0, 1], [1, 0, 2]])
    people = Interactions.from_lists(3, [[2, 0], [2], []])
    scores = fitted_scores(subject_of("markov", users, shrink=1.0), people)
    prior = np.array([1, 2, 1]) / 4
    np.testing.assert_allclose(scores[0], (np.array([0, 2, 1]) + prior) / 4, rtol=1e-6)
    np.testing.assert_allclose(scores[1], prior, rtol=1e-6)
    np.testing.assert_allclose(scores[2], prior, rtol=1e-6)


@pytest.mark.slow
def test_movielens_1m_in_the_sasrec_order(data_root):
    """Counting steps is a strong control there: hr@10 at least .212, ndcg@10 at least .125."""
    data = data_layer.load(str(data_root / "ml-1m"))
    split = apply("leave-last-out", data)
    subject = subject_of("markov", split.final, shrink=1.0)
    assert split.test is not None
    ranks = rank_all(lambda people: fitted_scores(subject, people), split.test)
    assert round(float(per_user(ranks, "hr", 10).mean()), 3) >= 0.212
    assert round(float(per_user(ranks, "ndcg", 10).mean()), 3) >= 0.125
