"""The twin of pfedrec: pooled training of one linear layer a user over shared items; reported, not bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.twins.fedmf import LONGEST, pooled
from fedrec.twins.pooled_training import Training


def twin(
    train_part: Interactions, histories: Interactions, config: dict[str, Any], initial: dict[str, NDArray[Any]] | None
) -> NDArray[np.float64]:
    """Return w . q + b for the histories, (users, items) float64, from the tables in ``initial``.

    Items are not fine-tuned by each user: in one place there is one table. The bias is the weight of a column of ones.
    """
    if initial is None:
        raise ValueError("the twin of pfedrec needs its start, got None: pass {'items': array, 'layer': array}")
    table = np.asarray(initial["items"], np.float32)
    items = np.column_stack([table, np.ones(len(table), np.float32)])
    people = np.tile(np.asarray(initial["layer"], np.float32), (train_part.n_users, 1))
    epochs = min(int(config["rounds"]) * int(config["epochs"]), LONGEST)
    how = Training(epochs, int(config["negatives"]))
    return pooled(people, items, train_part, histories, how, table.shape[1])
