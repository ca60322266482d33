"""The laws that every algorithm must pass, as classes to subclass; needs the extra ``test`` (pytest, hypothesis).

A third party's test is five lines, in any file that pytest collects::

    from fedrec.testing import AlgorithmLaws

    class TestMine(AlgorithmLaws):
        name = "my_package.my_module:Mine"      # a registry name, an entry point or module:Class
        config = {"reg": 50.0}                  # settings that are quick on a small world
        floor = 0.10                            # ndcg@10 it must reach on the bundled sample, leave-last-out

| law | test |
| --- | --- |
| 1 additivity: any partition, order and chunking gives the same sum | SumLaws |
| 2 one is many: cohorts equal clients one by one, updates, private state and scores | SumLaws |
| 3 engine-free: chunks, threads and a wire of bytes give the same model | EngineLaws |
| 4 nothing private on the wire: updates are what the plan declares, of one size | EgressLaws |
| 5 bounded: a search for the worst user stays inside the declared norms | SumLaws |
| 5 and comes near to them where noise is allowed | SensitivityLaws |
| 6 deterministic: keyed randomness, resumed runs equal uninterrupted ones | EngineLaws |
| 7 it recommends: the checkerboard, and a floor on the bundled sample | LearningLaws |
| 8 it does not cheat: alone and with permuted labels it scores chance | LearningLaws |

Laws 7 and 8 are not generated for algorithms that declare ``baseline = True``.
"""

from fedrec.testing.base import Laws
from fedrec.testing.egress import DutyLaws, EgressLaws
from fedrec.testing.engines import EngineLaws
from fedrec.testing.laws import AlgorithmLaws
from fedrec.testing.learning import LearningLaws
from fedrec.testing.sensitivity import SensitivityLaws
from fedrec.testing.subject import Subject
from fedrec.testing.sums import SumLaws
from fedrec.testing.wire import WireRuntime

__all__ = [
    "AlgorithmLaws",
    "DutyLaws",
    "EgressLaws",
    "EngineLaws",
    "Laws",
    "LearningLaws",
    "SensitivityLaws",
    "Subject",
    "SumLaws",
    "WireRuntime",
]
