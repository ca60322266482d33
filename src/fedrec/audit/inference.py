"""What the released model tells of the people it learned from: one interaction, or that somebody took part at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.audit.line import Interval, Line, Verdict, auc, auc_interval, judged, mean_interval, skipped
from fedrec.audit.pairs import Answers, ask, together
from fedrec.audit.setup import Setup

INTERACTION = "interaction inference on the released model"
MEMBERSHIP = "membership inference"
PASSES = 0.53  # AUC
LEAST = 90  # people below which parts of them are too few to train on
MOST = 1200  # people asked about
PARTS = 4  # groups of people asked about, each with a reference model of everybody else
PART = 0.04  # of all people in such a group: few, so that what they have in common does not look like a leak
FEW = 30  # people with questions below which nothing can be said
SURE = 3.29 / 1.96  # from a 95 % interval to one of 99.9 %
SMALL = 4.0  # epsilon up to which nothing may be found
ABOUT = (
    "pairs of an item that the person has and one not, as popular, and alike to a reference model of other people",
    "people in and out of a training on a third of them, by what it changed on such pairs",
)


def lines(setup: Setup) -> list[Line]:
    """Return both lines."""
    if not setup.plan:
        return _skip(f"{setup.algorithm.name} releases nothing")
    if setup.users.n_users < LEAST or setup.prepared.options.client_of is not None:
        return _skip(f"needs {LEAST} people who are clients by themselves, to train on parts of them")
    return [interaction(setup), membership(setup)]


def _skip(why: str) -> list[Line]:
    return [skipped(INTERACTION, ABOUT[0], why), skipped(MEMBERSHIP, ABOUT[1], why)]


def interaction(setup: Setup) -> Line:
    """Return whether the released model gives one interaction of a person away."""
    order = setup.key("reference").permutation(setup.users.n_users).astype(np.int64)
    size = min(max(int(PART * len(order)), 10), MOST // PARTS)
    found = []
    for k in range(PARTS):
        part, others = order[k * size : (k + 1) * size], np.sort(np.delete(order, slice(k * size, (k + 1) * size)))
        reference = setup.trained(setup.users.take(others), None)
        found.append(ask(setup, np.sort(part), setup.released, reference, others))
    answers = together(found)
    if len(np.unique(answers.people)) < FEW:
        return skipped(INTERACTION, ABOUT[0], f"fewer than {FEW} people have such a pair")
    change = answers.ahead()
    won = answers.each((change > 0) + 0.5 * (change == 0))
    figure, interval = float(won.mean()), mean_interval(won, setup.seed)
    told = (
        f"{len(won):,} people, {len(change):,} pairs; the attacker knows a person's other items and has a reference "
        f"model of {len(order) - size:,} others. Popularity reaches {answers.wins(2, answers.stranger).mean():.3f} on "
        f"unmatched pairs; there the released model's scores reach {answers.wins(0, answers.stranger).mean():.3f} and "
        f"the reference's, which never saw these people, {answers.wins(1, answers.stranger).mean():.3f}."
    )
    return Line(
        INTERACTION, _verdict(setup, figure, interval), ABOUT[0], figure, float(answers.wins(2).mean()), interval, told,
        unit="AUC", target=_target(setup),
    )  # fmt: skip


def membership(setup: Setup) -> Line:
    """Return whether a model like the released one, trained on a third of the people, tells who was in it."""
    order = setup.key("thirds").permutation(setup.users.n_users).astype(np.int64)
    members, others, rest = (np.sort(part) for part in np.array_split(order, 3))
    least = 1 if setup.safeguards is None else setup.safeguards.profile.survivors
    if len(members) < least:
        return skipped(MEMBERSHIP, ABOUT[1], f"a third of the people is below the {least:,} clients of a sum")
    model = setup.trained(setup.users.take(members), setup.small_protection(len(members)))
    reference = setup.trained(setup.users.take(rest), None)
    inside, outside = (ask(setup, rows[:MOST], model, reference, rest) for rows in (members, others))
    a, b = _each(inside), _each(outside)
    if min(len(a), len(b)) < FEW:
        return skipped(MEMBERSHIP, ABOUT[1], f"fewer than {FEW} people have such a pair")
    figure, interval = auc(a, b), auc_interval(a, b, setup.seed)
    popular = auc(inside.each(inside.had[:, 2]), outside.each(outside.had[:, 2]))
    told = f"{len(a):,} people in, {len(b):,} out. Baseline: popularity of the items asked about."
    return Line(
        MEMBERSHIP, _verdict(setup, figure, interval), ABOUT[1], figure, popular, interval, told, unit="AUC",
        target=_target(setup),
    )  # fmt: skip


def _each(answers: Answers) -> NDArray[np.float64]:
    return answers.each(answers.ahead())


def _target(setup: Setup) -> str:
    return f"at most {PASSES}, interval with 0.5; FAIL where that is 99.9 % sure" if _promised(setup) else ""


def _promised(setup: Setup) -> bool:
    guard = setup.safeguards
    return guard is not None and guard.mechanism is not None and guard.mechanism.target.epsilon <= SMALL


def _verdict(setup: Setup, figure: float, interval: Interval) -> Verdict:
    """Return PASS or FAIL where noise promises it; a leak without noise is known, and no leak passes.

    Noise is drawn anew in every audit, so one in twenty would fail by chance if the 95 % interval decided; FAIL asks
    for 99.9 %.
    """
    good = figure - SURE * (figure - interval[0]) <= 0.5
    if _promised(setup) or good:
        return judged(good)
    return "KNOWN LIMIT"
