from fedrec.testing import AlgorithmLaws


class TestPFedRec(AlgorithmLaws):
    name = "pfedrec"
    config = {"dim": 8, "rounds": 3}
    board = {"rounds": 40, "eta": 5.0}  # at 80 a device learns by heart that the withheld item was a negative
    tastes = {"dim": 32, "rounds": 30}
    sample = {"dim": 32, "rounds": 30}
    floor = 0.022
    sum_tolerance = private_tolerance = 1e-5  # float32 arithmetic in another order


class TestPFedRecServerItems(AlgorithmLaws):
    """Scored with the server's items instead of each device's own."""

    name = "pfedrec"
    config = {"dim": 8, "rounds": 3, "scoring": "server"}
    board = {"rounds": 40}
    tastes = {"dim": 32, "rounds": 40}
    sample = {"dim": 32, "rounds": 30}
    floor = 0.022
    sum_tolerance = private_tolerance = 1e-5


class TestPFedRecRows(AlgorithmLaws):
    """A bound on each item's row of a user's update."""

    name = "pfedrec"
    config = {"dim": 8, "rounds": 3, "row_clip": 0.5}
    board = {"rounds": 40, "eta": 5.0, "row_clip": 5.0}
    tastes = {"dim": 32, "rounds": 30, "row_clip": 50.0}
    sample = {"dim": 32, "rounds": 30, "row_clip": 50.0}
    floor = 0.022
    sum_tolerance = private_tolerance = 1e-5
