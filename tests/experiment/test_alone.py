"""Federation off: the two short ways give the scores of the literal run, one round loop a client."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fedrec.algorithms.registry import get
from fedrec.contract import Catalog
from fedrec.experiment.alone import alone_scores, literal
from fedrec.server.rounds import schedule
from fedrec.testing import worlds

PEOPLE = worlds.planted(20)
EVERYBODY: dict[str, list[dict[str, Any]]] = {
    "popularity": [{}, {"user_power": 0.5}],
    "markov": [{}],
    "itemknn": [{}, {"user_power": 1.0}],
    "ease": [{"reg": 3.0}, {"reg": 0.3, "user_power": 1.0}],
    "slist": [{"decay": [0.5, 0.9], "joint": 0.1}],
    "ials": [{"dim": 8, "sweeps": 3}],
    "fedmf": [{"dim": 8, "rounds": 4, "server": server} for server in ("sgd", "adagrad", "adam")]
    + [{"dim": 8, "rounds": 4, "weighting": "clients", "clip": 0.5, "row_clip": 0.1}],
    "pfedrec": [{"dim": 8, "rounds": 4, "scoring": scoring} for scoring in ("own", "server")]
    + [{"dim": 8, "rounds": 4, "row_clip": 0.3}],
    "lowpass": [
        {"filter": kind, "columns": 8, "rank": 6, "iterations": iterations}
        for kind in ("ideal", "gf-cf")
        for iterations in (1, 2, 4)
    ],
}


@pytest.mark.parametrize(("name", "settings"), [(n, s) for n, several in EVERYBODY.items() for s in several])
def test_the_short_way_gives_the_scores_of_the_literal_run(name: str, settings: dict[str, Any]) -> None:
    algorithm, catalog = get(name)(**settings), Catalog(PEOPLE.n_items, PEOPLE.n_users)
    ours = alone_scores(algorithm, catalog, PEOPLE, 3)(PEOPLE)
    rounds = len(schedule(algorithm.plan(catalog)))
    for row in range(PEOPLE.n_users):
        one = PEOPLE.slice(row, row + 1)
        theirs = literal(algorithm, catalog, one, one, 3, rounds)
        largest = np.abs(theirs).max()
        assert largest > 0
        np.testing.assert_allclose(ours[row], theirs, atol=1e-4 * largest, rtol=0)


def test_alone_a_filter_says_nothing_of_unseen_items() -> None:
    algorithm, catalog = get("lowpass")(columns=8, rank=6), Catalog(PEOPLE.n_items, PEOPLE.n_users)
    scores = alone_scores(algorithm, catalog, PEOPLE, 3)(PEOPLE)
    for row, (_, history) in enumerate(PEOPLE.histories()):
        assert not np.delete(scores[row], history.items).any()
