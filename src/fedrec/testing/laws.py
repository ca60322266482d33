"""All laws in one class."""

from __future__ import annotations

from typing import Any

from fedrec.algorithms.registry import get
from fedrec.testing.egress import DutyLaws, EgressLaws
from fedrec.testing.engines import EngineLaws
from fedrec.testing.learning import LearningLaws
from fedrec.testing.sensitivity import SensitivityLaws
from fedrec.testing.sums import SumLaws


class AlgorithmLaws(SumLaws, SensitivityLaws, EngineLaws, EgressLaws, DutyLaws, LearningLaws):
    """Every law, for one algorithm. Subclass it and set ``name``, ``config`` and ``floor``.

    ``config``: settings for the small worlds, quick ones; ``board``, ``tastes``, ``sample``: settings that differ on
    the checkerboard, on the planted tastes of law 8, on the bundled sample; ``noisy``:
    settings that differ from the algorithm's ``dp`` in law 5's search; ``floor``: ndcg@10 (a fraction) to reach
    on the bundled sample. Largest differences between the cohort path and one client at a time, relative to the
    largest value: ``sum_tolerance`` of a statistic (0: equal integers, as closed forms must be),
    ``private_tolerance`` of private state, ``score_tolerance`` of scores.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.name and get(cls.name).baseline:
            for test in vars(LearningLaws):
                if test.startswith("test_"):  # pytest collects what the most derived class says: nothing
                    setattr(cls, test, None)
