"""The secure sum is the plain sum of those whose vector arrived, bit for bit, whoever drops out and when."""

import numpy as np
import pytest

from fedrec.privacy import secure
from fedrec.privacy.secure.graph import neighbours
from tests.privacy.secure_round import STAGES, Round, must, random_case, small


@pytest.mark.parametrize("block", range(4))
def test_random_rounds_are_exact(block: int) -> None:
    for case in range(10 * block, 10 * block + 10):  # benchmarks/secure_sum.py runs 200
        r, drops = random_case(case)
        total = r.run(drops)
        early = {k for stage in STAGES[:3] for k in drops[stage]}
        assert set(r.server.survivors) == set(range(r.members)) - early  # a late drop-out's vector still counts
        assert total.dtype == np.dtype(f"<i{r.bits // 8}")
        assert np.array_equal(total, r.plain()), case


@pytest.mark.parametrize("stage", STAGES)
def test_drop_outs_at_each_stage_are_survived(stage: str) -> None:
    r = Round(members=12)
    assert np.array_equal(r.run({stage: [0, 5, 11]}), r.plain())
    assert len(r.server.survivors) == (9 if stage in STAGES[:3] else 12)


@pytest.mark.parametrize("stage", STAGES)
def test_below_the_threshold_the_round_aborts_and_keeps_no_sum(stage: str) -> None:
    r = Round(members=12).until(stage)
    r.answer([0, 5, 9, 11])  # 8 are left, 9 are needed
    must("RoundAborted", "threshold", r.server.advance)
    assert r.server.stage == "aborted"
    assert "nothing was unmasked" in str(r.server.aborted)
    assert r.server._sum.size == 0
    must("RoundAborted", "stage", r.server.total)
    must("RoundAborted", "stage", r.server.advance)


def test_fewer_survivors_than_planned_abort() -> None:
    r = Round(members=8)
    must("RoundAborted", "cohort", lambda: r.step([1, 2, 3]))


def test_three_organisations_add_up() -> None:
    for bits in (32, 64):
        r = Round(members=3, profile=secure.ORGANISATIONS, bits=bits)
        assert np.array_equal(r.run(), r.plain())


def test_messages_in_any_order_give_the_same_sum() -> None:
    r = Round(members=10)
    for _ in STAGES:
        answers = {k: r.clients[k].receive(m) for k, m in r.inbox.items()}
        for k in reversed(answers):
            r.server.receive(answers[k])
        r.inbox = dict(r.server.advance())
    assert np.array_equal(r.server.total(), r.plain())


def test_the_graph_is_regular_symmetric_and_not_the_servers_choice() -> None:
    graph = neighbours(range(100), 20, b"a" * 32)
    assert all(len(set(near)) == 20 and k not in near for k, near in graph.items())
    assert all(k in graph[j] for k, near in graph.items() for j in near)
    assert graph != neighbours(range(100), 20, b"b" * 32)
    assert graph == neighbours(reversed(range(100)), 20, b"a" * 32)
    assert all(len(near) == 20 for near in neighbours(range(21), 50, b"").values())


def test_upload_is_the_vector_and_two_percent() -> None:
    r = Round(members=60, length=200_000, profile=small(), degree=40).until("keys")
    up = 0
    for _ in STAGES:
        r.step()
        up += len(r.said[0])
    assert up <= 1.02 * r.length * 4


def test_a_vector_of_the_client_is_not_changed() -> None:
    r = Round()
    before = r.vectors.copy()
    r.run()
    assert np.array_equal(r.vectors, before)
