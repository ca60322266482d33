"""The centralised twin beside a federated result: the largest relative difference of their scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from fedrec import twins
from fedrec.data.splits import Split
from fedrec.experiment import evaluate
from fedrec.experiment.fit import Model
from fedrec.kernels.lanes import one_blas_thread
from fedrec.metrics.ranks import rank_all


def compare_with_twin(model: Model, split: Split) -> dict[str, Any] | None:
    """Return the twin's test metrics and max |federated - twin| / max |twin| over all test scores; None: no twin."""
    twin = twins.get_twin(model.algorithm.name)
    if twin is None or split.test is None:
        return None
    people = split.test.histories
    initial = model.algorithm.shared(model.catalog, model.key.seed)
    with one_blas_thread():
        theirs = twin(split.final, people, model.algorithm.config.model_dump(), initial)
    worst, largest = 0.0, float(np.abs(theirs).max())
    ours = model.scorer()
    for first in range(0, people.n_users, 512):
        block = people.slice(first, min(first + 512, people.n_users))
        gap = np.abs(ours(block).astype(np.float64) - theirs[first : first + 512])
        worst = max(worst, float(gap.max()))
    rows = {int(user): row for row, user in enumerate(people.users)}
    ranks = rank_all(lambda block: theirs[[rows[int(u)] for u in block.users]].astype(np.float32), split.test)
    return {
        "test": evaluate.metrics(ranks, split.test) | {"users": split.test.n_users},
        "max_relative_difference": worst / largest if largest else worst,
    }
