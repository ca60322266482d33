"""The list of skipped tests is checked, both ways."""

import pytest

from tests.conftest import NO_DATA, ROOT, expected_skips, skip_problems

LISTED = {"tests/a.py::test_x": "no such machine"}


def test_what_is_listed_may_be_skipped_for_its_reason() -> None:
    assert skip_problems({"tests/a.py::test_x": "Skipped: no such machine here"}, LISTED, True) == []
    assert len(skip_problems({"tests/a.py::test_x": "Skipped: tired"}, LISTED, True)) == 1


def test_what_is_listed_must_be_skipped() -> None:
    assert len(skip_problems({}, LISTED, True)) == 1


@pytest.mark.parametrize(("have_data", "problems"), [(True, 1), (False, 0)])
def test_data_is_a_reason_only_where_it_is_absent(have_data: bool, problems: int) -> None:
    assert len(skip_problems({"tests/b.py::test_y": f"Skipped: {NO_DATA}: set it"}, {}, have_data)) == problems


def test_anything_else_is_a_problem() -> None:
    assert len(skip_problems({"tests/b.py::test_y": "Skipped: flaky"}, {}, False)) == 1


def test_the_file_can_be_read() -> None:
    expected_skips((ROOT / "tests" / "skips.txt").read_text())
    assert expected_skips("# note\n\ntests/a.py::test_x | no such machine\n") == LISTED
    with pytest.raises(ValueError, match="node id"):
        expected_skips("tests/a.py::test_x\n")
