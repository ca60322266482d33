from fedrec.testing import AlgorithmLaws


class TestFedMF(AlgorithmLaws):
    name = "fedmf"
    config = {"dim": 8, "rounds": 3}
    board = {"rounds": 20}
    tastes = {"rounds": 20, "server_lr": 0.1}
    sample = {"dim": 32, "rounds": 20}
    floor = 0.04
    sum_tolerance = private_tolerance = 1e-5  # float32 arithmetic in another order


class TestFedMFPairs(AlgorithmLaws):
    """Pairwise loss, several epochs, a tight clip, plain averaging."""

    name = "fedmf"
    config = {"dim": 8, "rounds": 2, "loss": "bpr", "epochs": 2, "clip": 0.05, "server": "sgd", "server_lr": 1.0,
              "shuffle": False}  # fmt: skip
    board = {"rounds": 60, "clip": 10.0}
    tastes = {"rounds": 60, "clip": 10.0}
    sample = {"dim": 32, "rounds": 20, "clip": 10.0}
    floor = 0.03
    sum_tolerance = private_tolerance = 1e-5


class TestFedMFBounded(AlgorithmLaws):
    """Nobody counts who touched a row; a bound on each row and a tight one on all of them."""

    name = "fedmf"
    config = {"dim": 8, "rounds": 3, "weighting": "clients", "clip": 0.5, "row_clip": 0.1}
    noisy = {"dim": 8, "rounds": 3}
    board = {"rounds": 60, "clip": 10.0, "row_clip": 2.0}
    tastes = {"rounds": 60, "clip": 10.0, "row_clip": 2.0}
    sample = {"dim": 32, "rounds": 20}
    floor = 0.02
    sum_tolerance = private_tolerance = 1e-5
