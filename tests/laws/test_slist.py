from fedrec.testing import AlgorithmLaws


class TestSlist(AlgorithmLaws):
    name = "slist"
    config = {"decay": (0.85,), "reg": 5.0}
    sample = {"decay": (0.5,), "reg": 1000.0}
    floor = 0.20
