from fedrec.testing import AlgorithmLaws


class TestSlist(AlgorithmLaws):
    name = "slist"
    config = {"decay": (0.85,), "reg": 5.0}
    sample = {"decay": (0.5,), "reg": 1000.0}
    floor = 0.20


class TestSlistSeveralDecaysJointByDays(AlgorithmLaws):
    name = "slist"
    config = {"decay": (0.0, 0.4, 0.9), "reg": 5.0, "joint": 0.3, "steps": "day", "user_power": 0.25}
    board = {"reg": 100.0}
    sample = {"decay": (0.9,), "reg": 500.0}
    floor = 0.08
