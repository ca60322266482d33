"""Live progress: one rich line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from fedrec.experiment.fit import Progress

PLAIN_EVERY = 5.0  # seconds between plain lines


@dataclass
class Reporter:
    """Prints round, validation ndcg, MB so far and the time left of a run."""

    label: str
    quiet: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _began: float = field(default_factory=time.perf_counter)
    _printed: float = 0.0
    _first_round: int | None = None

    def __call__(self, progress: Progress, rounds: int) -> None:
        """Show the state after a round."""
        if self.quiet:
            return
        done, now = progress.state.round, time.perf_counter()
        if self._first_round is None:
            self._first_round = done - 1
        text = self._line(progress, rounds, now)
        if self.stream.isatty():
            end = "\n" if done == rounds else ""
            self.stream.write(f"\r\x1b[2K{text}{end}")
            self.stream.flush()
        elif done == rounds or now - self._printed > PLAIN_EVERY:
            self._printed = now
            self.stream.write(text + "\n")
            self.stream.flush()

    def _line(self, progress: Progress, rounds: int, now: float) -> str:
        done = progress.state.round
        record = progress.records[-1]
        mb = sum(r.up_bytes + r.down_bytes for r in progress.records) / 1e6
        pace = (now - self._began) / max(1, done - (self._first_round or 0))
        last = next((r.validation for r in reversed(progress.records) if r.validation), {})
        ndcg = next((f"  validation {n} {v:.4f}" for n, v in last.items() if n.startswith("ndcg@10")), "")
        failed = sum(record.failures.values())
        lost = f"  failed {failed} ({', '.join(record.failures)})" if failed else ""
        return (
            f"{self.label}  round {done}/{rounds} {record.phase}  clients {record.survivors:,}{lost}{ndcg}"
            f"  {mb:,.1f} MB so far  ETA {max(0.0, pace * (rounds - done)):.0f} s"
        )
