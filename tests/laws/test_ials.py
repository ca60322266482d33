from fedrec.testing import AlgorithmLaws


class TestIals(AlgorithmLaws):
    name = "ials"
    config = {"dim": 8, "sweeps": 4}
    sample = {"dim": 64, "sweeps": 10, "alpha0": 1.0, "reg": 0.003}
    floor = 0.065
