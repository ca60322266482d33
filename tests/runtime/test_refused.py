"""A client whose update cannot be added fails with a reason; the round goes on and the sum is the others'."""

import numpy as np
import pytest

from fedrec.contract import (
    Arrays,
    Catalog,
    ContractError,
    Interactions,
    Key,
    Part,
    Phase,
    Stat,
    Update,
    UpdateError,
    UpdateSum,
)
from fedrec.privacy import RingSum
from fedrec.privacy.protection import Protection
from fedrec.privacy.secure import DEMO
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import train
from tests.server.counting import Counting

USERS = Interactions.from_lists(4, [[0, 1], [1], [], [3, 1, 0]] * 3)
CATALOG = Catalog(4, 12)

PHASE = Phase("p", 1, {"a": Stat((3,), 2.0), "b": Stat((4, 2), 1.0, row=1.0)}, clip=3.0)
GOOD: Update = {"a": Part(np.ones(3)), "b": Part(np.full((1, 2), 0.5), (np.array([1]),))}
BAD: dict[str, Update] = {
    "not a number": GOOD | {"a": Part(np.array([1.0, np.nan, 0.0]))},
    "infinite": GOOD | {"b": Part(np.full((1, 2), np.inf), (np.array([1]),))},
    "too long": GOOD | {"a": Part(np.ones(4))},
    "too wide": GOOD | {"b": Part(np.ones((1, 3)), (np.array([1]),))},
    "an id too high": GOOD | {"b": Part(np.ones((1, 2)), (np.array([4]),))},
    "an id below 0": GOOD | {"b": Part(np.ones((1, 2)), (np.array([-1]),))},
    "a statistic missing": {"a": GOOD["a"]},
    "one too many": GOOD | {"c": Part(np.ones(3))},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_nothing_of_a_refused_update_is_in_the_sum(bad: Update) -> None:
    total = RingSum(PHASE, 3)
    total.add(GOOD)
    before = {name: array.copy() for name, array in total.ring.items()}
    with pytest.raises(ContractError):
        total.add(bad)
    assert not total.offer(7, bad)
    assert total.offer(8, GOOD)
    assert list(total.refused) == [7]
    assert total.users == 2
    for name, array in before.items():
        np.testing.assert_array_equal(total.ring[name], 2 * array)


def test_a_row_is_cut_at_its_bound_and_the_others_are_left_alone() -> None:
    total = RingSum(PHASE, 1)
    total.add({"a": Part(np.zeros(3)), "b": Part(np.array([[0.3, 0.4], [1.2, 1.6]]), (np.array([0, 2]),))})
    np.testing.assert_allclose(total.decode()["b"][[0, 2]], [[0.3, 0.4], [0.6, 0.8]], atol=1e-6)


class Faulty(Counting):
    """Some users send what cannot be added."""

    def __init__(self, bad: tuple[int, ...]) -> None:
        super().__init__()
        self.bad = bad

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        good = np.flatnonzero(~np.isin(users.users, self.bad))
        mine = {name: array[good] for name, array in private.items()}
        after = super().cohort_update(phase, shared, mine, users.take(good), key, total)
        for user in set(users.users.tolist()) & set(self.bad):
            total.offer(user, {name: Part(np.full(s.shape, np.nan)) for name, s in phase.stats.items()})
        out = {name: array.copy() for name, array in private.items()}
        for name, array in after.items():
            out[name][good] = array
        return out


def guard(masks: str) -> Protection:
    return Protection(7, 12, None, masks, DEMO)


@pytest.mark.parametrize("masks", ["", "simulated", "full"])
def test_the_round_goes_on_without_it_and_says_why(masks: str) -> None:
    algorithm = Faulty((1,))
    runtime = LocalRuntime(algorithm, CATALOG, USERS, 0, protection=guard(masks) if masks else None)
    steps = list(train(algorithm, CATALOG, runtime, 0))
    assert steps[0].after.shared["counts"].tolist() == [6, 8, 0, 3]  # user 1's item 1 is missing
    for step in steps:
        assert step.record.survivors == 11
        assert step.record.failures == {
            f"statistic '{next(iter(step.phase.stats))}' of a client holds a value that is not finite": 1
        }
    assert steps[-1].after.shared["users 0"] == 11


@pytest.mark.parametrize("masks", ["", "simulated", "full"])
def test_a_round_of_nothing_but_bad_updates_is_abandoned(masks: str) -> None:
    algorithm = Faulty(tuple(range(12)))
    runtime = LocalRuntime(algorithm, CATALOG, USERS, 0, protection=guard(masks) if masks else None)
    step = next(iter(train(algorithm, CATALOG, runtime, 0)))
    assert step.after.shared is step.before.shared or "counts" not in step.after.shared
    assert step.record.failures["round abandoned: too few survivors"] == 1


def test_an_organisation_leaves_out_the_person_and_stays() -> None:
    algorithm = Faulty((1,))
    runtime = LocalRuntime(algorithm, CATALOG, USERS, 0, client_of=np.arange(12) % 2)
    step = next(iter(train(algorithm, CATALOG, runtime, 0)))
    assert step.record.survivors == 2
    assert step.after.shared["counts"].tolist() == [6, 8, 0, 3]


def test_the_cohort_path_of_the_contract_still_stops_at_its_authors_mistake() -> None:
    class Wrong(Counting):
        def client_update(self, *args: object) -> tuple[Update, Arrays]:
            return {"n": Part(np.full(4, np.nan))}, {"asked": np.zeros((), np.int64)}

    runtime = LocalRuntime(Wrong(), CATALOG, USERS, 0)
    with pytest.raises(UpdateError, match="not finite"):
        next(iter(train(Wrong(), CATALOG, runtime, 0)))
