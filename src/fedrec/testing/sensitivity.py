"""Law 5 for algorithms that may be released with noise: a directed search for the user who meets each declared norm.

Noise is calibrated to the declared norms, so one that is too small is a broken promise and one that is too large is
noise for nothing. The search climbs from histories of every length by adding, dropping, exchanging and repeating
items, for each statistic apart, and looks at each candidate in three ways: what the client computes before anything
clips it, the sum of ``client_update``, and the sum of the cohort path.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Interactions, Key, Phase, Stat, row_of
from fedrec.privacy import RingSum
from fedrec.privacy.accountant import rounded_sensitivity
from fedrec.testing.base import Laws
from fedrec.testing.subject import Moment, Subject, copied
from fedrec.testing.worlds import history_of

ENOUGH = 0.95  # of a declared norm that the search must reach
STEPS = 60  # candidates tried from the best start
SINGLE = 1e-6  # relative; rounding of norms that kernels compute in float32
Reach = dict[tuple[str, str], float]


class SensitivityLaws(Laws):
    """What an algorithm that declares ``dp`` must show: norms that noise can be calibrated to."""

    def test_law_5_the_norms_are_met(self) -> None:
        """Where noise is allowed: a directed search comes within 5 % of each declared norm, and never beyond."""
        settings = type(self.make()).dp
        if settings is None:
            return
        subject = Subject(self.make(**{**settings, **self.noisy}), self.subject().users)
        for (phase, name), most in reached(subject).items():
            assert most >= ENOUGH, (
                f"{name!r} of phase {phase!r}: the worst user found has {most:.3f} of the declared norm: declare less"
            )


def reached(subject: Subject) -> Reach:
    """Return for each (phase, statistic) the largest share of its norm that a user was found to have; assert <= 1."""
    out: Reach = {}
    for moment in subject.moments():
        for name in moment.phase.stats:
            key = (moment.phase.name, name)
            out[key] = max(out.get(key, 0.0), climb(subject, moment, name))
    return out


def climb(subject: Subject, moment: Moment, name: str) -> float:
    """Return the largest share of one statistic's norm that a directed search finds in one round."""
    rng = Key(subject.seed, moment.number, f"worst user of {name}").generator()
    n = subject.users.n_items
    starts = [rng.permutation(n)[:k].tolist() for k in sorted({0, 1, 2, 3, n // 4, n // 2, n - 1, n})]
    starts += [[item] for item in range(n)] + [[*s, *s] for s in starts]
    most, best, loud = max(
        ((_share(subject, moment, name, items, loud), items, loud) for items in starts for loud in (1.0, 30.0)),
        key=lambda found: found[0],
    )
    for _ in range(STEPS):
        if most >= 1.0 - SINGLE:
            break
        items = _changed(best, n, rng)
        share = _share(subject, moment, name, items, loud)
        if share >= most:
            most, best = share, items
    return most


def _changed(items: list[int], n: int, rng: np.random.Generator) -> list[int]:
    """Return a history with an item added, dropped, exchanged or repeated, at a place drawn at random."""
    at, new, kind = int(rng.integers(0, len(items) + 1)), int(rng.integers(0, n)), int(rng.integers(0, 4))
    if kind == 0 or not items:
        return [*items[:at], new, *items[at:]]
    if kind == 1:
        return [*items[:at], *items[at + 1 :]]
    if kind == 2:
        return [*items[:at], new, *items[at + 1 :]]
    return [*items, items[at % len(items)]]


def _share(subject: Subject, moment: Moment, name: str, items: list[int], loud: float) -> float:
    """Assert the norms of one statistic of one user and return how much of the declared one the user has."""
    history, n, phase = history_of(items), subject.users.n_items, moment.phase
    row = len(items) % subject.users.n_users
    private = {n: a * np.asarray(loud, a.dtype) for n, a in row_of(moment.private, row).items()}
    stat, declared, what = phase.stats[name], norm_of(phase, name), f"{name!r} of {len(items)} items"
    if stat.l2 is not None:
        rng = moment.key.rng(row)
        update, _ = subject.algorithm.client_update(phase, moment.broadcast, copied(private), history, rng)
        raw = float(np.linalg.norm(update[name].values))
        assert raw <= declared * (1 + SINGLE), f"{what}: norm {raw} before any clip, declared {declared}"
    stacked: Arrays = {n: a[None] for n, a in private.items()}
    users = Interactions.of(history, n, row)
    most = 0.0
    for path in (subject.algorithm.cohort_update, lambda *args: Algorithm.cohort_update(subject.algorithm, *args)):
        total = RingSum(phase, subject.users.n_users)
        path(phase, moment.broadcast, copied(stacked), users, moment.key, total)
        steps = total.ring[name].astype(np.float64)
        assert_steps(stat, steps, declared, total.quantum[name], what)
        most = max(most, float(np.linalg.norm(steps)) * total.quantum[name] / declared)
    return most


def norm_of(phase: Phase, name: str) -> float:
    """Return the L2 bound of one user's part of a statistic: its own, or the clip of its phase."""
    declared = phase.stats[name].l2 if phase.stats[name].l2 is not None else phase.clip
    assert declared is not None, f"{name!r} has no norm, and noise needs one: declare l2 or a clip"
    return declared


def assert_steps(stat: Stat, steps: NDArray[np.float64], declared: float, quantum: float, what: str) -> None:
    """Fail where one user's integers are longer than the rounding of a vector of the declared norms can be."""
    norm, largest = float(np.linalg.norm(steps)), float(np.abs(steps).max(initial=0.0))
    bound = declared / quantum
    if not stat.counts:
        bound = rounded_sensitivity(declared * (1 + SINGLE), quantum, max(int(np.count_nonzero(steps)), 1))
    assert norm <= bound * (1 + SINGLE), f"{what}: {norm:.6g} steps long, declared {bound:.6g}"
    limit = stat.linf / quantum + (0.0 if stat.counts else 0.5)
    assert largest <= limit, f"{what}: an entry of {largest:.6g} steps, declared {limit:.6g}"
