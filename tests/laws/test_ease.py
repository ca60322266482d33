from fedrec.testing import AlgorithmLaws


class TestEase(AlgorithmLaws):
    name = "ease"
    config = {"reg": 5.0}
    sample = {"reg": 30.0}
    floor = 0.11


class TestEaseBounded(AlgorithmLaws):
    name = "ease"
    config = {"reg": 0.5, "user_power": 1.0}
    sample = {"reg": 1.0}
    floor = 0.10
