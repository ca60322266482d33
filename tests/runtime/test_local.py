"""The vectorised runtime: chunks, silos, faults, private state, bytes."""

import numpy as np
import pytest

from fedrec.contract import Arrays, Interactions, Key, UpdateSum
from fedrec.contract import Phase as PhaseType
from fedrec.runtime.faults import Fault, split_failures
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import train
from tests.server.counting import CATALOG, USERS, Counting

COUNT, ASK = Counting().plan(CATALOG)


def ask(runtime: LocalRuntime, cohort: list[int], number: int = 1) -> tuple[float, int]:
    result = runtime.round(ASK, {"level": np.array(1.0)}, np.array(cohort, np.int64), number, 0)
    assert result.total is not None
    return float(result.total["sent"]), result.survivors


@pytest.mark.parametrize("chunk", [1, 3, 4, 100])
def test_only_the_cohort_takes_part_and_remembers(chunk: int) -> None:
    runtime = LocalRuntime(Counting(), CATALOG, USERS, 0, chunk=chunk)
    assert ask(runtime, [0, 3]) == (4.0, 2)
    assert runtime.private["asked"].tolist() == [1, 0, 0, 1]
    assert ask(runtime, [0, 1, 2, 3]) == (8.0, 4)
    assert runtime.private["asked"].tolist() == [2, 1, 1, 2]
    result = runtime.round(COUNT, {}, np.array([3]), 0, 0)
    assert result.total is not None
    assert result.total["n"].tolist() == [1, 1, 0, 1]
    assert result.total.users == 1


def test_chunks_are_of_the_asked_size() -> None:
    seen: list[int] = []

    class Watched(Counting):
        def cohort_update(
            self, phase: PhaseType, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
        ) -> Arrays:
            seen.append(users.n_users)
            return super().cohort_update(phase, shared, private, users, key, total)

    runtime = LocalRuntime(Watched(), CATALOG, USERS, 0, chunk=3)
    runtime.round(COUNT, {}, np.arange(4), 0, 0)
    assert seen == [3, 1]


def test_a_silo_is_a_client_that_holds_many() -> None:
    shops = np.array([0, 1, 0, 1])
    runtime = LocalRuntime(Counting(), CATALOG, USERS, 0, client_of=shops)
    assert runtime.n_clients == 2
    result = runtime.round(COUNT, {}, np.array([1]), 0, 0)
    assert result.total is not None
    assert result.total["n"].tolist() == [1, 2, 0, 1]  # users 1 and 3
    assert result.total.users == 2  # people, who count for the head-room
    assert result.survivors == 1  # clients
    assert result.up_bytes == 16  # one upload a silo: it adds its users before it sends
    everybody = runtime.round(COUNT, {}, np.array([0, 1]), 0, 0)
    assert everybody.total is not None
    assert everybody.total["n"].tolist() == [2, 3, 0, 1]
    assert everybody.up_bytes == 32


def test_silos_train_the_model_of_their_people() -> None:
    people = LocalRuntime(Counting(), CATALOG, USERS, 0)
    shops = LocalRuntime(Counting(), CATALOG, USERS, 0, client_of=np.array([1, 0, 1, 1]))
    one, two = (list(train(Counting(), CATALOG, r, 0))[-1].after.shared for r in (people, shops))
    assert {n: a.tolist() for n, a in one.items()} == {n: a.tolist() for n, a in two.items()}


def test_failed_clients_are_left_out_with_their_reason() -> None:
    faults = (Fault(reason="no network", share=0.5),)
    runtime = LocalRuntime(Counting(), CATALOG, USERS, 0, faults=faults)
    for number in range(20):
        survivors, reasons = split_failures(np.arange(4), faults, 0, number)
        before = runtime.private["asked"].copy()
        result = runtime.round(ASK, {"level": np.array(1.0)}, np.arange(4), number, 0)
        assert result.failures == reasons
        assert result.survivors == len(survivors)
        assert result.down_bytes == 4 * 8  # everybody was sent the broadcast
        assert result.up_bytes == 8 * len(survivors)
        assert (runtime.private["asked"] - before).nonzero()[0].tolist() == survivors.tolist()
        if len(survivors):
            assert result.total is not None
            assert float(result.total["sent"]) == 2.0 * len(survivors)
        else:
            assert result.total is None


def test_nobody_asked_is_no_total() -> None:
    runtime = LocalRuntime(Counting(), CATALOG, USERS, 0)
    result = runtime.round(COUNT, {}, np.zeros(0, np.int64), 0, 0)
    assert result.total is None
    assert (result.survivors, result.failures, result.up_bytes) == (0, {}, 0)
