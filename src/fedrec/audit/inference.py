"""What a released model tells of the people it learned from: one interaction, or that somebody took part at all.

Two attackers. The *outsider* has people of its own to train a reference on; the *insider* knows all other people of the
federation but a few. The insider is nearly the attacker of differential privacy's definition, so it may reach what the
declared epsilon allows; with exact sums it reads nearly everything.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy.special import ndtr

from fedrec.audit.line import (
    Interval,
    Line,
    Verdict,
    auc,
    auc_interval,
    judged,
    skipped,
)
from fedrec.audit.pairs import Answers, ask, together
from fedrec.audit.setup import Setup

OUTSIDER = "interaction inference"
INSIDER = "interaction inference by one who knows everybody else"
MEMBERSHIP = "membership inference"
PASSES = 0.53  # AUC
LEAST = 90  # people below which parts of them are too few to train on
MOST = 1200  # people asked about
PARTS = 4  # groups of people asked about, each with a reference model of everybody else
PART = 0.04  # of all people in such a group: few, so that what they have in common does not look like a leak
FEW = 30  # people with questions below which nothing can be said
SURE = 3.29 / 1.96  # from a 95 % interval to one of 99.9 %
SMALL = 4.0  # epsilon up to which nothing may be found
PAIRS = "pairs of an item that the person has and one not, as popular, and alike to the attacker's reference model; "
ABOUT = (
    PAIRS + "this set-up on a third of the people, reference trained on another third without noise",
    PAIRS + "the released model, reference trained without noise on everybody but a few",
    "people in and out of this set-up on a third of the people, by what it changed on such pairs",
)
NAMES = (OUTSIDER, INSIDER, MEMBERSHIP)


def lines(setup: Setup) -> list[Line]:
    """Return the three lines."""
    if not setup.plan:
        return _skip(f"{setup.algorithm.name} releases nothing")
    if setup.users.n_users < LEAST or setup.organisations:
        return _skip(f"needs {LEAST} people who are clients by themselves, to train on parts of them")
    outsider, membership = outside(setup)
    return [outsider, inside(setup), membership]


def _skip(why: str) -> list[Line]:
    return [skipped(name, about, why) for name, about in zip(NAMES, ABOUT, strict=True)]


def outside(setup: Setup) -> tuple[Line, Line]:
    """Return what an outsider finds: one interaction of a person, and whether somebody took part."""
    order = setup.key("thirds").permutation(setup.users.n_users).astype(np.int64)
    members, others, rest = (np.sort(part) for part in np.array_split(order, 3))
    least = 1 if setup.safeguards is None else setup.safeguards.profile.survivors
    if len(members) < least:
        first, _, third = _skip(f"a third of the people is below the {least:,} clients of a sum")
        return first, third
    model = setup.trained(setup.users.take(members), setup.small_protection(len(members)))
    reference = setup.trained(setup.users.take(rest), None)
    some, none = (ask(setup, rows[:MOST], model, reference, rest) for rows in (members, others))
    if min(len(np.unique(some.people)), len(np.unique(none.people))) < FEW:
        first, _, third = _skip(f"fewer than {FEW} people have such a pair")
        return first, third
    return _interaction(setup, some, none), _membership(setup, some, none)


def _interaction(setup: Setup, some: Answers, none: Answers) -> Line:
    (figure, error), (control, beside) = some.right(), none.right()
    above = 0.5 + figure - control
    gap = _interval(above, sqrt(error**2 + beside**2))
    told = (
        f"{len(np.unique(some.people)):,} people, {len(some.people):,} pairs. Of people who were not in the "
        f"training the same attack tells {control:.3f}, which is no leak: the verdict is on what "
        f"is above that ({gap[0] - 0.5:+.3f} to {gap[1] - 0.5:+.3f}). {_unmatched(some)}"
    )
    allowed = _allowed(setup)
    if allowed is not None:
        told += f" The declared epsilon allows an AUC of {allowed:.3f}."
    popular = float(some.wins(2).mean())
    return Line(
        OUTSIDER, verdict(setup, above, gap), ABOUT[0], figure, popular, _interval(figure, error), told, unit="AUC",
        target=_target(setup),
    )  # fmt: skip


def _interval(figure: float, error: float) -> Interval:
    return (figure - 1.96 * error, figure + 1.96 * error)


def _unmatched(answers: Answers) -> str:
    return (
        f"On unmatched pairs popularity reaches {answers.wins(2, answers.stranger).mean():.3f}, the model's scores "
        f"{answers.wins(0, answers.stranger).mean():.3f}, and the reference's, which never saw these people, "
        f"{answers.wins(1, answers.stranger).mean():.3f}."
    )


def _membership(setup: Setup, some: Answers, none: Answers) -> Line:
    a, b = some.each(some.ahead()), none.each(none.ahead())
    figure, interval = auc(a, b), auc_interval(a, b, setup.seed)
    popular = auc(some.each(some.had[:, 2]), none.each(none.had[:, 2]))
    told = f"{len(a):,} people in, {len(b):,} out. Baseline: popularity of the items asked about."
    return Line(
        MEMBERSHIP, verdict(setup, figure, interval), ABOUT[2], figure, popular, interval, told, unit="AUC",
        target=_target(setup),
    )  # fmt: skip


def inside(setup: Setup) -> Line:
    """Return what an insider finds in the released model, against what the declared epsilon allows."""
    order = setup.key("reference").permutation(setup.users.n_users).astype(np.int64)
    size = min(max(int(PART * len(order)), 10), MOST // PARTS)
    found = []
    for k in range(PARTS):
        part, others = order[k * size : (k + 1) * size], np.sort(np.delete(order, slice(k * size, (k + 1) * size)))
        reference = setup.trained(setup.users.take(others), None)
        found.append(ask(setup, np.sort(part), setup.released, reference, others))
    answers = together(found)
    people = len(np.unique(answers.people))
    if people < FEW:
        return skipped(INSIDER, ABOUT[1], f"fewer than {FEW} people have such a pair")
    figure, error = answers.right()
    interval = _interval(figure, error)
    allowed = _allowed(setup)
    told = (
        f"{people:,} people, {len(answers.people):,} pairs; the attacker knows a person's other items and has a "
        f"reference of {len(order) - size:,} of the same people. {_unmatched(answers)}"
    )
    if allowed is not None:
        told += f" The declared epsilon allows an AUC of {allowed:.3f}: what is below holds the promise made."
    return Line(
        INSIDER, _held(figure, interval, allowed), ABOUT[1], figure, float(answers.wins(2).mean()), interval, told,
        unit="AUC", target="" if allowed is None else f"below {PASSES}; FAIL above {allowed:.3f}",
    )  # fmt: skip


def _allowed(setup: Setup) -> float | None:
    """Return the largest AUC that a Gaussian release of the declared cost allows, Phi(mu / sqrt 2), or None."""
    guard = setup.safeguards
    return None if guard is None or guard.mechanism is None else float(ndtr(guard.mechanism.cost.mu / sqrt(2.0)))


def _held(figure: float, interval: Interval, allowed: float | None) -> Verdict:
    """Return FAIL where more is found than the epsilon allows, PASS where nothing is, and else what is known."""
    if allowed is not None and _surely(figure, interval) > allowed:
        return "FAIL"
    return "PASS" if figure <= PASSES and interval[0] <= 0.5 else "KNOWN LIMIT"


def _surely(figure: float, interval: Interval) -> float:
    """Return the lower end of the 99.9 % interval.

    Noise is drawn anew in every audit, so one in twenty would fail by chance if the 95 % interval decided.
    """
    return figure - SURE * (figure - interval[0])


def _target(setup: Setup) -> str:
    return f"at most {PASSES}, interval with 0.5; FAIL where 99.9 % sure" if _promised(setup) else ""


def _promised(setup: Setup) -> bool:
    guard = setup.safeguards
    return guard is not None and guard.mechanism is not None and guard.mechanism.target.epsilon <= SMALL


def verdict(setup: Setup, figure: float, interval: Interval) -> Verdict:
    """Return PASS or FAIL where noise promises it; a leak without noise is known, and no leak passes."""
    good = _surely(figure, interval) <= 0.5
    if _promised(setup) or good:
        return judged(good)
    return "KNOWN LIMIT"
