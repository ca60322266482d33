"""What the base class gives an author who writes one client."""

from typing import Any

import numpy as np
import pytest
from pydantic import Field, ValidationError

from fedrec.contract import (
    Algorithm,
    Arrays,
    Catalog,
    History,
    Interactions,
    Key,
    Part,
    Phase,
    Rng,
    Settings,
    Stat,
    Total,
    Update,
    row_of,
    rows_of,
    stack,
)
from fedrec.privacy import RingSum


class Config(Settings):
    step: float = Field(1.0, gt=0)


class Counter(Algorithm):
    """Counts items; each user remembers how often they were asked."""

    name = "counter"
    Config = Config

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (Phase("count", 2, {"n": Stat((catalog.n_items,), 1.0, counts=True)}, ("seen",)),)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        return {"seen": np.zeros(catalog.n_items)}

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        return {"asked": np.zeros(1)}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        return {"n": Part(np.ones(len(mine)), (mine,))}, {"asked": private["asked"] + 1}

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        return {"seen": shared["seen"] + total["n"]}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Any:
        return np.asarray(shared["seen"] * private["asked"][0] - len(history), np.float32)


USERS = Interactions.from_lists(3, [[0, 1], [], [1, 2]])
CATALOG = Catalog(3, 3)


def test_cohorts_come_for_free() -> None:
    algorithm = Counter()
    private = algorithm.cohort_private(USERS.users, Key(0), CATALOG)
    assert private["asked"].shape == (3, 1)
    (phase,) = algorithm.plan(CATALOG)
    total = RingSum(phase, 3)
    after = algorithm.cohort_update(phase, {}, private, USERS, Key(0), total)
    assert total.decode()["n"].tolist() == [1, 2, 1]
    assert after["asked"].tolist() == [[1.0], [1.0], [1.0]]
    scores = algorithm.cohort_scores({"seen": np.array([1.0, 2.0, 1.0])}, after, USERS, Key(0))
    assert scores.tolist() == [[-1.0, 0.0, -1.0], [1.0, 2.0, 1.0], [-1.0, 0.0, -1.0]]
    assert scores.dtype == np.float32


def test_the_ledger_is_derived_from_the_plan() -> None:
    ledger = Counter().explain(CATALOG)
    assert ledger.uploaded == {"count": {"n": ((3,), 12, 32)}}
    assert ledger.rounds == {"count": 2}
    assert ledger.clip == {"count": None}
    assert ledger.shared == {"seen": (3,)}
    assert ledger.private == {"asked": (1,)}


@pytest.mark.parametrize("settings", [{"stepp": 1.0}, {"step": 0.0}, {"step": "x"}])
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Counter(**settings)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Counter(step=2.0).config.step = 3.0


def test_states_stack_and_come_apart() -> None:
    states: list[Arrays] = [{"a": np.array([1.0]), "b": np.zeros((2, 2))}, {"a": np.array([2.0]), "b": np.ones((2, 2))}]
    stacked = stack(states)
    assert stacked["b"].shape == (2, 2, 2)
    np.testing.assert_array_equal(row_of(stacked, 1)["a"], [2.0])
    np.testing.assert_array_equal(rows_of(stacked, np.array([1, 0]))["a"], [[2.0], [1.0]])
    assert stack([]) == {}
    assert stack([{}, {}]) == {}
