from fedrec.testing import AlgorithmLaws


class TestItemKNN(AlgorithmLaws):
    name = "itemknn"
    config = {"neighbours": 8}
    sample = {"neighbours": 20}
    floor = 0.065


class TestItemKNNBounded(AlgorithmLaws):
    name = "itemknn"
    config = {"neighbours": 8, "user_power": 1.0, "shrink": 0.5}
    sample = {"neighbours": 20, "shrink": 3.0}
    floor = 0.065


class TestItemKNNHalfBounded(AlgorithmLaws):
    name = "itemknn"
    config = {"neighbours": 8, "user_power": 0.5, "shrink": 0.0, "bits": 64}
    sample = {"neighbours": 20, "shrink": 3.0}
    floor = 0.065
