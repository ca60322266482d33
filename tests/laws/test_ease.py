from fedrec.testing import AlgorithmLaws


class TestEase(AlgorithmLaws):
    name = "ease"
    config = {"reg": 5.0}
    sample = {"reg": 30.0}
    floor = 0.11
