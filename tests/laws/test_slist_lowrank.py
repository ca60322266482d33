from fedrec.testing import AlgorithmLaws


class TestSlistLowRank(AlgorithmLaws):
    name = "slist-lowrank"
    config = {"rank": 12, "reg": 1.0}
    board = {"decay": (0.85,), "rank": 256, "reg": 5.0}
    sample = {"decay": (0.5,), "rank": 128, "reg": 30.0}
    floor = 0.10


class TestSlistLowRankByDays(AlgorithmLaws):
    name = "slist-lowrank"
    config = {"decay": (0.8,), "rank": 8, "reg": 1.0, "steps": "day"}
    board = {"decay": (0.85,), "rank": 256, "reg": 5.0, "steps": "item"}
    sample = {"decay": (0.5,), "rank": 128, "reg": 30.0, "steps": "item"}
    floor = 0.10
