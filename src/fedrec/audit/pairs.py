"""Questions about people whose answer no outsider can guess: an item they had against one that is as likely.

A recommender predicts what people like, of anybody, also of people it never saw; that is its purpose and no leak. So
the two items of a question are as popular as each other, *and* a reference model that the attacker trained on other
people rates them alike for this person, who is known but for the item in question. What tells them apart is what the
person's own data changed (as in Carlini et al., "Membership Inference Attacks From First Principles", S&P 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.audit.line import clustered_error
from fedrec.audit.setup import Setup
from fedrec.contract import Arrays, Interactions, Key

EACH = 4  # questions a person at most
NEAR = 30  # places in the order of popularity on both sides
ALIKE = 0.05  # standard deviations of a person's scores within which the reference rates two items alike
BLOCK = 512  # questions scored at a time


@dataclass(frozen=True)
class Answers:
    """Scores of questions: of the item had and of the other one, by released model, reference and popularity.

    Popularity is that among the people of the reference, which is what an outsider may know.

    ``people``, ``items`` (q,): each question's person (row) and the item had; ``had``, ``other`` (q, 3):
    in the order named; ``stranger`` (q, 3): of an item drawn from all that the person does not have.
    """

    people: NDArray[np.int64]
    items: NDArray[np.int64]
    had: NDArray[np.float64]
    other: NDArray[np.float64]
    stranger: NDArray[np.float64]

    def wins(self, column: int, other: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return 1 where the item had scores higher, 0 where lower, one half for a tie, (q,)."""
        a: NDArray[np.float64] = self.had[:, column]
        b: NDArray[np.float64] = (self.other if other is None else other)[:, column]
        return np.where(a == b, 0.5, (a > b).astype(np.float64))

    def ahead(self) -> NDArray[np.float64]:
        """Return by how much the released model raises the item had above the other, beyond the reference, (q,)."""
        change = (self.had[:, 0] - self.had[:, 1]) - (self.other[:, 0] - self.other[:, 1])
        return np.asarray(change, np.float64)

    def right(self) -> tuple[float, float]:
        """Return the share of questions that the attacker answers rightly, and its standard error."""
        change = self.ahead()
        won = np.where(change == 0, 0.5, (change > 0).astype(np.float64))
        return float(won.mean()), clustered_error(won, self.people, self.items)

    def each(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean over each person's questions, (people,), by ascending row."""
        _, place = np.unique(self.people, return_inverse=True)
        return np.asarray(np.bincount(place, values) / np.bincount(place), np.float64)


def together(answers: list[Answers]) -> Answers:
    """Return several groups' answers as one."""
    return Answers(
        *(
            np.concatenate([getattr(a, name) for a in answers])
            for name in ("people", "items", "had", "other", "stranger")
        )
    )


def ask(
    setup: Setup, rows: NDArray[np.int64], released: Arrays, reference: Arrays, others: NDArray[np.int64]
) -> Answers:
    """Ask up to four questions about each person and return all scores; ``others``: people of the reference."""
    draw = setup.key("questions")
    counts = np.bincount(setup.users.take(others).items, minlength=setup.catalog.n_items)
    order = np.argsort(counts, kind="stable")
    people, items = _items(setup.users, rows, draw)
    found: list[tuple[int, int, list[list[float]]]] = []
    for first in range(0, len(people), BLOCK):
        some, asked = people[first : first + BLOCK], items[first : first + BLOCK]
        known = without(setup.users, some, asked)
        scores = np.stack([standardised(setup, m, known) for m in (released, reference)], axis=-1)
        for k, (row, item) in enumerate(zip(some, asked, strict=True)):
            free = np.ones(setup.catalog.n_items, np.bool_)
            free[setup.liked(int(row))] = False
            other = _alike(order, int(item), free, scores[k, :, 1], draw)
            if other is None:
                continue
            stranger = int(draw.choice(np.flatnonzero(free)))
            three = [[*scores[k, i].tolist(), float(counts[i])] for i in (int(item), other, stranger)]
            found.append((int(row), int(item), three))
    table = np.array([three for _, _, three in found], np.float64).reshape(-1, 3, 3)
    who, what = (np.array([f[k] for f in found], np.int64) for k in (0, 1))
    return Answers(who, what, table[:, 0], table[:, 1], table[:, 2])


def _items(
    users: Interactions, rows: NDArray[np.int64], draw: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    people: list[int] = []
    items: list[int] = []
    for row in rows.tolist():
        have = np.unique(users.history(row).items)
        if len(have) >= 3 and 2 * len(have) <= users.n_items:
            some = draw.permutation(have)[:EACH].tolist()
            people += [row] * len(some)
            items += some
    return np.array(people, np.int64), np.array(items, np.int64)


def _alike(
    order: NDArray[np.int64],
    item: int,
    free: NDArray[np.bool_],
    reference: NDArray[np.float64],
    draw: np.random.Generator,
) -> int | None:
    """Return a free item as popular as ``item`` that the reference rates alike, or None where there is none."""
    at = int(np.flatnonzero(order == item)[0])
    near = order[max(at - NEAR, 0) : at + NEAR + 1]
    near = near[free[near]]
    alike = near[np.abs(reference[near] - reference[item]) <= ALIKE]
    return int(draw.choice(alike)) if len(alike) else None


def without(users: Interactions, rows: NDArray[np.int64], items: NDArray[np.int64]) -> Interactions:
    """Return the people's histories, each without one item."""
    kept = [
        np.flatnonzero(users.history(int(r)).items != i) + users.offsets[r] for r, i in zip(rows, items, strict=True)
    ]
    where = np.concatenate(kept).astype(np.int64)
    return Interactions(
        users.n_items,
        users.users[rows],
        np.concatenate([[0], np.cumsum([len(k) for k in kept])]).astype(np.int64),
        users.items[where],
        None if users.values is None else users.values[where],
        None if users.times is None else users.times[where],
    )


def standardised(setup: Setup, shared: Arrays, people: Interactions) -> NDArray[np.float64]:
    """Return everybody's scores of all items, mean 0 and deviation 1 a person: what the attacker computes.

    Nobody's private state is at hand, so each person starts as somebody new who has the known items.
    """
    key = Key(setup.config.seed, 0, "audit")
    private = setup.algorithm.cohort_private(people.users, key, setup.catalog)
    found = setup.algorithm.cohort_scores(shared, private, people, key).astype(np.float64)
    found -= found.mean(axis=1, keepdims=True)
    return np.asarray(found / np.maximum(found.std(axis=1, keepdims=True), 1e-12), np.float64)
