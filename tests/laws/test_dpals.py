from fedrec.testing import AlgorithmLaws


class TestDpals(AlgorithmLaws):
    name = "dpals"
    config = {"dim": 8, "rounds": 3, "item_frac": 1.0, "gamma": 1.0, "reg": 1.0, "alpha0": 0.3, "budget": 10.0}
    sample = {"dim": 64, "rounds": 8, "gamma": 1.0, "reg": 3.0, "alpha0": 0.3}
    floor = 0.06
