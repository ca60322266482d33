"""Recommend with the original ids: for people of a federation with what they keep, and for new people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import (
    Algorithm,
    Arrays,
    Catalog,
    History,
    InputError,
    Interactions,
    Key,
    UnknownIdError,
    did_you_mean,
)
from fedrec.metrics.ranks import BLOCK, top_items

USUAL = 10  # recommendations, where nobody says how many
NEAREST_OF = 100_000  # ids among which "did you mean" looks


@dataclass(frozen=True)
class Recommendation:
    """One recommended item: its original id, title, score and rank (from 1)."""

    item_id: Any
    title: str
    score: float
    rank: int


@dataclass(frozen=True)
class People:
    """What stays with the people of a federation: ids, histories (row u = user u) and private state, stacked."""

    ids: list[Any]
    histories: Interactions
    private: Arrays
    codes: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", {str(x): code for code, x in enumerate(self.ids)})


class Recommender:
    """A trained model, the catalogue's ids and titles, and (where they are at hand) its people.

    ``key``: the randomness with which a device brings its private state up to date before it scores.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        catalog: Catalog,
        shared: Arrays,
        key: Key,
        item_ids: list[Any],
        titles: list[str] | None,
        people: People | None,
    ) -> None:
        self.algorithm, self.catalog, self.shared, self.key = algorithm, catalog, shared, key
        self.item_ids, self.titles = item_ids, titles
        self._people = people
        self.item_codes = {str(x): code for code, x in enumerate(item_ids)}

    @property
    def people(self) -> People:
        """Return what stays with the people of the federation."""
        if self._people is None:
            raise InputError("this model came without its people (private/): give items, or a history")
        return self._people

    def recommend(
        self,
        user: object | None = None,
        items: Sequence[object] | None = None,
        k: int | None = None,
        *,
        exclude_seen: bool = True,
        only: Iterable[object] | None = None,
        exclude: Iterable[object] | None = None,
        history: History | None = None,
    ) -> list[Recommendation]:
        """Return the k best items (10 unless said) for a user, or for a new person who has ``items`` (oldest first).

        ``history``: use this one for ``user`` (who may be new) instead of the stored one. ``only`` / ``exclude``: item
        ids that may / must not be recommended (stock). Fewer than k come back where nothing is left. Raises
        UnknownIdError for an id the model does not know and InputError for k outside 1..n_items.
        """
        k = self.places(k)
        if items is not None and (user is not None or history is not None):
            raise InputError("recommend takes either a user or items: give exactly one of the two")
        if items is not None:
            history = self.history_of(items)
        elif history is None:
            if user is None:
                raise InputError("recommend takes either a user or items: give exactly one of the two")
            history = self.people.histories.history(self.user_code(user))
        rows = self.rows_of([user]) if user is not None else np.array([-1], np.int64)
        scores = self.scores(Interactions.of(history, self.catalog.n_items), rows)[0]
        return self._best(scores, history, k, self._stock(only, exclude), exclude_seen)

    def recommend_many(
        self,
        users: Iterable[object],
        k: int | None = None,
        *,
        exclude_seen: bool = True,
        only: Iterable[object] | None = None,
        exclude: Iterable[object] | None = None,
    ) -> dict[Any, list[Recommendation]]:
        """Return {user id as given: the k best items} for people of the federation; arguments as in ``recommend``."""
        k = self.places(k)
        asked = list(users)
        rows = np.array([self.user_code(u) for u in asked], np.int64)
        stock, out = self._stock(only, exclude), {}
        for first in range(0, len(rows), BLOCK):
            mine = rows[first : first + BLOCK]
            people = self.people.histories.take(mine)
            scores = self.scores(people, mine)
            for n in range(len(mine)):
                out[asked[first + n]] = self._best(scores[n], people.history(n), k, stock, exclude_seen)
        return out

    def scores(self, people: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of all items, (n_users, n_items) float32, each person adapting on their own device.

        ``rows`` (n_users,): the people's rows in the federation, -1 for somebody new.
        """
        new = rows < 0
        users = np.where(new, self.catalog.n_users + np.arange(len(rows)), rows).astype(np.int64)
        private = self.algorithm.cohort_private(users, Key(self.key.seed, 0, "private"), self.catalog)
        if private and not new.all():
            for name, array in private.items():
                array[~new] = self.people.private[name][rows[~new]]
        return self.algorithm.cohort_scores(self.shared, private, replace(people, users=users), self.key)

    def rows_of(self, users: Iterable[object]) -> NDArray[np.int64]:
        """Return the people's rows in the federation, -1 for somebody new, (n,) int64."""
        codes = self.people.codes if self.has_people else {}
        return np.array([codes.get(str(u), -1) for u in users], np.int64)

    @property
    def has_people(self) -> bool:
        """Return whether what stays with the people is at hand."""
        return self._people is not None

    def item_code(self, item: object) -> int:
        """Return the row of an item id, or raise UnknownIdError with the nearest id."""
        return self._code(item, self.item_codes, "item", "")

    def user_code(self, user: object) -> int:
        """Return the row of a user id, or raise UnknownIdError with the nearest id."""
        hint = "; for a new person give items instead (--items ID,ID,...), or --data with their history"
        return self._code(user, self.people.codes, "user", hint)

    def _code(self, wanted: object, codes: dict[str, int], kind: str, hint: str) -> int:
        code = codes.get(str(wanted))
        if code is None:
            known = list(codes)[:NEAREST_OF]
            raise UnknownIdError(
                f"{kind} {str(wanted)!r} is not in the model ({len(codes):,} {kind}s, such as "
                f"{', '.join(known[:3])}){hint}.{did_you_mean(str(wanted), known)}"
            )
        return code

    def history_of(self, items: Sequence[object]) -> History:
        """Return the history of a new person from item ids, oldest first, all of one time."""
        codes = np.array([self.item_code(i) for i in items], np.int32)
        if len(codes) == 0:
            raise InputError("items is empty: give at least one item id")
        return History(codes, None, np.zeros(len(codes)))

    def places(self, k: int | None) -> int:
        """Return how many items to recommend: ``k``, or 10 (fewer where the catalogue has fewer) where it is None."""
        if k is None:
            return min(USUAL, self.catalog.n_items)
        if not 1 <= k <= self.catalog.n_items:
            raise InputError(f"k = {k}: expected 1 to {self.catalog.n_items:,}, the number of items in the model")
        return k

    def _stock(self, only: Iterable[object] | None, exclude: Iterable[object] | None) -> NDArray[np.bool_]:
        allowed = np.full(self.catalog.n_items, only is None)
        if only is not None:
            allowed[[self.item_code(i) for i in only]] = True
        if exclude is not None:
            allowed[[self.item_code(i) for i in exclude]] = False
        return allowed

    def _best(
        self, scores: NDArray[np.float32], history: History, k: int, stock: NDArray[np.bool_], exclude_seen: bool
    ) -> list[Recommendation]:
        allowed = stock.copy()
        if exclude_seen:
            allowed[history.items] = False
        return [
            Recommendation(self.item_ids[i], self.title(i), float(scores[i]), rank)
            for rank, i in enumerate(top_items(scores, allowed, k).tolist(), start=1)
        ]

    def title(self, item: int) -> str:
        """Return the title of an item's row, or its id."""
        return self.titles[item] if self.titles is not None else str(self.item_ids[item])
