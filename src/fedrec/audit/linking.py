"""Are the rows of a sum put back together into one person's profile? In exact sums, yes: they are parallel vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.audit.line import Interval, Line, judged, skipped
from fedrec.audit.setup import Moment, Setup
from fedrec.contract import ConfigError, Key, row_of
from fedrec.privacy.mechanism import Mechanism, Target, calibrate
from fedrec.privacy.noise import NoiseKey
from fedrec.privacy.protection import Protection

NAME = "rows linked in sums"
COHORTS = (50, 100, 200, 1000)
SLOW = 200  # clients whose negatives are drawn again one by one; in larger sums they leave no row to one person
PARALLEL = 1e-6  # two rows are of one person when their |cosine| is within this of 1
PASSES = 0.001  # of the touched rows
DRAWS = 3  # cohorts of each size
NARROW = 32  # wider rows are projected first: parallel vectors stay parallel
EPSILON, DELTA = 4.0, 1e-5  # of the noise shown beside, where the set-up has none


@dataclass(frozen=True)
class Linked:
    """Rows of one sum: ``touched`` by anybody, ``linked`` to another one, ``right``: both of one and the same person.

    ``alone``: rows with exactly one contributor.
    """

    touched: int
    linked: int
    right: int
    alone: int


def partners(rows: NDArray[np.float64], error: float = 0.0) -> NDArray[np.int64]:
    """Return for each row the most nearly parallel other row, or -1 where none is parallel, (n,).

    ``error``: what rounding may have moved an entry by, so that short rows are not missed.
    """
    n, width = rows.shape
    out = np.full(n, -1, np.int64)
    norms = np.sqrt(np.square(rows).sum(axis=1))
    able = np.flatnonzero(norms > 0)
    unit = rows[able] / norms[able, None]
    allowed = np.maximum(PARALLEL, 2.0 * width * (error / norms[able]) ** 2)
    for first in range(0, len(able), 1024):
        here = slice(first, first + 1024)
        cosine = np.abs(unit[here] @ unit.T)
        cosine[np.arange(len(cosine)), np.arange(first, first + len(cosine))] = -1.0
        cosine -= 1.0 - np.maximum(allowed[here, None], allowed[None, :])
        best = cosine.argmax(axis=1) if len(able) > 1 else np.zeros(len(cosine), np.int64)
        near = cosine[np.arange(len(cosine)), best] > 0 if len(able) > 1 else np.zeros(len(cosine), np.bool_)
        out[able[here][near]] = able[best[near]]
    return out


def link(rows: NDArray[np.float64], owners: list[NDArray[np.int64]], error: float = 0.0) -> Linked:
    """Return what linking finds in a sum's rows; ``owners``: the rows that each contributor touched."""
    contributors = np.zeros(len(rows), np.int64)
    sole = np.full(len(rows), -1, np.int64)
    for person, mine in enumerate(owners):
        contributors[mine] += 1
        sole[mine] = person
    sole[contributors != 1] = -1
    found = partners(rows, error)
    linked = np.flatnonzero((found >= 0) & (contributors > 0))
    right = (sole[linked] >= 0) & (sole[linked] == sole[found[linked]])
    return Linked(int((contributors > 0).sum()), len(linked), int(right.sum()), int((contributors == 1).sum()))


def table_of(setup: Setup, moment: Moment) -> str | None:
    """Return the name of the phase's statistic with one vector an item, the narrowest, or None."""
    n, places = setup.catalog.n_items, moment.broadcast.get("places")
    lengths = {n} if places is None else {n, int(places.max()) + 1}
    able = [
        (int(np.prod(s.shape[1:])), name)
        for name, s in moment.phase.stats.items()
        if len(s.shape) > 1 and s.shape[0] in lengths and s.shape[-1] > 1
    ]
    return min(able)[1] if able else None


def narrowed(rows: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return rows of at most 32 numbers among which the same ones are parallel."""
    rows = rows.reshape(len(rows), -1)
    if rows.shape[1] <= NARROW:
        return rows
    return rows @ Key(seed, 0, "audit projection").generator().normal(size=(rows.shape[1], NARROW))


def in_cohort(setup: Setup, moment: Moment, name: str, rows: NDArray[np.int64], noise: Mechanism | None) -> Linked:
    """Return what linking finds in the sum over some people, as the server decodes it."""
    total = setup.plain_sum(moment, rows)
    if noise is None:
        error = (
            0.0 if moment.phase.stats[name].counts else total.quantum[name] / 2
        )  # of a row that one person alone wrote
        table = np.asarray(moment.by_item({name: total.decode()[name]})[name], np.float64)
    else:
        guard = Protection(noise.fewest, len(rows), noise, key=NoiseKey.fresh())
        lifted = setup.ring(moment, guard)
        setup.add_updates(moment, rows, lifted)
        vector = lifted.vector()
        guard.add_share(moment.phase, vector, len(rows), b"audit")
        seen = guard.decode(moment.phase, vector, 1, len(rows), len(rows))[name]
        table = np.asarray(moment.by_item({name: seen})[name], np.float64)
        error = 0.0
    if getattr(setup.algorithm.config, "negatives", 0) and len(rows) > SLOW:
        found = partners(narrowed(table, setup.seed), error) >= 0
        return Linked(int(np.any(table != 0, axis=-1).sum()), int(found.sum()), 0, 0)
    return link(narrowed(table, setup.seed), touched_by(setup, moment, name, rows), error)


def touched_by(setup: Setup, moment: Moment, name: str, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the item rows that each person's update touches: those of the history, and of local negatives."""
    if not getattr(setup.algorithm.config, "negatives", 0):
        places = moment.broadcast.get("places")
        mine = [setup.liked(int(row)) for row in rows]
        return mine if places is None else [items[places[items] >= 0] for items in mine]
    key = Key(setup.config.seed, moment.number, "update")
    out = []
    for row in rows:
        user, history = int(setup.users.users[row]), setup.users.history(int(row))
        update, _ = setup.algorithm.client_update(
            moment.phase, moment.broadcast, row_of(moment.private, int(row)), history, key.rng(user)
        )
        part = update[name]
        out.append(part.index[0] if part.index else np.flatnonzero(np.any(part.values, axis=-1)))
    return out


def lines(setup: Setup) -> list[Line]:
    """Return one line for the sums of this set-up, with a table over cohort sizes."""
    experiment = "rows of a sum that are parallel to another row, as a share of the rows that anybody touched"
    if setup.organisations:
        return [skipped(NAME, experiment, "the clients are organisations, which add their own people up first")]
    able = [(m, name) for m in setup.moments if (name := table_of(setup, m)) is not None]
    if not able:
        why = "no statistic has a vector for each item"
        if any(s.counts for m in setup.moments for s in m.phase.stats.values()):
            why += "; an item that only one person of a cohort has still shows as a count of 1 where noise is off"
        return [skipped(NAME, experiment, why)]
    moment, name = able[0]
    return [_judged(setup, moment, name, experiment)]


def _judged(setup: Setup, moment: Moment, name: str, experiment: str) -> Line:
    n = setup.users.n_users
    mechanism = None if setup.safeguards is None else setup.safeguards.mechanism
    sizes = [c for c in COHORTS if c < n]
    rows = [_row(setup, moment, name, c, None) for c in sizes]
    rows += [_row(setup, moment, name, c, small) for c in sizes if (small := _noise_for(setup, c)) is not None]
    if not setup.masked:
        told = "masks are off: the server need not link anything, it sees whose row each is. What sums would give away:"
        return Line(NAME, "KNOWN LIMIT", experiment, detail=told, rows=tuple(rows))
    own = measured(setup, moment, name, setup.cohort, mechanism)
    share = own[0]
    return Line(
        NAME,
        judged(share <= PASSES),
        f"{experiment}: {name!r} summed over {setup.cohort:,} clients, noise {'on' if mechanism else 'off'}",
        share,
        0.0,
        own[1],
        (f"{own[2]:.1%} of the linked rows are of one person, the others of the same few people. " if share else "")
        + "Baseline: popularity links nothing. Interval: lowest and highest of "
        + f"{DRAWS} random cohorts (one, where all take part).",
        unit="rows linked",
        target=f"at most {PASSES:.1%}",
        rows=tuple(rows),
    )


def measured(
    setup: Setup, moment: Moment, name: str, cohort: int, noise: Mechanism | None, draws: int = DRAWS
) -> tuple[float, Interval, float, float]:
    """Return over a few cohorts: share linked, its lowest and highest, share of those right, share of rows alone."""
    found = []
    for draw in range(draws if cohort < setup.users.n_users else 1):
        order = Key(setup.seed, draw, f"audit cohort {cohort}").generator().permutation(setup.users.n_users)
        found.append(in_cohort(setup, moment, name, np.sort(order[:cohort]).astype(np.int64), noise))
    shares = [f.linked / max(f.touched, 1) for f in found]
    linked, touched = sum(f.linked for f in found), max(sum(f.touched for f in found), 1)
    right, alone = sum(f.right for f in found), sum(f.alone for f in found)
    return linked / touched, (min(shares), max(shares)), right / max(linked, 1), alone / touched


def _noise_for(setup: Setup, cohort: int) -> Mechanism | None:
    """Return the noise that a cohort of this size would add, at the set-up's epsilon (or 4), or None."""
    if not setup.noisy:
        return None
    assert setup.safeguards is not None
    assert setup.safeguards.mechanism is not None
    target = replace(setup.safeguards.mechanism.target)
    fewest = max(int(0.9 * cohort), 1)
    try:
        return calibrate(setup.plan, cohort, Target(target.epsilon, target.delta), fewest, cohort)
    except ConfigError:  # the ring has no room for the noise of so few
        return None


def _row(setup: Setup, moment: Moment, name: str, cohort: int, noise: Mechanism | None) -> dict[str, object]:
    share, _, right, alone = measured(setup, moment, name, cohort, noise)
    return {
        "cohort": cohort, "noise": "off" if noise is None else f"epsilon {noise.target.epsilon:g}",
        "rows linked": share, "of one person": right, "rows of one contributor": alone,
    }  # fmt: skip
