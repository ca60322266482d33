from fedrec.testing import AlgorithmLaws

SMALL = {"dim": 8, "rounds": 3, "item_frac": 1.0, "gamma": 0.25, "reg": 1.0, "alpha0": 0.3, "budget": 10.0}


class TestDpals(AlgorithmLaws):
    name = "dpals"
    config = SMALL
    noisy = {"gamma": 0.05}  # so small that every vector is cut at it
    sample = {"dim": 64, "rounds": 8, "gamma": 1.0, "reg": 3.0, "alpha0": 0.3}
    floor = 0.06


class TestDpalsFull(AlgorithmLaws):
    name = "dpals"
    config = {**SMALL, "statistics": "full"}
    noisy = {"gamma": 0.05}
    sample = {"dim": 16, "rounds": 6, "gamma": 10.0, "reg": 3.0, "item_frac": 1.0, "bits": 64}
    floor = 0.05


class TestDpalsRows(AlgorithmLaws):
    name = "dpals"
    config = {**SMALL, "row_weight": 0.7}
    noisy = {"gamma": 0.05, "budget": 4.0}  # a history of 9 items meets the norm
    sample = {"dim": 64, "rounds": 8, "gamma": 1.0, "reg": 3.0, "alpha0": 0.3, "row_weight": 2.0}
    floor = 0.05
