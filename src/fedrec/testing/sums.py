"""Laws about the sum: 1 additivity, 2 one is many, 5 bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings, target
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Interactions, Key, Phase, Total, row_of
from fedrec.privacy import RingSum
from fedrec.testing.base import Laws
from fedrec.testing.subject import Moment, Subject, copied, difference
from fedrec.testing.worlds import history_of

QUIET = settings(max_examples=15, deadline=None, derandomize=True, database=None)
FLOAT32 = 1e-6  # relative; rounding of a norm that a kernel computed in float32
SEARCH = settings(max_examples=60, deadline=None, derandomize=True, database=None)


class SumLaws(Laws):
    """What makes a federated recommender a sum."""

    def test_law_1_additivity(self) -> None:
        """Any partition, any order, any chunking gives the same integers."""
        subject = self.subject()
        for moment in subject.moments():
            additivity(subject, moment)

    def test_law_2_one_is_many(self) -> None:
        """The cohort path puts the same integers into the ring as one client after the other; private state too."""
        for world in ("awkward", "repeats"):
            subject = self.subject(world)
            for moment in subject.moments():
                fast, after = subject.cohort(moment, subject.everybody())
                plain, expected = subject.one_by_one(moment, subject.everybody())
                assert_same_sum(plain, fast, self.sum_tolerance)
                assert set(after) == set(expected), "the cohort path keeps other private arrays than client_update"
                assert all(after[n].dtype == expected[n].dtype for n in after), "private arrays change their dtype"
                assert difference(expected, after) <= self.private_tolerance, "private state differs"

    def test_law_2_a_cohort_starts_as_its_members(self) -> None:
        """``cohort_private`` stacks what ``private`` gives each user."""
        subject = self.subject()
        users = np.array([0, 3, 11, 1_000_003], np.int64)
        key = Key(subject.seed, 0, "private")
        many = subject.algorithm.cohort_private(users, key, subject.catalog)
        one = Algorithm.cohort_private(subject.algorithm, users, key, subject.catalog)
        assert set(many) == set(one)
        for name, array in many.items():
            np.testing.assert_array_equal(array, one[name])

    def test_law_2_scoring_many_is_scoring_one(self) -> None:
        """``cohort_scores`` equals ``adapt`` then ``score``, person by person, up to float32 rounding."""
        for world in ("awkward", "repeats"):
            subject = self.subject(world)
            state, private, _ = subject.trained()
            key = Key(subject.seed, state.round, "adapt")
            algorithm, users = subject.algorithm, subject.users
            many = algorithm.cohort_scores(state.shared, copied(private), users, key)
            one = Algorithm.cohort_scores(algorithm, state.shared, copied(private), users, key)
            assert many.dtype == np.float32
            assert many.shape == (users.n_users, users.n_items)
            assert np.isfinite(many).all()
            assert difference({"scores": one}, {"scores": many}) <= self.score_tolerance

    def test_law_5_bounded(self) -> None:
        """A search for the worst user: nobody moves the decoded sum by more than the plan declares."""
        subject = self.subject()
        for moment in subject.moments():
            worst_user(subject, moment)


def additivity(subject: Subject, moment: Moment) -> None:
    """Assert law 1 in one round, for drawn orders and partitions."""
    n = subject.users.n_users
    whole, _ = subject.cohort(moment, subject.everybody())

    @QUIET
    @given(st.permutations(range(n)), st.sets(st.integers(1, n - 1), max_size=4))
    def check(order: list[int], cuts: set[int]) -> None:
        merged = RingSum(moment.phase, n)
        for rows in np.split(np.array(order, np.int64), sorted(cuts)):
            merged.merge(subject.cohort(moment, rows)[0])
        assert_same_sum(whole, merged)

    check()


def worst_user(subject: Subject, moment: Moment) -> None:
    """Assert law 5 in one round, hypothesis searching for histories, values and private state that break it."""
    n_items = subject.users.n_items

    @SEARCH
    @given(
        histories(n_items),
        st.booleans(),
        st.lists(st.sampled_from([0, 1, 30]), min_size=1, max_size=9),
        st.sampled_from([0.0, 1.0, 1e6]),
        st.sampled_from([1.0, 30.0]),
        st.integers(0, subject.users.n_users - 1),
    )
    def check(items: list[int], once: bool, gaps: list[int], rating: float, loud: float, row: int) -> None:
        mine = list(dict.fromkeys(items)) if once else items
        history = history_of(mine, [gaps[k % len(gaps)] for k in range(len(mine))])
        history = replace(history, values=np.full(len(mine), rating, np.float32))
        users = Interactions.of(history, n_items, row)
        private = {n: a * np.asarray(loud, a.dtype) for n, a in row_of(moment.private, row).items()}
        target(worst_ratio(subject, moment, users, private))

    check()


def histories(n_items: int) -> st.SearchStrategy[list[int]]:
    """Return item lists of every size alike: left to itself, a list of drawn items rarely has more than ten."""
    some = st.sampled_from([0, 1, 2, n_items // 2, n_items, 3 * n_items])
    drawn = some.flatmap(lambda m: st.lists(st.integers(0, n_items - 1), min_size=m, max_size=m))
    whole = st.permutations(range(n_items))
    return st.one_of(drawn, whole, whole.map(lambda order: [*order, *order]))


def assert_same_sum(expected: RingSum, got: RingSum, tolerance: float = 0.0) -> None:
    """Fail unless two sums hold the same integers (``tolerance``: relative to the largest), users and clip counts."""
    for name, ring in expected.ring.items():
        apart = int(np.abs(ring.astype(np.int64) - got.ring[name].astype(np.int64)).max(initial=0))
        allowed = tolerance * int(np.abs(ring.astype(np.int64)).max(initial=0)) + bool(tolerance)
        assert apart <= allowed, f"{name!r} differs by {apart} steps of {expected.quantum[name]}, allowed {allowed:g}"
    assert got.users == expected.users, f"{got.users} users were counted, {expected.users} took part"
    assert got.clipped == expected.clipped, f"{got.clipped} users counted as clipped, expected {expected.clipped}"


def worst_ratio(subject: Subject, moment: Moment, users: Interactions, private: Arrays) -> float:
    """Assert one user's bound on both paths and return how near to it the user came."""
    stacked = {name: array[None] for name, array in private.items()}
    ratio = 0.0
    for path in (subject.algorithm.cohort_update, lambda *args: Algorithm.cohort_update(subject.algorithm, *args)):
        total = RingSum(moment.phase, subject.users.n_users)
        path(moment.phase, moment.broadcast, copied(stacked), users, moment.key, total)
        ratio = max(ratio, bound_ratio(moment.phase, total.quantum, total.decode()))
    return ratio


def bound_ratio(phase: Phase, quantum: dict[str, float], total: Total) -> float:
    """Assert that one user's decoded sum is inside every declared bound; return the largest share of a bound used.

    Rounding may add half a quantum to each entry that is not zero (nothing to counts), float32 kernels a millionth.
    """
    worst, square, slack_square = 0.0, 0.0, 0.0
    for name, stat in phase.stats.items():
        values: NDArray[np.float64] = np.abs(total[name].astype(np.float64))
        half = 0.0 if stat.counts else quantum[name] / 2
        slack = half * float(np.sqrt(np.count_nonzero(values)))
        norm = float(np.sqrt(np.square(values).sum()))
        largest = float(values.max(initial=0.0))
        assert largest <= stat.linf + half, f"{name!r}: one user puts {largest} into an entry, declared {stat.linf}"
        worst = max(worst, largest / stat.linf)
        if stat.l2 is not None:
            assert norm <= stat.l2 * (1 + FLOAT32) + slack, f"{name!r}: one user has norm {norm}, declared {stat.l2}"
            worst = max(worst, norm / stat.l2)
        else:  # the phase's clip is over what has no bound of its own
            square, slack_square = square + norm**2, slack_square + slack**2
    if phase.clip is not None:
        norm, limit = float(np.sqrt(square)), phase.clip + float(np.sqrt(slack_square))
        assert norm <= limit * (1 + FLOAT32), f"one user's update has norm {norm} after the clip at {phase.clip}"
        worst = max(worst, norm / phase.clip)
    return worst
