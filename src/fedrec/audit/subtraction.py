"""Two sums over cohorts that differ in one member: what their difference gives away, and whether clients refuse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.audit import lists
from fedrec.audit.line import Line, judged, mean_interval, skipped
from fedrec.audit.setup import Moment, Setup
from fedrec.contract import FedrecError, Total
from fedrec.privacy.secure import Refused

NAME = "subtraction of two sums"
EXPERIMENT = "the list of one person read off the difference of two sums that are the same but for that person"
MARGIN = 0.02
EXACT, NOISY = 3, 12  # people whose sums are subtracted: exact differences do not vary


def lines(setup: Setup) -> list[Line]:
    """Return the line of this set-up."""
    if not setup.moments:
        return [skipped(NAME, EXPERIMENT, f"{setup.algorithm.name} sends nothing")]
    if setup.organisations:
        return [skipped(NAME, EXPERIMENT, "the clients are organisations: a difference is one organisation's sum")]
    moment = setup.moments[0]
    scores, guesses, refused = [], [], ""
    for row in setup.chosen[: NOISY if setup.noisy else EXACT]:
        difference, said = subtracted(setup, moment, int(row))
        refused = refused or said
        mine = setup.liked(int(row))
        found = read(setup, moment, difference, len(mine))
        if found is None:
            return [skipped(NAME, EXPERIMENT, f"no statistic of phase {moment.phase.name!r} is indexed by item")]
        scores.append(lists.f1(found, mine))
        guesses.append(lists.f1(lists.heaviest(setup.counts, len(mine)), mine))
    return [_line(setup, np.array(scores), np.array(guesses), refused)]


def subtracted(setup: Setup, moment: Moment, row: int) -> tuple[Total, str]:
    """Return the difference of the sums with and without one person, and what the clients said of the second one.

    Where clients refuse, the difference is that of the plain sums: what they refused to give away.
    """
    everybody = np.arange(setup.users.n_users, dtype=np.int64)
    cohorts = (everybody, np.delete(everybody, row))
    runtime = setup.runtime(moment, setup.protection())
    totals, said = [], ""
    for cohort in cohorts:
        runtime.private = {name: array.copy() for name, array in moment.private.items()}
        try:
            done = runtime.round(moment.phase, moment.broadcast, cohort, moment.number, setup.config.seed)
        except (Refused, FedrecError) as error:
            said = str(error)
            break
        if done.total is None:
            said = ", ".join(done.failures) or "too few clients"
            break
        totals.append(done.total)
    if len(totals) < 2:
        totals = [setup.plain_sum(moment, cohort).decode() for cohort in cohorts]
    with_him, without_him = totals
    names = moment.phase.stats
    return Total({n: np.asarray(with_him[n], np.float64) - without_him[n] for n in names}, 1), said


def read(setup: Setup, moment: Moment, difference: Total, length: int) -> NDArray[np.int64] | None:
    """Return the list that a difference names: everything not zero without noise, else the heaviest items."""
    n, stats = setup.catalog.n_items, moment.by_item(difference.stats)
    if not setup.noisy:
        negatives = bool(getattr(setup.algorithm.config, "negatives", 0))
        return lists.guessed(moment.phase, stats, n, negatives)
    heavy = lists.heavy(moment.phase, stats, n)
    return lists.heaviest(heavy, length) if heavy.any() else None


def _line(setup: Setup, scores: NDArray[np.float64], guesses: NDArray[np.float64], refused: str) -> Line:
    figure, interval = float(scores.mean()), mean_interval(scores, setup.seed)
    if setup.noisy:
        passed = mean_interval(scores - guesses, setup.seed)[0] <= MARGIN
        told = f"{len(scores)} people; both sums are released, each with noise of its own, and both are charged"
    elif setup.masked:
        passed = bool(refused)
        told = f"what the difference would tell; the second sum was {'refused: ' + refused if refused else 'released'}"
    else:
        passed = figure <= guesses.mean() + MARGIN
        told = "masks are off: nobody remembers whose sums were given out, and nobody refuses"
    return Line(
        NAME, judged(passed), EXPERIMENT, figure, float(guesses.mean()), interval, told, unit="F1",
        target="refused" if setup.masked and not setup.noisy else f"at most {MARGIN} above popularity",
    )  # fmt: skip
