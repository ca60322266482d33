from fedrec.testing import AlgorithmLaws


class TestAlone(AlgorithmLaws):
    name = "alone"
