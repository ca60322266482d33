from fedrec.testing import AlgorithmLaws


class TestPopularity(AlgorithmLaws):
    name = "popularity"


class TestPopularityBounded(AlgorithmLaws):
    name = "popularity"
    config = {"user_power": 0.5}
