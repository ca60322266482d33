"""THE round loop, followed by hand."""

from itertools import count

import numpy as np

from fedrec.contract import Arrays, Phase
from fedrec.runtime.faults import Fault
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import RoundResult, State, Step, schedule, start, train
from tests.server.counting import CATALOG, USERS, Counting


def steps(**options: object) -> list[Step]:
    runtime = LocalRuntime(Counting(), CATALOG, USERS, 0)
    ticks = count()
    return list(train(Counting(), CATALOG, runtime, 0, clock=lambda: float(next(ticks)), **options))  # type: ignore[arg-type]


def test_rounds_follow_the_plan() -> None:
    done = steps()
    assert [(s.phase.name, s.record.round, s.record.phase) for s in done] == [
        ("count", 0, "count"),
        ("ask", 1, "ask"),
        ("ask", 2, "ask"),
    ]
    assert [s.before.round for s in done] == [0, 1, 2]
    assert [s.after.round for s in done] == [1, 2, 3]
    assert [(p.name, r) for p, r in schedule(Counting().plan(CATALOG))] == [("count", 0), ("ask", 0), ("ask", 1)]


def test_the_numbers_by_hand() -> None:
    done = steps()
    np.testing.assert_array_equal(done[0].after.shared["counts"], [2, 3, 0, 1])
    # round 0 of "ask": four clients send 1 + 1; round 1: four send 8 + 1, and the server adds 10 * 1
    assert float(done[1].after.shared["level"]) == 8.0
    assert float(done[2].after.shared["level"]) == 46.0
    assert int(done[2].after.shared["users 1"]) == 4


def test_a_record_says_what_happened() -> None:
    first, second, _ = (s.record for s in steps())
    assert (first.cohort, first.survivors, first.failures) == (4, 4, {})
    assert (first.up_bytes, first.down_bytes) == (4 * 4 * 4, 0)  # 4 clients, 4 counts of 4 bytes; nothing is broadcast
    assert (second.up_bytes, second.down_bytes) == (4 * 8, 4 * 8)  # one 64-bit number up, one float64 down
    assert first.seconds == 1.0  # the clock that was given ticks once a call
    assert (first.clipped, first.saturated, first.validation) == (0, 0, {})


def test_going_on_from_a_state_is_the_same_run() -> None:
    whole = steps()
    rest = steps(state=whole[0].after)
    assert [s.record.round for s in rest] == [1, 2]
    assert float(rest[-1].after.shared["level"]) == 46.0
    assert steps(state=whole[-1].after) == []


def test_an_abandoned_round_leaves_the_shared_state() -> None:
    runtime = LocalRuntime(Counting(), CATALOG, USERS, 0, faults=(Fault(reason="battery low", share=1.0),))
    done = list(train(Counting(), CATALOG, runtime, 0))
    for step in done:
        assert step.after.shared == step.before.shared
        assert step.record.survivors == 0
        assert step.record.failures == {"battery low": 4, "round abandoned: too few survivors": 1}
        assert step.record.up_bytes == 0
    assert done[-1].after.round == 3


def test_fewer_than_the_minimum_is_abandoned_and_the_minimum_is_enough() -> None:
    assert all("round abandoned: too few survivors" in s.record.failures for s in steps(minimum=5))
    assert all(s.record.failures == {} for s in steps(minimum=4))


def test_a_cohort_is_counted_by_who_was_asked() -> None:
    done = steps(cohort=2)
    assert all(s.record.cohort == s.record.survivors for s in done)
    assert any(s.record.cohort < 4 for s in done)


def test_start_holds_what_the_algorithm_says() -> None:
    state = start(Counting(), CATALOG, 5)
    assert state.round == 0
    assert set(state.shared) == {"level", "secret of the server"}


def test_any_object_with_one_method_is_a_runtime() -> None:
    class Nobody:
        n_clients = 3

        def __init__(self) -> None:
            self.asked: list[tuple[str, list[str], list[int], int]] = []

        def round(self, phase: Phase, broadcast: Arrays, cohort: np.ndarray, round: int, seed: int) -> RoundResult:
            self.asked.append((phase.name, list(broadcast), cohort.tolist(), round))
            return RoundResult(None, 0, {"asleep": 3}, 0, 0)

    nobody = Nobody()
    done = list(train(Counting(), CATALOG, nobody, 0, State({"level": np.array(1.0)}, 1)))
    assert nobody.asked == [("ask", ["level"], [0, 1, 2], 1), ("ask", ["level"], [0, 1, 2], 2)]
    assert done[0].record.failures == {"asleep": 3, "round abandoned: too few survivors": 1}
