from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.helpers import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file (text or bytes) into the test's folder and return its path."""

    def one(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return one
