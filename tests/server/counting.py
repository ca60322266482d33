"""An algorithm small enough to follow with a pencil: two phases, a broadcast, private state, sums of item numbers."""

import numpy as np

from fedrec.contract import (
    Algorithm,
    Arrays,
    Card,
    Catalog,
    History,
    Interactions,
    Part,
    Phase,
    Rng,
    Scores,
    Stat,
    Total,
    Update,
)

USERS = Interactions.from_lists(4, [[0, 1], [1], [], [3, 1, 0]])
CATALOG = Catalog(4, 4)


class Counting(Algorithm):
    """``count``: one round of item counts; ``ask``: two rounds in which each client sends one more than it was sent."""

    name = "counting"
    card = Card("counts, then adds ones", "made up for the tests")
    model = ("counts",)

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        return (
            Phase("count", 1, {"n": Stat((catalog.n_items,), 1.0, counts=True)}),
            Phase("ask", 2, {"sent": Stat((), 100.0, bits=64)}, broadcast=("level",)),
        )

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        return {"level": np.array(1.0), "secret of the server": np.array(9.0)}

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        return {"asked": np.zeros((), np.int64)}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        after: Arrays = {"asked": np.asarray(private["asked"] + 1)}
        if phase.name == "count":
            mine = np.unique(history.items)
            return {"n": Part(np.ones(len(mine)), (mine,))}, after
        assert set(shared) == {"level"}, "a client is sent what the phase broadcasts, and nothing else"
        return {"sent": Part(np.asarray(shared["level"] + 1.0))}, after

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        if phase.name == "count":
            return {**shared, "counts": total["n"]}
        return {**shared, "level": np.asarray(total["sent"] + 10.0 * round), f"users {round}": np.array(total.users)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.asarray(shared["counts"], np.float32)
