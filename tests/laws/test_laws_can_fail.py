"""Each law is broken by an algorithm made for it: a law that cannot fail says nothing."""

import pytest
from hypothesis import Phase, settings

from fedrec.testing import AlgorithmLaws, sums

BROKEN = [
    ("CountsChunks", "test_law_1_additivity"),
    ("ForgetsToCount", "test_law_2_one_is_many"),
    ("CohortIsAnother", "test_law_2_one_is_many"),
    ("CohortScoresAnother", "test_law_2_scoring_many_is_scoring_one"),
    ("AsksHowManyThreads", "test_law_3_engine_free_chunks_and_threads"),
    ("CohortIsAnother", "test_law_3_engine_free_wire"),
    ("SendsWhatItTouched", "test_law_4_an_update_is_what_the_plan_declares"),
    ("SendsItsVector", "test_law_4_an_update_is_what_the_plan_declares"),
    ("KnowsTheUsers", "test_law_4_no_shape_knows_the_users"),
    ("OneHalfIsNotTheOther", "test_law_4_symmetric_statistics_are_symmetric"),
    ("IsLouderThanItSays", "test_law_5_bounded"),
    ("FastPathDoesNotClip", "test_law_5_bounded"),
    ("AsksForMoreNoiseThanItNeeds", "test_law_5_the_norms_are_met"),
    ("CountsTooMuchBeforeTheClip", "test_law_5_the_norms_are_met"),
    ("GlobalDice", "test_law_6_no_global_randomness"),
    ("SaysItIsRandom", "test_law_6_the_seed_decides_where_the_algorithm_says_so"),
    ("IsRandomButDoesNotSay", "test_law_6_the_seed_decides_where_the_algorithm_says_so"),
    ("TwoKindsOfUsers", "test_law_6_users_have_streams_of_their_own"),
    ("TheSameForEverybody", "test_law_7_checkerboard"),
    ("TheSameForEverybody", "test_law_7_the_bundled_sample"),
    ("TheSameForEverybody", "test_law_8_it_learns_where_there_is_something_to_learn"),
    ("HasSeenTheTest", "test_law_8_permuted_labels_are_chance"),
    ("HasSeenTheTest", "test_law_8_alone_is_chance"),
    ("WritesIntoTheBroadcast", "test_duty_a_client_leaves_its_inputs_alone"),
    ("SpendsTheTotal", "test_duty_the_server_step_is_pure"),
]


@pytest.fixture(autouse=True)
def no_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest failing case is for people to read; here it only costs time."""
    phases = (Phase.generate, Phase.target)
    monkeypatch.setattr(sums, "QUIET", settings(sums.QUIET, phases=phases))
    monkeypatch.setattr(sums, "SEARCH", settings(sums.SEARCH, phases=phases))


@pytest.mark.parametrize(("broken", "law"), BROKEN)
def test_a_broken_algorithm_is_noticed(broken: str, law: str) -> None:
    laws = type("Laws", (AlgorithmLaws,), {"name": f"tests.laws.broken:{broken}", "floor": 0.05})()
    with pytest.raises(AssertionError):
        getattr(laws, law)()


def test_a_resumed_run_is_compared_with_a_fresh_object() -> None:
    """What an algorithm remembers outside the shared state is lost with the process; law 6 must see it."""
    laws = type("Laws", (AlgorithmLaws,), {"name": "tests.laws.broken:Remembers"})()
    with pytest.raises(AssertionError):
        laws.test_law_6_a_resumed_run_is_an_uninterrupted_one()


def test_baselines_are_not_asked_to_recommend() -> None:
    baseline = type("Baseline", (AlgorithmLaws,), {"name": "popularity"})
    personal = type("Personal", (AlgorithmLaws,), {"name": "ease"})
    for number, asked in ((1, True), (6, True), (7, False), (8, False)):
        tests = [t for t in dir(baseline) if t.startswith(f"test_law_{number}") and getattr(baseline, t)]
        assert bool(tests) == asked
        assert [t for t in dir(personal) if t.startswith(f"test_law_{number}") and getattr(personal, t)]


def test_every_law_is_broken_by_somebody() -> None:
    names = {n for n in dir(AlgorithmLaws) if n.startswith("test_law_")}
    assert {int(n.split("_")[2]) for n in names} == set(range(1, 9))
    resumed = {"test_law_6_a_resumed_run_is_an_uninterrupted_one"}
    # the starting state is drawn by one function for both paths, and sizes and ledger follow from the plan: what
    # breaks these breaks the first test of their law too
    implied = {
        "test_law_2_a_cohort_starts_as_its_members",
        "test_law_4_a_reply_has_one_size",
        "test_law_4_the_ledger_agrees_with_the_plan",
    }
    assert names - {law for _, law in BROKEN} - resumed == implied
