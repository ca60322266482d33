"""Whom the masks trust: colluding clients, and whoever says which keys belong to whom."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from fedrec.audit import lists
from fedrec.audit.line import Line, mean_interval, skipped
from fedrec.audit.setup import Setup
from fedrec.contract import ConfigError, Key
from fedrec.privacy.accountant import cost
from fedrec.privacy.secure import Expected, Identity, Plan, Refused, plan_round
from fedrec.privacy.secure.graph import neighbours
from fedrec.privacy.secure.policy import check_plan

COLLUSION = "colluding clients and the masks"
SHARES = "colluding clients and the noise"
KEYS = "who vouches for keys"
FRACTIONS = (0.05, 0.1, 0.2, 0.3)
DRAWS = 20
MOST = 2000  # clients of the graph that is drawn


def lines(setup: Setup) -> list[Line]:
    """Return three lines: masks under collusion, noise under collusion, and the roster."""
    return [collusion(setup), noise_shares(setup), keys(setup)]


def _plan(setup: Setup, roster: list[bytes]) -> Plan:
    assert setup.safeguards is not None
    phase = setup.plan[0]
    expected = Expected(setup.safeguards.profile, bytes(32), max(phase.up_bytes // 8, 1), 64, setup.noisy)
    return plan_round(expected, roster, 0)


def exposed(holders: int, threshold: int, helpers: int) -> bool:
    """Return whether so many helping holders of a person's shares give the server both of its secrets.

    The server tells the other holders two different lists: each half plus the helpers must reach the threshold.
    """
    return holders + helpers >= 2 * threshold


def _cannot(setup: Setup) -> str:
    """Return why the secure sum cannot be attacked here, or nothing."""
    if not setup.masked:
        return "masks are off: there are no keys and nothing to collude against"
    return "" if find_spec("cryptography") is not None else "needs pip install 'fedrec[privacy]'"


def collusion(setup: Setup) -> Line:
    """Return how many honest people random colluders expose in the graph of this set-up's rounds."""
    experiment = "honest clients whose two secrets the server could gather, random colluders, the round's own graph"
    if why := _cannot(setup):
        return skipped(COLLUSION, experiment, why)
    n = min(setup.cohort, MOST)
    try:
        plan = _plan(setup, [k.to_bytes(32, "little") for k in range(n)])
    except ConfigError as error:
        return skipped(COLLUSION, experiment, str(error))
    rows, safe, nobody = [], 0.0, True
    for fraction in FRACTIONS:
        shares = [_exposed_share(setup, plan, n, fraction, draw) for draw in range(DRAWS)]
        rows.append({"colluders": fraction, "honest clients exposed": float(np.mean(shares)), "worst": max(shares)})
        nobody = nobody and max(shares) == 0.0
        safe = fraction if nobody else safe
    told = (
        f"threshold {plan.threshold} of {plan.degree + 1} holders; {DRAWS} random graphs of {n:,} clients each. The "
        "server chooses whom it invites and may arrange helpers on purpose: docs/protocol.md"
    )
    return Line(
        COLLUSION, "KNOWN LIMIT", experiment, safe, None, None, told, unit="share of colluders that exposed nobody",
        rows=tuple(rows),
    )  # fmt: skip


def _exposed_share(setup: Setup, plan: Plan, n: int, fraction: float, draw: int) -> float:
    key = Key(setup.seed, draw, f"audit colluders {fraction}")
    bad = key.generator().permutation(n)[: int(fraction * n)]
    helper = np.zeros(n, np.bool_)
    helper[bad] = True
    graph = neighbours(range(n), plan.degree, f"audit {setup.seed} {draw} {fraction}".encode())
    honest = np.flatnonzero(~helper)
    lost = sum(exposed(len(graph[int(k)]) + 1, plan.threshold, int(helper[list(graph[int(k)])].sum())) for k in honest)
    return lost / max(len(honest), 1)


def noise_shares(setup: Setup) -> Line:
    """Return what epsilon becomes when colluders know their own noise shares."""
    experiment = "epsilon of one training when the colluders' noise shares are subtracted"
    mechanism = None if setup.safeguards is None else setup.safeguards.mechanism
    if mechanism is None:
        return skipped(SHARES, experiment, "noise is off")
    rows: list[dict[str, float | None]] = []
    for fraction in (0.0, *FRACTIONS):
        honest = max(int((1 - fraction) * setup.cohort), 1)
        left = min(honest / mechanism.fewest, 1.0)
        releases = [replace(r, variance=r.variance * left) for r in mechanism.training()]
        try:
            rows.append({"colluders": fraction, "epsilon": cost(releases, mechanism.target.delta).epsilon})
        except ConfigError:
            rows.append({"colluders": fraction, "epsilon": None})
    declared = mechanism.cost.epsilon
    told = (
        f"noise is sized for {mechanism.fewest:,} of {setup.cohort:,} clients, so up to "
        f"{max(1 - mechanism.fewest / setup.cohort, 0):.0%} colluders cost nothing when everybody answers. Lower "
        "--privacy.survivors to allow for more"
    )
    at_ten = next(r["epsilon"] for r in rows if r["colluders"] == 0.1)
    return Line(
        SHARES, "KNOWN LIMIT", experiment, at_ten, declared, None, told, unit="epsilon with 10 % colluders",
        rows=tuple(rows),
    )  # fmt: skip


def keys(setup: Setup) -> Line:
    """Return what a roster of invented members does: the client cannot tell, and stands alone in the sum."""
    experiment = "a roster with one real client, everybody else invented by whoever enrols"
    if why := _cannot(setup):
        return skipped(KEYS, experiment, why)
    if setup.organisations:
        return skipped(KEYS, experiment, "organisations compare the plan, which lists all members' keys")
    if not setup.moments:
        return skipped(KEYS, experiment, "nothing is sent")
    assert setup.safeguards is not None
    profile, moment = setup.safeguards.profile, setup.moments[0]
    roster = [Identity.generate().public for _ in range(profile.least)]
    expected = Expected(profile, bytes(32), 8, 64, setup.noisy)
    try:
        check_plan(plan_round(expected, roster, 0), expected, roster)
    except (Refused, ConfigError) as error:
        return Line(KEYS, "PASS", experiment, detail=f"refused: {error}")
    scores, guesses = [], []
    for row in setup.chosen[:12]:
        mine = setup.liked(int(row))
        found = _alone(setup, int(row), len(mine))
        if found is None:
            return skipped(KEYS, experiment, f"no statistic of phase {moment.phase.name!r} is indexed by item")
        scores.append(lists.f1(found, mine))
        guesses.append(lists.f1(lists.heaviest(setup.counts, len(mine)), mine))
    who = "devices trust whoever enrolled the members" if profile.name == "devices" else "members compare their rosters"
    told = (
        f"the plan with {profile.least:,} members, all but one invented, is accepted: {who}. Shown: F1 of the one real "
        "client's list, the invented members' shares subtracted. What helps: an enrolment authority that is not the "
        "server, a public log of keys"
    )
    return Line(
        KEYS, "KNOWN LIMIT", experiment, float(np.mean(scores)), float(np.mean(guesses)),
        mean_interval(scores, setup.seed), told, unit="F1",
    )  # fmt: skip


def _alone(setup: Setup, row: int, length: int) -> NDArray[np.int64] | None:
    """Return the list read off one client's vector with its own noise share, which is all that hides it then."""
    guard, moment = setup.protection(), setup.moments[0]
    n = setup.catalog.n_items
    assert guard is not None
    total = setup.ring(moment, guard)
    setup.add_updates(moment, np.array([row]), total)
    vector = total.vector()
    guard.add_share(moment.phase, vector, 1, b"audit alone")
    stats = moment.by_item(guard.decode(moment.phase, vector, max(setup.users.n_users, 1), 1, 1).stats)
    if guard.mechanism is None:
        return lists.guessed(moment.phase, stats, n, bool(getattr(setup.algorithm.config, "negatives", 0)))
    heavy = lists.heavy(moment.phase, stats, n)
    return lists.heaviest(heavy, length) if heavy.any() else None
