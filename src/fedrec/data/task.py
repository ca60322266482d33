"""People to recommend to, what their devices know, and what is held out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions
from fedrec.contract.interactions import gather


@dataclass(frozen=True)
class Task:
    """People to recommend to: what their devices know, and what is held out.

    ``histories``: one row a person; ``target_offsets`` (u + 1,) int64, ``targets`` (t,) int32: held-out items;
    ``candidates`` (u, c) int32 or None: sampled candidates, the held-out item in the last column (None: all items);
    ``pessimistic``: ties count against the held-out item (pandas ``rank(method="first")`` with it in the last row).
    """

    histories: Interactions
    target_offsets: NDArray[np.int64]
    targets: NDArray[np.int32]
    candidates: NDArray[np.int32] | None = None
    pessimistic: bool = False

    @property
    def n_users(self) -> int:
        """Return the number of people."""
        return self.histories.n_users

    def take(self, people: NDArray[np.int64]) -> Task:
        """Return the task of some of its people, by row."""
        where, offsets = gather(self.target_offsets, people)
        candidates = None if self.candidates is None else self.candidates[people]
        return replace(
            self,
            histories=self.histories.take(people),
            target_offsets=offsets,
            targets=self.targets[where],
            candidates=candidates,
        )
