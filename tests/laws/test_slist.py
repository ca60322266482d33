from fedrec.testing import AlgorithmLaws


class TestSlist(AlgorithmLaws):
    name = "slist"
    config = {"decay": (0.85,), "reg": 5.0}  # noqa: RUF012
    sample = {"decay": (0.5,), "reg": 1000.0}  # noqa: RUF012
    floor = 0.20
