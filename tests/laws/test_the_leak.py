"""Law 8 shows the field's leak: local negatives that spare the held-out items, and no federation at all."""

from dataclasses import replace

import numpy as np

from fedrec.algorithms.registry import get
from fedrec.contract import Algorithm
from fedrec.data.splits import leave_last_out
from fedrec.testing import worlds
from fedrec.testing.learning import alone


def pfedrec() -> Algorithm:
    return get("pfedrec")(dim=32, rounds=30)


def test_law_8_sees_the_leak() -> None:
    split = leave_last_out(worlds.planted())
    assert split.test is not None
    assert (split.test.histories.users == np.arange(split.test.n_users)).all()
    leaky = replace(split.final, avoid_offsets=split.test.target_offsets, avoid_items=split.test.targets, _cache={})
    honest = alone(pfedrec, split.final, split.test, 30)
    cheating = alone(pfedrec, leaky, split.test, 30)
    assert abs(honest.errors) <= 4, honest.sentence("negatives from all unseen items")
    assert cheating.errors > 8, cheating.sentence("negatives that spare the held-out item")
    assert cheating.gain.mean() > 3 * honest.gain.mean()
