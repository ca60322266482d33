"""The twin of fedmf: pooled mini-batch training of the same model; it is reported beside it, not bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions, Key
from fedrec.twins.pooled_training import Matrix, Training, train

LONGEST = 8  # epochs at most: enough for AdaGrad to settle, and short enough to stand in every table; not tuned
FOLD_IN = 5  # epochs of the users' vectors alone on what the devices know by then


def twin(
    train_part: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> NDArray[np.float64]:
    """Return u . v for the histories, (users, items) float64, from the item vectors in ``initial``."""
    if initial is None:
        raise ValueError("the twin of fedmf needs the initial item vectors, got None: pass {'items': array}")
    items = np.asarray(initial["items"], np.float32)
    epochs = min(int(config["rounds"]) * int(config["epochs"]), LONGEST)
    how = Training(epochs, int(config["negatives"]), config["loss"] == "bpr")
    people = np.zeros((train_part.n_users, items.shape[1]), np.float32)
    return pooled(people, items, train_part, histories, how, items.shape[1])


def pooled(
    people: Matrix, items: Matrix, train_part: Interactions, histories: Interactions, how: Training, learned: int
) -> NDArray[np.float64]:
    """Train everything, then the users' rows alone on ``histories``, and return their scores."""
    draw = Key(0, 0, "pooled twin").generator()
    start = people[0].copy() if len(people) else np.zeros(items.shape[1], np.float32)
    people, items = train(people, items, train_part, how, draw, learned)
    rows = {int(user): row for row, user in enumerate(train_part.users)}
    mine = np.stack([people[rows[int(u)]] if int(u) in rows else start for u in histories.users])
    fold_in = Training(FOLD_IN, how.negatives, how.pairwise)
    mine, _ = train(mine, items, histories, fold_in, draw, 0)
    return np.asarray(mine, np.float64) @ np.asarray(items, np.float64).T
