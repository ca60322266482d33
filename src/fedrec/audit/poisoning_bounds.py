"""The largest update that the declared bounds let through: what a fake client sends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Part, Phase, Stat, Update
from fedrec.privacy.pipeline import bounded_rows

Array = NDArray[np.float64]
TRIES = 30  # alternations between the norm and the bounds of entries and rows


def filled(phase: Phase, update: Update, size: float | None = None) -> Update:
    """Return the update in its direction, as long as the phase's bounds allow, with nothing left to be cut off.

    ``size``: the L2 norm to send instead of the clip's, where statistics share a clip: an attacker without a bound
    still has to choose one. Statistics that have no L2 bound at all are scaled to their largest entry.
    """
    together = [n for n, s in phase.stats.items() if s.l2 is None and phase.clip is not None]
    out = {n: _alone(p, phase.stats[n]) for n, p in update.items() if n not in together}
    if together:
        assert phase.clip is not None
        out |= _stretched({n: update[n] for n in together}, phase, min(phase.clip, size or phase.clip))
    return out


def _alone(part: Part, stat: Stat) -> Part:
    values = np.asarray(part.values, np.float64)
    if stat.counts or not np.any(values):
        return Part(np.clip(np.rint(values), -stat.linf, stat.linf), part.index)
    if stat.l2 is None:
        return _cut(Part(values * (stat.linf / np.abs(values).max()), part.index), stat)
    return _stretched({"": part}, Phase("", 1, {"": stat}, clip=stat.l2), stat.l2)[""]


def _stretched(parts: dict[str, Part], phase: Phase, norm: float) -> dict[str, Part]:
    """Return the parts stretched to a common norm; what an entry's or a row's bound takes, the others get."""
    for _ in range(TRIES):
        length = float(np.sqrt(sum(float(np.sum(np.square(p.values, dtype=np.float64))) for p in parts.values())))
        if length == 0.0 or abs(length - norm) <= 1e-9 * norm:
            break
        parts = {
            n: _cut(Part(np.asarray(p.values) * (norm / length), p.index), phase.stats[n]) for n, p in parts.items()
        }
    return parts


def _cut(part: Part, stat: Stat) -> Part:
    kept = bounded_rows(part, stat.row)
    return Part(np.clip(np.asarray(kept.values, np.float64), -stat.linf, stat.linf), part.index)
