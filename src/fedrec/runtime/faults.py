"""Clients that fail on purpose: drop-outs and stragglers, from a config, each with a reason."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from fedrec.contract import Key


class Fault(BaseModel):
    """A share of the cohort that fails in every round, for one reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str = Field(min_length=1, description="what the round's record says, e.g. 'battery low'")
    share: float = Field(ge=0, le=1, description="fraction of the cohort, each client by its own coin")


def with_reasons(failures: dict[str, int], reasons: Iterable[str]) -> dict[str, int]:
    """Return ``failures`` with one more client for each of these reasons."""
    out = dict(failures)
    for reason in reasons:
        out[reason] = out.get(reason, 0) + 1
    return out


def split_failures(
    cohort: NDArray[np.int64], faults: tuple[Fault, ...], seed: int, round: int
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Return (survivors, number of clients that failed by reason)."""
    reasons: dict[str, int] = {}
    for number, fault in enumerate(faults):
        failed = Key(seed, round, f"fault {number}").coins(cohort) < fault.share
        if failed.any():
            reasons[fault.reason] = reasons.get(fault.reason, 0) + int(failed.sum())
        cohort = cohort[~failed]
    return cohort, reasons
