"""The shopkeeper's question: each group of customers as one shop, alone / federated / pooled.

* alone: the shop trains on its own customers; its ridge penalty is chosen for shops alone, on validation;
* federated: the secure sum over all shops, each shop one client;
* pooled: the independent centralised twin on everybody's purchases in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec import twins
from fedrec.contract import Catalog, Interactions, Key
from fedrec.data.dataset import Dataset
from fedrec.data.splits import Split
from fedrec.experiment import run
from fedrec.experiment.alone import relabelled, widened
from fedrec.experiment.bench import Entry
from fedrec.experiment.config import RunConfig, make_algorithm
from fedrec.experiment.fit import Model
from fedrec.metrics.bootstrap import difference, interval
from fedrec.metrics.ranking import per_user
from fedrec.metrics.ranks import Scorer, rank_all
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import schedule, start

METRIC = ("recall", 20)
FACTORS = (0.1, 0.3, 1.0)  # of the federated ridge penalty, tried for shops alone
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Arms:
    """Per tested user, (u,) float64: recall@20 alone, federated, pooled."""

    alone: FloatArray
    federated: FloatArray
    pooled: FloatArray


def shops(base: RunConfig, data: Dataset, entries: list[Entry], protocol: str = "last-basket") -> dict[str, Any]:
    """Return the shops table of the document."""
    arms: dict[str, Arms] = {}
    for entry in entries:
        settings = entry.settings | entry.per_protocol.get(protocol, {})
        config = base.model_copy(update={"algorithm": entry.algorithm, "settings": settings, "protocol": protocol})
        prepared = run.prepare(config, data)
        assert prepared.options.client_of is not None
        arms[entry.algorithm] = _arms(prepared, prepared.options.client_of, len(prepared.labels))
    assert prepared.split.test is not None
    mine = prepared.options.client_of[prepared.split.test.histories.users]  # type: ignore[index]
    order = sorted(range(len(prepared.labels)), key=lambda c: (-int((mine == c).sum()), prepared.labels[c]))
    largest = order[0]
    groups = [(f"{len(order) - 1} smaller shops together", mine != largest, True)]
    groups += [(prepared.labels[c], mine == c, False) for c in order if (mine == c).any()]
    rows = [
        {
            "name": name,
            "users": int(mask.sum()),
            "total": total,
            "scores": {algorithm: _scores(arm, mask) for algorithm, arm in arms.items()},
        }
        for name, mask, total in groups
    ]
    return {
        "data": data.name,
        "protocol": protocol,
        "metric": f"{METRIC[0]}@{METRIC[1]}",
        "algorithms": [e.algorithm for e in entries],
        "rows": rows,
        "note": "Users are the customers tested. Alone: the shop trains on its own customers, with a ridge penalty "
        "chosen on validation for shops alone. Pooled: the centralised twin. Gain: federated minus alone, paired over "
        "the same customers.",
    }


def _scores(arm: Arms, mask: NDArray[np.bool_]) -> dict[str, Any]:
    def estimate(found: Any) -> dict[str, Any]:
        return {"value": found.mean, "low": found.low, "high": found.high}

    return {
        "alone": estimate(interval(arm.alone[mask])),
        "federated": estimate(interval(arm.federated[mask])),
        "pooled": estimate(interval(arm.pooled[mask])),
        "gain": estimate(difference(arm.federated[mask], arm.alone[mask])),
    }


def _arms(prepared: run.Prepared, client_of: NDArray[np.int64], n_shops: int) -> Arms:
    split = prepared.split
    assert split.test is not None
    assert split.validation is not None
    outcome = run.execute(prepared)
    assert outcome.ranks is not None
    algorithm = prepared.algorithm
    twin = twins.get_twin(algorithm.name)
    assert twin is not None
    pooled = twin(split.final, split.test.histories, algorithm.config.model_dump(), None)
    rows = {int(user): row for row, user in enumerate(split.test.histories.users)}
    pooled_ranks = rank_all(lambda people: pooled[[rows[int(u)] for u in people.users]].astype(np.float32), split.test)
    return Arms(
        _alone(prepared, split, client_of, n_shops),
        per_user(outcome.ranks, *METRIC),
        per_user(pooled_ranks, *METRIC),
    )


def _alone(prepared: run.Prepared, split: Split, client_of: NDArray[np.int64], n_shops: int) -> FloatArray:
    """Return recall@20 of every tested user from the model of the user's own shop.

    The penalty is one for the largest shop and one for all the others: a shop of five cannot choose its own.
    """
    assert split.test is not None
    assert split.validation is not None
    reg = float(prepared.algorithm.config.reg)
    sizes = np.bincount(client_of, minlength=n_shops)
    largest = int(sizes.argmax())
    validated = np.zeros((len(FACTORS), split.validation.n_users))
    for shop in range(n_shops):
        people = np.flatnonzero(client_of[split.validation.histories.users] == shop)
        if len(people):
            scorers = _shop_scorers(prepared, split.train, client_of == shop, [f * reg for f in FACTORS])
            task = split.validation.take(people)
            for number, scorer in enumerate(scorers):
                validated[number, people] = per_user(rank_all(scorer, task), *METRIC)
    is_largest = client_of[split.validation.histories.users] == largest
    best = {
        True: FACTORS[int(validated[:, is_largest].mean(axis=1).argmax())],
        False: FACTORS[int(validated[:, ~is_largest].mean(axis=1).argmax())],
    }
    out = np.zeros(split.test.n_users)
    for shop in range(n_shops):
        people = np.flatnonzero(client_of[split.test.histories.users] == shop)
        if len(people):
            chosen = best[shop == largest] * reg
            scorer = _shop_scorers(prepared, split.final, client_of == shop, [chosen])[0]
            out[people] = per_user(rank_all(scorer, split.test.take(people)), *METRIC)
    return out


def _shop_scorers(
    prepared: run.Prepared, users: Interactions, mine: NDArray[np.bool_], penalties: list[float]
) -> list[Scorer]:
    """Return one scorer a penalty, trained on one shop's customers only; the sums are taken once.

    The products that a small shop never sold are exchangeable, so one stands in for them all (experiment.alone): its
    matrices are then as large as its own range, not as the whole catalogue.
    """
    own = users.take(np.flatnonzero(mine).astype(np.int64))
    sold, n_items = np.unique(own.items), prepared.catalog.n_items
    whole = len(sold) == n_items
    catalog = Catalog(n_items if whole else len(sold) + 1, own.n_users)
    config, scorers = prepared.config, []
    algorithm = prepared.algorithm
    runtime = LocalRuntime(algorithm, catalog, own if whole else relabelled(own, sold), config.seed)
    (phase, inner), *rest = schedule(algorithm.plan(catalog))
    assert not rest, "shops compare one-round closed forms"
    result = runtime.round(phase, {}, np.arange(own.n_users), 0, config.seed)
    assert result.total is not None
    for penalty in penalties:
        settled = make_algorithm(config.algorithm, config.settings | {"reg": penalty})
        shared = settled.server_update(phase, start(settled, catalog, config.seed).shared, result.total, inner)
        scorer = Model(settled, catalog, shared, {}, Key(config.seed, 1, "adapt"), 1).scorer()
        scorers.append(scorer if whole else _with_stand_in(scorer, sold, n_items))
    return scorers


def _with_stand_in(scorer: Scorer, sold: NDArray[np.int32], n_items: int) -> Scorer:
    return lambda people: widened(scorer(relabelled(people, sold)), sold, n_items)
