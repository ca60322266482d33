"""Sums that the server sees only whole, with noise: the same integers every way, and refusals before a leak."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fedrec import data
from fedrec.algorithms import registry
from fedrec.contract import Algorithm, Catalog, FedrecError, Interactions, StorageError, Total
from fedrec.privacy.mechanism import Target, calibrate
from fedrec.privacy.noise import NoiseKey
from fedrec.privacy.protection import Protection
from fedrec.privacy.secure import DEMO, Refused
from fedrec.runtime import secure
from fedrec.runtime.faults import Fault
from fedrec.runtime.local import LocalRuntime
from fedrec.runtime.secure import Members
from fedrec.server.rounds import Step, train

USERS = data.load("synthetic:users=12,items=40,per_user=6,seed=1").interactions
CATALOG = Catalog(USERS.n_items, USERS.n_users)
KEY = NoiseKey(bytes(range(32)))
SMALL: dict[str, dict[str, Any]] = {
    "popularity": {},
    "ease": {},
    "slist-lowrank": {"rank": 8},
    "ials": {"dim": 4, "sweeps": 2},
    "fedmf": {"dim": 8, "rounds": 2},
}


def protection(masks: str = "simulated", algorithm: Algorithm | None = None, **more: Any) -> Protection:
    noise = None if algorithm is None else calibrate(algorithm.plan(CATALOG), 12, Target(4.0, 1e-5), 7, 12)
    return Protection(7, 12, noise, masks, DEMO, key=KEY, **more)


def run(algorithm: Algorithm, guard: Protection | None, users: Interactions = USERS, **more: Any) -> list[Step]:
    runtime = LocalRuntime(algorithm, CATALOG, users, 3, protection=guard, **more)
    return list(train(algorithm, CATALOG, runtime, 3))


def same(a: Step, b: Step) -> bool:
    return all(np.array_equal(array, b.after.shared[name]) for name, array in a.after.shared.items())


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("faults", [(), (Fault(reason="battery low", share=0.2),)], ids=["all", "drop-outs"])
def test_masks_left_out_and_all_messages_give_the_plain_sum(name: str, faults: tuple[Fault, ...]) -> None:
    plain = run(registry.get(name)(**SMALL[name]), None, faults=faults)
    for masks in ("simulated", "full"):
        guarded = run(registry.get(name)(**SMALL[name]), protection(masks), faults=faults)
        for one, other in zip(plain, guarded, strict=True):
            assert one.record.survivors == other.record.survivors
            assert same(one, other)
    assert (plain[0].record.survivors < 12) == bool(faults)


def test_organisations_add_their_people_first() -> None:
    of = np.arange(12) % 8
    plain = run(registry.get("ease")(), None, client_of=of)[-1]
    masked = run(registry.get("ease")(), protection("full"), client_of=of)[-1]
    assert same(plain, masked)
    assert masked.record.survivors == 8


class Watching(Protection):
    """Keeps what each client's vector was before and after its noise share."""

    def add_share(self, phase: Any, vector: Any, clients: int, context: bytes) -> None:
        seen = self.__dict__.setdefault("seen", [])
        before = vector.copy()
        super().add_share(phase, vector, clients, context)
        seen.append((before, vector.copy()))


def test_with_noise_the_sum_is_what_clients_sent_and_each_adds_its_share() -> None:
    algorithm = registry.get("popularity")()
    guard = protection("full", algorithm)
    watched = Watching(**{f: getattr(guard, f) for f in Protection.__dataclass_fields__})
    step = run(algorithm, watched)[-1]
    before, after = zip(*watched.__dict__["seen"], strict=True)
    noise = algorithm.plan(CATALOG)[0].name, "counts"
    assert len(before) == 12
    mechanism = watched.mechanism
    assert mechanism is not None
    found = mechanism.noise[noise[0]][noise[1]]
    with np.errstate(over="ignore"):
        summed = np.sum(after, axis=0, dtype=np.int32)
    assert np.array_equal(step.after.shared["counts"], (summed * found.quantum).astype(np.float32))
    counts = run(registry.get("popularity")(), None)[-1].after.shared["counts"]
    assert np.array_equal(np.sum(before, axis=0) >> found.lift, counts)  # counts are exact until the noise is added
    shares = np.stack(after).astype(np.float64) - np.stack(before)
    assert 0.75 < shares.var() / (found.variance / 7) < 1.3  # 480 draws: four standard errors are 26 %
    assert abs(np.corrcoef(shares)[~np.eye(12, dtype=bool)]).max() < 0.8  # no two clients' are the same


def test_noise_of_a_symmetric_sum_is_symmetric_and_half_beside_the_diagonal() -> None:
    algorithm = registry.get("ease")()
    plain, noisy = (_totals(algorithm, guard) for guard in (None, protection("simulated", algorithm)))
    off = (noisy["pairs"] - plain["pairs"]) / noisy.sigma("pairs")
    assert np.array_equal(off, off.T)
    assert 0.3 < off[np.triu_indices(40, 1)].var() < 0.75
    assert 0.3 < np.diagonal(off).var() < 2.2


def _totals(algorithm: Algorithm, guard: Protection | None) -> Total:
    runtime = LocalRuntime(algorithm, CATALOG, USERS, 3, protection=guard)
    total = runtime.round(algorithm.plan(CATALOG)[0], {}, np.arange(12), 0, 3).total
    assert total is not None
    return total


def test_a_repeated_round_adds_the_same_noise_and_other_data_other_noise() -> None:
    algorithm = registry.get("popularity")()
    names: list[str] = []

    def counts(users: Interactions, **more: Any) -> Any:
        guard = protection("simulated", algorithm, spend=lambda name, _: names.append(name), **more)
        return run(algorithm, guard, users)[-1].after.shared["counts"]

    first, again = counts(USERS), counts(USERS)
    assert np.array_equal(first, again)
    assert names[0] == names[1]
    lists = [h.items.tolist() for _, h in USERS.histories()]
    lists[3] = [i for i in range(40) if i not in lists[3]][: len(lists[3])]
    others = counts(Interactions.from_lists(40, lists))
    assert names[2] != names[0]
    assert np.count_nonzero(first != others) > 30  # with the same noise only the changed person's items would differ
    counts(USERS, label="final")
    assert len(set(names)) == 3


def test_a_release_is_written_down_before_it_is_made() -> None:
    algorithm = registry.get("popularity")()

    def refuse(name: str, releases: Any) -> None:
        raise StorageError("the disk is full")

    for masks in ("simulated", "full"):
        with pytest.raises(StorageError, match="disk is full"):
            run(algorithm, protection(masks, algorithm, spend=refuse))


def test_below_the_least_number_nothing_is_released_or_spent() -> None:
    algorithm = registry.get("popularity")()
    spent: list[str] = []
    for masks in ("simulated", "full"):
        guard = protection(masks, algorithm, spend=lambda name, _: spent.append(name))
        step = run(algorithm, guard, faults=(Fault(reason="offline", share=0.7),))[-1]
        assert step.record.survivors < 7
        assert step.after.shared == {}
        assert "round abandoned: too few survivors" in step.record.failures
    assert spent == []


def test_the_server_is_not_told_who_was_clipped() -> None:
    loud = {"dim": 8, "rounds": 1, "clip": 1e-4}
    assert run(registry.get("fedmf")(**loud), None)[-1].record.clipped == 12
    assert run(registry.get("fedmf")(**loud), protection())[-1].record.clipped == 0


@pytest.mark.parametrize("masks", ["simulated", "full"])
def test_two_noiseless_sums_that_differ_by_one_client_are_refused(masks: str) -> None:
    members = Members(replace(DEMO, apart=3))
    algorithm = registry.get("popularity")()

    def counts(cohort: int, **guard: Any) -> Any:
        runtime = LocalRuntime(algorithm, CATALOG, USERS, 3, protection=protection(masks, **guard), members=members)
        return runtime.round(algorithm.plan(CATALOG)[0], {}, np.arange(cohort), 0, 3).total

    assert counts(12) is not None
    assert counts(12) is not None  # the same cohort tells nothing new
    with pytest.raises(Refused, match="differs by 1 members"):
        counts(11)
    assert counts(9) is not None  # three apart
    assert counts(11, algorithm=algorithm) is not None  # with noise the ledger pays


def test_members_keep_what_they_know_before_an_answer_leaves() -> None:
    kept: list[dict[str, Any]] = []
    members = Members(DEMO, save=kept.append)
    algorithm = registry.get("popularity")()
    runtime = LocalRuntime(algorithm, CATALOG, USERS, 3, protection=protection("full"), members=members)
    runtime.round(algorithm.plan(CATALOG)[0], {}, np.arange(12), 0, 3)
    assert [known["round"] for known in kept] == [0, 0]
    assert [list(known["released"].values()) for known in kept] == [[], [[list(range(12))]]]


def test_other_statistics_of_a_plan_wait_for_their_own_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's unmasked vector stays in a client after its message has gone."""
    made: list[Any] = []
    real = secure.SecureSumClient

    def watched(*args: Any, **more: Any) -> Any:
        made.append(real(*args, **more))
        return made[-1]

    monkeypatch.setattr(secure, "SecureSumClient", watched)
    run(registry.get("popularity")(), protection("full"))
    assert len(made) == 12
    assert all(client._vector is None for client in made)
    assert threading.active_count() >= 1


@pytest.mark.parametrize("noise", [False, True])
def test_no_plain_vector_reaches_the_server(noise: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []
    real = secure.SecureSumServer.receive

    def listening(self: Any, message: bytes) -> int:
        heard.append(bytes(message))
        return real(self, message)

    monkeypatch.setattr(secure.SecureSumServer, "receive", listening)
    algorithm = registry.get("slist-lowrank")(rank=8)
    guard = protection("full")
    watched = Watching(**{f: getattr(guard, f) for f in Protection.__dataclass_fields__})
    if noise:
        algorithm = registry.get("popularity")()
        watched.mechanism = protection("full", algorithm).mechanism
    run(algorithm, watched)
    assert len(heard) >= 12 * 5
    everything = b"".join(heard)
    for before, after in watched.__dict__["seen"]:
        for vector in (before, after):
            some = vector[vector != 0][:4].tobytes()  # four numbers in a row would give a person away
            assert len(some) == 4 * vector.itemsize
            assert vector.tobytes() not in everything
            assert some not in everything


def test_refusals_are_the_projects_own_errors() -> None:
    assert issubclass(Refused, FedrecError)
