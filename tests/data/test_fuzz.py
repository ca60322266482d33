"""Malformed files: each is read or refused in words (the full form is benchmarks/fuzz_readers.py)."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from tests.data.malformed import Case, agrees, cases, damaged, survives, tables


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(cases())
def test_no_file_ends_in_a_traceback(case: Case) -> None:
    with TemporaryDirectory() as folder:
        assert survives(case, Path(folder) / "case") in ("read", "refused")


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(damaged(tables()))
def test_the_fast_reader_gives_what_the_csv_module_gives(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        agrees(content, Path(folder))
