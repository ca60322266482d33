"""Does the server read people's lists? On raw updates (what is at stake), then on what this set-up gives it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.audit import lists
from fedrec.audit.line import Line, judged, mean_interval, skipped
from fedrec.audit.setup import Moment, Setup

RAW = "raw updates, protections off"
HELD = "what the server holds"
MARGIN = 0.02  # F1 above the popularity guess that counts as reading a list
ROOM = 2_000_000_000  # bytes of updates that are decoded one by one in one experiment


def lines(setup: Setup) -> list[Line]:
    """Return both lines: what one raw update tells, and what the server of this set-up can tell."""
    best: Line | None = None
    for moment in setup.moments:
        line = raw(setup, moment)
        if best is None or (line.figure or -1.0) > (best.figure or -1.0):
            best = line
    if best is None:
        reason = f"{setup.algorithm.name} sends nothing"
        return [skipped(RAW, "one client's update", reason), skipped(HELD, "what the server decodes", reason)]
    return [best, held(setup, best)]


def raw(setup: Setup, moment: Moment) -> Line:
    """Return how much of people's lists one unmasked, un-noised update names in one phase."""
    experiment = f"the list of items read off one client's update, phase {moment.phase.name!r}"
    if setup.organisations:
        return skipped(RAW, experiment, "clients are organisations: what one sends is the sum of its people")
    n, negatives = setup.catalog.n_items, bool(getattr(setup.algorithm.config, "negatives", 0))
    size = 16 * sum(int(np.prod(s.shape)) for s in moment.phase.stats.values())
    rows = setup.chosen[: max(3, ROOM // max(size, 1))]
    scores, guesses = [], []
    for row in rows:
        stats = moment.by_item(setup.plain_sum(moment, np.array([row])).decode().stats)
        found = lists.guessed(moment.phase, stats, n, negatives)
        if found is None:
            return skipped(RAW, experiment, "no statistic of this phase is indexed by item")
        scores.append(lists.f1(found, setup.liked(row)))
        guesses.append(_popular(setup, row))
    how = (
        "attack: strongest direction of the row updates, its sign, the smaller side (local negatives are the larger)"
        if negatives
        else "attack: the rows and columns that are not zero"
    )
    return Line(
        RAW,
        "KNOWN LIMIT",
        experiment,
        float(np.mean(scores)),
        float(np.mean(guesses)),
        mean_interval(scores, setup.seed),
        f"{how}; {len(scores)} people. Why sums are masked: this is what a server reads that sees single updates.",
        unit="F1",
    )


def held(setup: Setup, stake: Line) -> Line:
    """Return how much of people's lists the server reads off what it really gets."""
    if not setup.masked:
        told = (
            "masks and noise are off, so the server may see single updates: the line above is what it reads. "
            "Add --secure-sum or --privacy.epsilon"
        )
        if stake.verdict == "DOES NOT APPLY":
            return skipped(HELD, "single updates, as they are sent", stake.detail)
        verdict = judged((stake.figure or 0.0) <= (stake.baseline or 0.0) + MARGIN)
        return Line(
            HELD, verdict, "single updates, as they are sent", stake.figure, stake.baseline, stake.interval, told,
            unit="F1", target=f"at most {MARGIN:g} above popularity",
        )  # fmt: skip
    n = setup.catalog.n_items
    found = [_of_sum(setup, moment) for moment in setup.moments]
    able = [pair for pair in found if pair is not None]
    if not able:
        return skipped(HELD, "the decoded sum of a round", f"no statistic is indexed by item ({n:,} items)")
    scores, guesses = max(able, key=lambda pair: float(pair[0].mean()))
    ahead = mean_interval(scores - guesses, setup.seed)
    kind = "noisy sum" if setup.noisy else "exact sum"
    return Line(
        HELD,
        judged(ahead[0] <= MARGIN),
        f"the list of items of the same length read off the decoded {kind} over {setup.cohort:,} clients",
        float(scores.mean()),
        float(guesses.mean()),
        mean_interval(scores, setup.seed),
        f"{len(scores)} people; ahead of the popularity guess by {ahead[0]:+.3f} to {ahead[1]:+.3f}. What a sum tells "
        "of rare items is the next line's business.",
        unit="F1",
        target=f"at most {MARGIN:g} above popularity",
    )


def _of_sum(setup: Setup, moment: Moment) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return (F1 of the heaviest items of a sum, F1 of the most popular ones) for each person, or None."""
    n = setup.catalog.n_items
    heavy = lists.heavy(moment.phase, moment.by_item(setup.server_view(moment).stats), n)
    if not heavy.any():
        return None
    rows = setup.chosen if setup.organisations else setup.cohort_of(moment)
    if len(rows) > setup.people:
        rows = setup.key("people of a round").permutation(rows)[: setup.people]
    mine = [setup.liked(int(row)) for row in rows]
    scores = np.array([lists.f1(lists.heaviest(heavy, len(m)), m) for m in mine])
    return scores, np.array([_popular(setup, int(row)) for row in rows])


def _popular(setup: Setup, row: int) -> float:
    mine = setup.liked(row)
    return lists.f1(lists.heaviest(setup.counts, len(mine)), mine)
