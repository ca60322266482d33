from fedrec.testing import AlgorithmLaws


class TestLowPass(AlgorithmLaws):
    name = "lowpass"
    config = {"columns": 4, "rank": 8, "iterations": 3}
    sample = {"columns": 32, "rank": 64, "iterations": 4}
    floor = 0.05


class TestGFCF(AlgorithmLaws):
    name = "lowpass"
    config = {"filter": "gf-cf", "columns": 4, "rank": 8, "iterations": 2, "block": 7}
    sample = {"columns": 32, "rank": 64, "iterations": 4, "block": 1024}
    floor = 0.05


class TestLowPassBounded(AlgorithmLaws):
    name = "lowpass"
    config = {"columns": 4, "rank": 8, "iterations": 3, "user_power": 0.5, "bits": 32, "clip": 0.25}
    sample = {"columns": 32, "rank": 64, "iterations": 4}
    floor = 0.05
    score_tolerance = 1e-4
