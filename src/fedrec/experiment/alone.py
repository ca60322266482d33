"""Federation off: every client trains by itself, a federation of one, for as many rounds.

The literal run is the round loop with one client, on all items. Two shorter ways give the same scores (tested on 20
clients against the literal run):

* closed forms (``random`` False): items the client never had are exchangeable, so the run is made on the client's own
  items and one stand-in for all the others;
* algorithms with a method ``alone_scores(catalog, train, histories, seed, rounds)`` do it at the speed of a kernel.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Catalog, Interactions, Key, Scores
from fedrec.metrics.ranks import Scorer
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import schedule, start, train


@runtime_checkable
class TrainsAlone(Protocol):
    """An algorithm that can run federations of one for many clients at once."""

    def alone_scores(
        self, catalog: Catalog, train: Interactions, histories: Interactions, seed: int, rounds: int
    ) -> Scores:
        """Return (n_users, n_items) float32; row u of ``train`` and ``histories`` is the same person."""


def alone_scores(
    algorithm: Algorithm, catalog: Catalog, users: Interactions, seed: int, rounds: int | None = None
) -> Scorer:
    """Return a function from histories to scores, (people, n_items) float32, of models trained on one client each.

    ``users``: the training histories of everybody, from which the people to score are looked up; ``rounds``: how many
    rounds each client trains (None: all of the plan). Nothing is trained before scores are asked for, and nothing is
    kept, so memory does not grow with the number of clients.
    """
    planned = len(schedule(algorithm.plan(catalog)))
    wanted = planned if rounds is None else min(rounds, planned)

    def score(people: Interactions) -> Scores:
        mine = users.take(np.searchsorted(users.users, people.users).astype(np.int64))
        if not np.array_equal(mine.users, people.users):
            raise ValueError("people to score who are not among the training users (or these are not sorted)")
        if isinstance(algorithm, TrainsAlone):
            return algorithm.alone_scores(catalog, mine, people, seed, wanted)
        one = literal if algorithm.random or catalog.features is not None else with_stand_in
        rows = [
            one(algorithm, catalog, mine.slice(row, row + 1), people.slice(row, row + 1), seed, wanted)
            for row in range(people.n_users)
        ]
        return np.stack(rows) if rows else np.empty((0, catalog.n_items), np.float32)

    return score


def literal(
    algorithm: Algorithm, catalog: Catalog, user: Interactions, history: Interactions, seed: int, rounds: int
) -> Scores:
    """Return the scores (n_items,) of one client that is the whole federation, by the round loop."""
    alone = Catalog(catalog.n_items, 1, catalog.features)
    runtime = LocalRuntime(algorithm, alone, user, seed)
    state = start(algorithm, alone, seed)
    for step in train(algorithm, alone, runtime, seed, state):
        state = step.after
        if state.round >= rounds:
            break
    key = Key(seed, state.round, "adapt")
    return np.asarray(algorithm.cohort_scores(state.shared, runtime.private, history, key)[0], np.float32)


def with_stand_in(
    algorithm: Algorithm, catalog: Catalog, user: Interactions, history: Interactions, seed: int, rounds: int
) -> Scores:
    """Return the same scores from the client's own items and one stand-in for all the items it never had."""
    own = np.union1d(user.items, history.items)
    if len(own) == catalog.n_items:
        return literal(algorithm, catalog, user, history, seed, rounds)
    small = Catalog(len(own) + 1, 1)
    scores = literal(algorithm, small, relabelled(user, own), relabelled(history, own), seed, rounds)
    return np.asarray(widened(scores[None], own, catalog.n_items)[0])


def relabelled(users: Interactions, own: NDArray[np.int32]) -> Interactions:
    """Return people who have the items ``own`` (m,) only, in a catalogue of these and one stand-in."""
    items = np.searchsorted(own, users.items).astype(np.int32)
    return Interactions(len(own) + 1, users.users, users.offsets, items, users.values, users.times)


def widened(scores: Scores, own: NDArray[np.int32], n_items: int) -> Scores:
    """Return (people, n_items) from (people, m + 1): every item that is not in ``own`` scores as the stand-in does."""
    out = np.repeat(scores[:, -1:], n_items, axis=1)
    out[:, own] = scores[:, :-1]
    return out
