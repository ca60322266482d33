from fedrec.testing import AlgorithmLaws


class TestPopularity(AlgorithmLaws):
    name = "popularity"
