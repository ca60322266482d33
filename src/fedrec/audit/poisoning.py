"""Poisoning: fake clients in a training, how many honest people then see what the fakes promote, and what it costs.

Fakes are more clients beside the honest ones. Their updates pass the pipeline like anybody's: clipped and cut at the
declared bounds, refused where they are not numbers. ER@10: the share of honest people whose ten best items hold a
target, mean over the targets, which next to nobody has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fedrec.audit import poisoning_attacks as attacks
from fedrec.audit.line import Line, Verdict, mean_interval
from fedrec.audit.poisoned import Poisoned
from fedrec.audit.poisoning_attacks import Attack
from fedrec.audit.poisoning_oracle import ORACLES, oracle_boost
from fedrec.contract import Algorithm, Catalog, FedrecError, Interactions, Key
from fedrec.data.task import Task
from fedrec.experiment.fit import Options, fit
from fedrec.metrics.ranking import per_user
from fedrec.privacy.mechanism import Target, calibrate
from fedrec.privacy.protection import Protection

ATTACKS: dict[str, Attack] = {
    "oracle boost": oracle_boost,
    "explicit boost": attacks.explicit_boost,
    "popular-alignment": attacks.popular_alignment,
    "random-user": attacks.random_user,
    "clustering": attacks.clustering,
    "NaN flood": attacks.nan_flood,
    "sign flip": attacks.sign_flip,
}
PROMOTING = ("oracle boost", "explicit boost", "popular-alignment", "random-user")
UNTARGETED = ("clustering", "sign flip")
SHARES = (0.001, 0.01, 0.05)
TARGETS = 5
TOP, NDCG = 10, 20
DELTA = 1e-5  # of noise in a what-if training
AUDITED = 0.01  # share of fakes in the audit's lines
LOSS = 0.05  # share of NDCG@20 that may be lost to them
STATISTICS, GRADIENTS = 0.001, 0.01  # ER@10 that passes


@dataclass(frozen=True)
class Outcome:
    """What one training with fakes came to.

    ``er``: ER@10, mean over the targets; ``ndcg``: NDCG@20 of honest people; ``exposed``, ``quality``: both by person;
    ``destroyed``: the training ended in an error; ``failures``: reasons over all rounds.
    """

    er: float
    ndcg: float
    exposed: NDArray[np.float64] = field(repr=False)
    quality: NDArray[np.float64] = field(repr=False)
    failures: dict[str, int] = field(default_factory=dict)
    destroyed: bool = False


def cold_targets(train: Interactions, seed: int = 0, count: int = TARGETS) -> NDArray[np.int64]:
    """Return items to promote: drawn from the least popular twentieth of the catalogue, ascending."""
    order = np.argsort(np.bincount(train.items, minlength=train.n_items), kind="stable")
    pool = order[: max(count, len(order) // 20)]
    return np.sort(Key(seed, 0, "poison targets").generator().choice(pool, count, replace=False))


def with_fakes(train: Interactions, fakes: int) -> Interactions:
    """Return the users with as many fakes after them, who have no history of their own."""
    first = int(train.users.max(initial=-1)) + 1
    return replace(
        train,
        users=np.concatenate([train.users, np.arange(first, first + fakes, dtype=np.int64)]),
        offsets=np.concatenate([train.offsets, np.full(fakes, train.offsets[-1])]),
        avoid_offsets=None,
        avoid_items=None,
        _cache={},
    )


def poisoned(
    algorithm: Algorithm,
    train: Interactions,
    task: Task,
    attack: Attack | None,
    fakes: int,
    seed: int = 0,
    size: float | None = None,
    features: NDArray[np.float32] | None = None,
    epsilon: float | None = None,
) -> Outcome:
    """Train with fakes and measure the honest people of ``task``; ``attack`` None: no fakes.

    ``size``: see ``poisoning_bounds.filled``; ``epsilon``: of noise in the sums, None: exact sums.
    """
    targets = cold_targets(train, seed)
    everybody = with_fakes(train, fakes if attack is not None else 0)
    catalog = Catalog(train.n_items, everybody.n_users, features)
    subject = algorithm
    if attack is not None:
        subject = Poisoned(algorithm, attack, everybody.users[train.n_users :], targets, size)
    guard = None if epsilon is None else _noise(algorithm, catalog, epsilon)
    options = Options(seed, chunk=max(1 << 16, everybody.n_users))
    try:
        model, progress = fit(subject, catalog, everybody, None, options, protection=guard)
        ranks = model.rank(task, TOP)
    except FedrecError as reason:  # a table that is not finite, a sum that cannot be solved: nothing is recommended
        none = np.zeros(task.n_users)
        return Outcome(math.nan, 0.0, none, none, {str(reason): 1}, True)
    failures: dict[str, int] = {}
    for record in progress.records:
        for why, clients in record.failures.items():
            failures[why] = failures.get(why, 0) + clients
    assert ranks.top is not None
    exposed = np.isin(ranks.top, targets).sum(axis=1) / len(targets)
    quality = per_user(ranks, "ndcg", NDCG)
    return Outcome(float(exposed.mean()), float(quality.mean()), exposed, quality, failures)


def _noise(algorithm: Algorithm, catalog: Catalog, epsilon: float) -> Protection:
    """Return noise for everybody, from a fresh key: figures with noise differ a little from run to run."""
    n = catalog.n_users
    fewest = max(1, int(0.9 * n))
    mechanism = calibrate(algorithm.plan(catalog), n, Target(epsilon, DELTA), fewest, n)
    return Protection(fewest, n, mechanism)


def cost_to_promote(
    algorithm: Algorithm, train: Interactions, task: Task, wanted: float = 0.1, most: int = 1 << 12, **how: Any
) -> tuple[int | None, dict[int, float]]:
    """Return (oracle fakes at which ER@10 reaches ``wanted``, by doubling; None: not even ``most``; ER by fakes)."""
    found: dict[int, float] = {}
    fakes = 1
    while fakes <= most:
        found[fakes] = poisoned(algorithm, train, task, oracle_boost, fakes, **how).er
        if not found[fakes] < wanted:
            return fakes, found
        fakes *= 2
    return None, found


class Federation(Protocol):
    """What the audit knows of the set-up under attack: see ``fedrec.audit.setup``."""

    algorithm: Algorithm
    catalog: Catalog
    users: Interactions
    seed: int
    prepared: Any


def lines(setup: Federation) -> list[Line]:
    """Return what 1 % fakes reach: promotion by the oracle, harm by untargeted attacks, and the flood of NaN."""
    name = "poisoning"
    task = setup.prepared.split.test
    if task is None:
        return [Line(name, "DOES NOT APPLY", "fakes in a training", detail="nothing is held out to measure it on")]
    fakes = max(1, round(AUDITED * setup.users.n_users))

    def run(attack: Attack | None) -> Outcome:
        return poisoned(setup.algorithm, setup.users, task, attack, fakes, setup.seed, features=setup.catalog.features)

    plain = run(None)
    harmed = {kind: run(ATTACKS[kind]) for kind in UNTARGETED}
    return [
        _promoted(setup, plain, run(oracle_boost), fakes),
        _harmed(setup, plain, harmed, fakes),
        _flooded(plain, run(attacks.nan_flood), fakes),
    ]


def _loose(setup: Federation) -> str:
    """Return why this set-up's bounds cannot stop an oracle, or nothing."""
    for phase in setup.algorithm.plan(setup.catalog):
        for stat, bound in phase.stats.items():
            if bound.l2 is None and phase.clip is None:
                return f"statistic {stat!r} declares no L2 bound"
            by_item = len(bound.shape) > 1 and (not bound.symmetric or bound.shape[0] == setup.catalog.n_items)
            if by_item and bound.row is None:
                return (
                    f"statistic {stat!r} bounds a person's whole and no item's row, which stops blind attackers only: "
                    "set row_clip or row_weight, where the algorithm has one"
                )
    return "" if setup.algorithm.name in ORACLES or "items" in setup.algorithm.model else "no oracle is written for it"


def _judged(setup: Federation, passed: bool) -> tuple[Verdict, str]:
    loose = _loose(setup)
    return ("PASS" if passed and not loose else "KNOWN LIMIT" if loose else "FAIL"), loose


def _promoted(setup: Federation, plain: Outcome, found: Outcome, fakes: int) -> Line:
    gradients = "items" in setup.algorithm.model and any(
        "items" in p.stats for p in setup.algorithm.plan(setup.catalog)
    )
    allowed, loss = GRADIENTS if gradients else STATISTICS, 1.0 - found.ndcg / max(plain.ndcg, 1e-300)
    passed = not found.destroyed and found.er - plain.er <= allowed and loss <= LOSS
    verdict, loose = _judged(setup, passed)
    return Line(
        "poisoning: oracle boost", verdict, f"{fakes:,} fakes ({AUDITED:.0%}) promote {TARGETS} items nobody knows",
        found.er, plain.er, mean_interval(found.exposed, setup.seed),
        f"they know the honest people's data and the honest sum, and fill the declared bounds; noise off. NDCG@{NDCG} "
        f"{found.ndcg:.4f}, without fakes {plain.ndcg:.4f}{'. ' + loose if loose else ''}",
        unit=f"ER@{TOP}", target=f"at most {allowed:g} more than without fakes, NDCG@{NDCG} loss at most {LOSS:.0%}",
    )  # fmt: skip


def _harmed(setup: Federation, plain: Outcome, found: dict[str, Outcome], fakes: int) -> Line:
    losses = {kind: 1.0 - one.ndcg / max(plain.ndcg, 1e-300) for kind, one in found.items()}
    worst = max(losses, key=lambda kind: losses[kind])
    verdict, loose = _judged(setup, losses[worst] <= LOSS)
    low, high = mean_interval(plain.quality - found[worst].quality, setup.seed)
    return Line(
        "poisoning: harm", verdict, f"{fakes:,} fakes ({AUDITED:.0%}) make recommendations worse: {', '.join(found)}",
        losses[worst], 0.0, (low / max(plain.ndcg, 1e-300), high / max(plain.ndcg, 1e-300)),
        f"worst: {worst}{'. ' + loose if loose else ''}", unit=f"share of NDCG@{NDCG} lost",
        target=f"at most {LOSS:.0%}", rows=tuple({"attack": k, "loss": v} for k, v in losses.items()),
    )  # fmt: skip


def _flooded(plain: Outcome, found: Outcome, fakes: int) -> Line:
    loss = 1.0 - found.ndcg / max(plain.ndcg, 1e-300)
    passed = not found.destroyed and bool(found.failures) and abs(loss) <= 0.001
    reasons = "; ".join(f"{clients:,} times: {why}" for why, clients in found.failures.items())
    return Line(
        "poisoning: NaN flood", "PASS" if passed else "FAIL", f"{fakes:,} fakes ({AUDITED:.0%}) send not-a-number",
        loss, 0.0, None, reasons or "nobody was refused", unit=f"share of NDCG@{NDCG} lost",
        target="refused with a reason, at most 0.1 % lost",
    )  # fmt: skip
