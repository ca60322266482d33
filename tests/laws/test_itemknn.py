from fedrec.testing import AlgorithmLaws


class TestItemKNN(AlgorithmLaws):
    name = "itemknn"
    config = {"neighbours": 8}
    sample = {"neighbours": 20}
    floor = 0.065
