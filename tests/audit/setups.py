"""Small set-ups that the tests attack."""

from __future__ import annotations

from typing import Any

from fedrec.audit.setup import Setup
from fedrec.experiment.config import run_config

MADE_UP = "synthetic:users=600,items=60,per_user=8,seed=1"
FEW_ITEMS = "tests.audit.few_items:FewItems"


def setup(
    algorithm: str = "popularity", masked: bool = False, noisy: bool = False, people: int = 20, **more: Any
) -> Setup:
    """Return a federation of 600 made-up people."""
    values: dict[str, Any] = {"algorithm": algorithm, "data": MADE_UP, "protocol": "none", **more}
    if masked:
        values["secure_sum"] = "on"
    if noisy:
        values["privacy"] = {"epsilon": 4.0}
    return Setup(run_config(values), None, people)
