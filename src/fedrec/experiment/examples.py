"""Three example customers: what they bought, and what each algorithm recommends, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from fedrec.contract import Key
from fedrec.experiment.run import Outcome

SHOWN = 5


def examples(outcomes: list[Outcome], customers: int = 3, bought: int = 12) -> list[dict[str, Any]]:
    """Return the document's examples; customers are drawn by the seed, not picked by how well it went."""
    first = outcomes[0]
    task, data = first.prepared.split.test, first.prepared.data
    assert task is not None
    assert first.ranks is not None
    held, known = np.diff(task.target_offsets), task.histories.lengths()
    fit = np.flatnonzero((known >= 8) & (known <= 40) & (held >= 3) & (held <= 15))
    fit = fit if len(fit) >= customers else np.arange(task.n_users)
    draw = Key(first.prepared.config.seed, 0, "examples").generator().permutation(len(fit))[:customers]
    return [_one(outcomes, int(fit[i]), bought, data) for i in np.sort(draw)]


def _one(outcomes: list[Outcome], row: int, bought: int, data: Any) -> dict[str, Any]:
    prepared = outcomes[0].prepared
    task = prepared.split.test
    assert task is not None
    user = int(task.histories.users[row])
    history = task.histories.history(row).items
    targets = task.targets[int(task.target_offsets[row]) : int(task.target_offsets[row + 1])]
    held = {int(i) for i in targets}
    place = (
        f"{prepared.labels[int(prepared.options.client_of[user])]}, " if prepared.options.client_of is not None else ""
    )

    def item(code: int) -> dict[str, Any]:
        return {"id": str(data.item_ids[code]), "title": data.title(code)}

    lists = [
        {
            "algorithm": o.prepared.algorithm.name,
            "items": [item(int(i)) | {"hit": int(i) in held} for i in o.ranks.top[row][:SHOWN] if i >= 0],
        }
        for o in outcomes
        if o.ranks is not None and o.ranks.top is not None
    ]
    return {
        "customer": str(data.user_ids[user]),
        "about": f"{place}{len(history)} products before the held-out day, {len(held)} new ones on it",
        "data": data.name,
        "protocol": prepared.config.protocol,
        "bought": [item(int(i)) for i in history[::-1][:bought]],
        "held_out": [item(int(i)) for i in targets],
        "lists": lists,
    }
