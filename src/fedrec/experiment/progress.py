"""Live progress: one rich line with a spinner in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from fedrec.experiment.fit import Progress

if TYPE_CHECKING:
    from rich.live import Live

PLAIN_EVERY = 5.0  # seconds between plain lines


@dataclass
class Reporter:
    """Shows round, validation ndcg, MB so far and the time left of a run; use it in a ``with`` block."""

    label: str
    quiet: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _began: float = field(default_factory=time.perf_counter)
    _printed: float = 0.0
    _first: int | None = None  # rounds that were done before this run began (it may have been resumed)
    _live: Live | None = None

    def __enter__(self) -> Reporter:
        """Start the spinner where there is a terminal: a first round may take long."""
        if not self.quiet and self.stream.isatty():
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner

            self._live = Live(Spinner("dots", self.label), console=Console(file=self.stream), refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last line, and the cursor as it was."""
        if self._live is not None:
            self._live.stop()

    def __call__(self, progress: Progress, rounds: int) -> None:
        """Show the state after a round."""
        done, now = progress.state.round, time.perf_counter()
        if self._first is None:
            self._first = done - 1
        if self.quiet:
            return
        line = self._line(progress, rounds, now)
        if self._live is not None:
            from rich.spinner import Spinner
            from rich.text import Text

            self._live.update(Text(line) if done == rounds else Spinner("dots", Text(line)), refresh=True)
        elif done == rounds or now - self._printed > PLAIN_EVERY:
            self._printed = now
            self.stream.write(line + "\n")
            self.stream.flush()

    def _line(self, progress: Progress, rounds: int, now: float) -> str:
        done = progress.state.round
        record = progress.records[-1]
        mb = sum(r.up_bytes + r.down_bytes for r in progress.records) / 1e6
        pace = (now - self._began) / max(1, done - (self._first or 0))
        last = next((r.validation for r in reversed(progress.records) if r.validation), {})
        ndcg = next((f"  validation {n} {v:.4f}" for n, v in last.items() if n.startswith("ndcg@10")), "")
        failed = sum(record.failures.values())
        lost = f"  failed {failed} ({', '.join(record.failures)})" if failed else ""
        return (
            f"{self.label}  round {done}/{rounds} {record.phase}  clients {record.survivors:,}{lost}{ndcg}"
            f"  {mb:,.1f} MB so far  ETA {max(0.0, pace * (rounds - done)):.0f} s"
        )
