"""Pooled mini-batch training of score = u . v (+ b): what a centralised trainer of the same model would do.

AdaGrad (Duchi, Hazan, Singer, JMLR 2011) on shuffled batches of everybody's interactions, each with uniform negatives
from outside the user's history. Nothing of a federated round is in it: no clients, no differences, no clip. No L2
penalty either: a federated one is taken per local step, which has no counterpart here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from fedrec.contract import Interactions

Matrix = NDArray[np.float32]
BATCH = 4096  # interactions in a step
RATE = 0.1  # AdaGrad's step
FLOOR = 1e-3  # added to AdaGrad's root


@dataclass(frozen=True)
class Training:
    """``epochs`` over the interactions, ``negatives`` for each; ``pairwise``: BPR, else binary cross entropy."""

    epochs: int
    negatives: int
    pairwise: bool = False


def train(
    users: Matrix, items: Matrix, data: Interactions, how: Training, draw: np.random.Generator, learned: int
) -> tuple[Matrix, Matrix]:
    """Return (user rows, item rows) after training copies of them.

    ``users`` (n_users, d), in the rows of ``data``; ``items`` (n_items, d) float32, of which the first ``learned``
    columns are trained: 0 freezes the items, d - 1 leaves a last column of ones alone, whose weight is the bias.
    """
    users, items = users.copy(), items.copy()
    row = np.repeat(np.arange(data.n_users), data.lengths())
    seen = np.sort(row * len(items) + data.items)
    user_squares, item_squares = np.zeros_like(users), np.zeros_like(items)
    for _ in range(how.epochs):
        order = draw.permutation(data.n_interactions)
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            who = row[batch]
            group = np.column_stack([data.items[batch], _negatives(seen, who, len(items), how.negatives, draw)])
            errors = _errors(np.einsum("bd,bgd->bg", users[who], items[group]), how.pairwise)
            to_users = np.einsum("bg,bgd->bd", errors, items[group])
            if learned:
                to_items = errors[:, :, None] * users[who][:, None, :learned]
                _step(items[:, :learned], item_squares[:, :learned], group.ravel(), to_items.reshape(-1, learned))
            _step(users, user_squares, who, to_users)
    return users, items


def _negatives(
    seen: NDArray[np.int64], who: NDArray[np.int64], n_items: int, count: int, draw: np.random.Generator
) -> NDArray[np.int64]:
    """Return (batch, count) items outside each user's history; after ten draws a seen one may stay."""
    user = np.repeat(who, count)
    out = draw.integers(0, n_items, len(user))
    again = np.arange(len(user))
    for _ in range(10):
        pair = user[again] * n_items + out[again]
        again = again[seen[np.minimum(np.searchsorted(seen, pair), len(seen) - 1)] == pair]
        out[again] = draw.integers(0, n_items, len(again))
    return out.reshape(len(who), count)


def _errors(scores: Matrix, pairwise: bool) -> Matrix:
    """Return the derivative of the loss by each score, (batch, 1 + negatives): the first is the interaction."""
    if not pairwise:
        wanted = np.zeros_like(scores)
        wanted[:, 0] = 1.0
        return np.asarray(_sigmoid(scores) - wanted, np.float32)
    wrong = _sigmoid(scores[:, 1:] - scores[:, :1])
    return np.asarray(np.column_stack([-wrong.sum(axis=1), wrong]), np.float32)


def _sigmoid(x: Matrix) -> Matrix:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0))), np.float32)


def _step(table: Matrix, squares: Matrix, rows: NDArray[np.int64], gradients: Matrix) -> None:
    """Do one AdaGrad step on the rows of ``table`` that the batch touches, gradients of a row added up."""
    ids, place = np.unique(rows, return_inverse=True)
    add = csr_matrix((np.ones(len(rows), np.float32), (place, np.arange(len(rows)))), (len(ids), len(rows)))
    gradient = np.asarray(add @ gradients, np.float32)
    squares[ids] += gradient**2
    table[ids] -= np.float32(RATE) * gradient / (np.sqrt(squares[ids]) + np.float32(FLOOR))
