"""The oracle: fakes that know the honest people's data, the honest sum and the server's state, and send the worst.

A target's score is linear in the target's row of one statistic: score = q . c + what was there. An oracle knows q for
every honest person, so it climbs to the row c of the allowed length that puts the target into most top tens. Where an
algorithm is not known here, the fakes fall back on what anybody can do (popular-alignment).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fedrec.audit.poisoning_attacks import Array, Scene, nothing, popular_alignment, rows
from fedrec.audit.poisoning_bounds import filled
from fedrec.contract import Algorithm, Arrays, Key, Part, Phase, Rng, Stat, Total, Update
from fedrec.kernels.lanes import one_blas_thread
from fedrec.kernels.linear import inverse
from fedrec.privacy import RingSum

TOP = 10
CLIMB = 15  # steps of the climb
HOLD = 40  # steps of the search for a row that can be held
BIG = 1e6  # of the unit vectors put in for rows, so that nothing that fades small rows sees them
PEOPLE = 2000  # honest people that the oracle reckons with, evenly picked


def oracle_boost(scene: Scene) -> list[Update]:
    """Return the fakes' worst update for promoting the targets, all the same."""
    known = ORACLES.get(scene.algorithm.name)
    if known is not None:
        return known(scene)
    return _on_rows(scene) if scene.moves_rows else popular_alignment(scene)


def climbed(queries: Array, now: Array, wanted: Array, length: float) -> Array:
    """Return the row c with |c| = ``length`` that lifts ``now + queries @ c`` over ``wanted`` for most people, (d,).

    ``queries`` (people, d); ``now``, ``wanted`` (people,): the target's score, and the score of a person's tenth item.
    Ascent on the mean of a sigmoid of the margin, from the direction that is best on average.
    """
    scale = max(float(np.std(wanted - now)), 1e-12) / 4
    best, most, weight = np.zeros(queries.shape[1]), -1.0, np.ones(len(queries))
    c = best
    for _ in range(CLIMB):
        slope = weight @ queries
        step = slope / max(float(np.linalg.norm(slope)), 1e-300)
        c = c + step * length if not c.any() else c / length + 0.5 * step
        c = c * (length / max(float(np.linalg.norm(c)), 1e-300))
        margin = np.clip((now + queries @ c - wanted) / scale, -30, 30)
        chance = 1.0 / (1.0 + np.exp(-margin))
        if float(chance.mean()) > most:
            best, most = c, float(chance.mean())
        weight = chance * (1.0 - chance) + 1e-6
    return best


def _tenth(scores: NDArray[np.float32], scene: Scene, picked: NDArray[np.int64]) -> Array:
    """Return the score of each picked person's tenth item among those not in the history."""
    free = np.array(scores, np.float64)
    for row, person in enumerate(picked):
        free[row, scene.honest.history(int(person)).items] = -np.inf
    return np.asarray(np.partition(free, -TOP, axis=1)[:, -TOP])


def _picked(scene: Scene) -> NDArray[np.int64]:
    n = scene.honest.n_users
    return np.unique(np.linspace(0, n - 1, min(n, PEOPLE)).astype(np.int64))


def _reach(scene: Scene, stat: Stat, targets: int) -> float:
    """Return how far all fakes together can move one of so many rows."""
    whole = stat.linf if stat.l2 is None else stat.l2
    return scene.fakes * min(whole / float(np.sqrt(targets)), np.inf if stat.row is None else stat.row)


def _unit_rows(values: Array) -> Array:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-300))


# -- models whose clients train item rows ---------------------------------------------------------------------------
def _on_rows(scene: Scene) -> list[Update]:
    """Move each target to where it is best placed among those rows that the fakes can hold against the honest people.

    Honest people draw the target as a negative now and then and push it away from their vectors, the more the higher
    it scores; it comes to rest where both forces cancel, so a row further out than that is no use to the fakes.
    """
    users, table = np.asarray(scene.private["user"], np.float64), np.asarray(scene.shared["items"], np.float64)
    if not users.any():
        return nothing(scene)
    picked = _picked(scene)
    mine = users[picked]
    with one_blas_thread():
        scores = (mine @ table.T).astype(np.float32)
    wanted = _tenth(scores, scene, picked)
    often = scene.honest.lengths()[picked].astype(np.float64)
    plain = rows(scene, scene.targets, np.ones((len(scene.targets), table.shape[1])))["items"].values
    ids, moves = np.sort(scene.targets), []
    for t, sent in zip(ids, plain, strict=True):
        pushed = np.asarray(scene.total["items"][t], np.float64)
        field = _Field(mine, often, wanted, table[t], pushed, scene.fakes * float(np.linalg.norm(sent)))
        moves.append(field.force())
    return [rows(scene, ids, np.stack(moves), touched=-1.0)]  # a count of -1 lifts the average of the rest


class _Field:
    """What honest people do to one row, in a round: sum over them of -strength * sigmoid(u . v) u."""

    def __init__(self, users: Array, often: Array, wanted: Array, row: Array, pushed: Array, budget: float) -> None:
        self.users, self.wanted, self.row, self.budget = users, wanted, row, budget
        self.often = often / max(float(often.sum()), 1.0)
        here = self._push(row)
        # how strong they are is read off the sum: clipping and the mean of many draws are in it
        strength = -float(pushed @ here) / max(float(here @ here), 1e-300)
        self.strength = max(strength, float(np.linalg.norm(pushed)) / max(float(np.linalg.norm(here)), 1e-300) / 4)
        self.blur = max(float(np.std(wanted - users @ row)), 1e-12) / 4

    def _push(self, row: Array) -> Array:
        return np.asarray((self.often / (1.0 + np.exp(-np.clip(self.users @ row, -30, 30)))) @ self.users)

    def _slope(self, row: Array) -> Array:
        """Return the direction that puts the target into more top tens, less that of a force beyond the budget."""
        margin = np.clip((self.users @ row - self.wanted) / self.blur, -30, 30)
        chance = 1.0 / (1.0 + np.exp(-margin))
        up = (chance * (1 - chance) + 1e-6) @ self.users / len(self.users) / self.blur
        force = self.strength * self._push(row)
        over = float(np.linalg.norm(force)) / self.budget - 1.0
        if over <= 0:
            return np.asarray(up)
        s = 1.0 / (1.0 + np.exp(-np.clip(self.users @ row, -30, 30)))
        back = (self.strength * self.often * s * (1 - s) * (self.users @ force)) @ self.users
        down = back / max(float(np.linalg.norm(back)), 1e-300)
        return np.asarray(up / max(float(np.linalg.norm(up)), 1e-300) - 4.0 * min(over, 1.0) * down)

    def force(self) -> Array:
        """Return the direction to push in: what holds the best row, and what still leads to it."""
        row, reach = self.row.copy(), max(float(np.linalg.norm(self.row)), 0.5)
        for step in range(HOLD):
            slope = self._slope(row)
            row = row + slope * (reach * 0.2 * (1 - step / HOLD) / max(float(np.linalg.norm(slope)), 1e-300))
        way, held = row - self.row, self.strength * self._push(row)
        return np.asarray(held + self.budget * way / max(float(np.linalg.norm(way)), 0.1 * reach))


# -- sums of statistics ---------------------------------------------------------------------------------------------
def _counts(scene: Scene) -> list[Update]:
    """Put all weight of a count on the targets."""
    return [filled(scene.phase, {"counts": Part(np.ones(len(scene.targets)), (scene.targets,))})]


def _pairs(scene: Scene) -> list[Update]:
    """ease: column t of B is (G + reg)^-1 g_t, so g_t is climbed along X (G + reg)^-1; both halves of G carry it."""
    gram = np.asarray(scene.total["pairs"], np.float64)
    model = scene.algorithm.server_update(scene.phase, {}, scene.total, 0)
    picked = _picked(scene)
    people = scene.honest.take(picked)
    with one_blas_thread():
        solve = inverse(gram + float(scene.algorithm.config.reg) * np.eye(len(gram)))
        history = np.zeros((len(picked), len(gram)))
        for row, (_, one) in enumerate(people.histories()):
            history[row, one.items] = 1.0
        queries = history @ solve
    scores = scene.algorithm.cohort_scores(model, {}, people, Key(0))
    wanted, stat = _tenth(scores, scene, picked), scene.phase.stats["pairs"]
    targets = np.sort(scene.targets)
    mine = (np.inf if stat.l2 is None else stat.l2) / np.sqrt(len(targets))  # what a fake has for one target
    mine = min(mine, stat.linf * np.sqrt(len(gram)))
    matrix = np.zeros_like(gram)
    for t in targets:
        c = climbed(queries, scores[:, t].astype(np.float64), wanted, scene.fakes * mine / np.sqrt(2))
        c[targets] = 0.0  # what is asked of one target's row is not taken from another's
        room = float(gram[t, t]) + float(scene.algorithm.config.reg)
        asked, own = _definite(c, solve, mine, stat.counts, scene.fakes, (room, len(targets)))
        matrix[t], matrix[t, t] = asked, own
    matrix[:, targets] = matrix[targets].T
    return [filled(scene.phase, {"pairs": Part(matrix)})]


def _definite(
    c: Array, solve: Array, mine: float, counts: bool, fakes: int, room: tuple[float, int]
) -> tuple[Array, float]:
    """Return (row, diagonal entry) of one fake, such that the sum of them leaves the matrix positive definite.

    A sum that is not stops the training, which promotes nothing: g' (G + reg)^-1 g must stay below the target's own
    entry and what the fakes add to it, ``room`` (entry, number of targets alike). Counts: on fewer and fewer items.
    """
    order, many, share = np.argsort(-np.abs(c)), len(c), 1.0
    while True:
        if counts:
            row = np.zeros_like(c)
            row[order[:many]] = np.sign(c[order[:many]])
            own = 1.0
        else:
            row = c / max(float(np.linalg.norm(c)), 1e-300) * (share * mine / np.sqrt(2))
            own = mine * float(np.sqrt(max(1.0 - share * share, 0.0)))
        if (
            fakes * fakes * float(row @ solve @ row) < 0.9 * (room[0] + fakes * own) / room[1]
            or min(many, 500 * share) <= 1
        ):
            return row, own
        many, share = (many // 2, share) if counts else (many, share * 0.9)


def _slist_lowrank(scene: Scene) -> list[Update]:
    """slist-lowrank: column t of the core is (A + reg)^-1 c_t; the first rounds are left alone."""
    if scene.phase.name != "statistics":
        return nothing(scene)
    algorithm, width = scene.algorithm, scene.total["cross"].shape[1]
    model = algorithm.server_update(scene.phase, scene.state, scene.total, 0)
    probe = _probed(scene.total, {"cross": BIG * np.eye(width)})
    queries = _scores(scene, algorithm, algorithm.server_update(scene.phase, scene.state, probe, 0))[:, :width] / BIG
    found = _climbed_rows(scene, queries, _scores(scene, algorithm, model), scene.phase.stats["cross"])
    return [filled(scene.phase, {"cross": found, "moments": Part(np.zeros((width, width)))})]


def _slist_private(scene: Scene) -> list[Update]:
    """slist-private: as above, with a row in either round; in the first the oracle runs the second for itself."""
    algorithm, name, phase, state, total = scene.algorithm, scene.phase.name, scene.phase, scene.state, scene.total
    if name == "first":
        state = algorithm.server_update(phase, state, total, 0)
        phase = next(p for p in algorithm.plan(scene.catalog) if p.name == "second")
        total = _honest_sum(scene, phase, {n: state[n] for n in phase.broadcast}, total)
    settings = algorithm.config.model_dump()
    linear = type(algorithm)(**{**settings, "flatten": 0.0, "mirror": 0.0})  # what is linear in a target's row
    first, second = state["first"].shape[1], total["second"].shape[1]
    both, changed = BIG * np.eye(first + second), np.array(state["first"], np.float64)
    changed[: len(both)] = both[:, :first]
    probe = _probed(total, {"second": both[:, first:]})
    probed = linear.server_update(phase, state | {"first": changed}, probe, 0)
    queries = _scores(scene, linear, probed)[:, : len(both)] / BIG
    norms = np.linalg.norm(linear.server_update(phase, state, total, 0)["core"].astype(np.float64), axis=0)
    where = slice(0, first) if name == "first" else slice(first, first + second)
    inner = probed["core"][:, : len(both)].astype(np.float64)[:, where] / BIG
    length = _reach(scene, scene.phase.stats[name], len(scene.targets))
    reach = length * float(np.median(np.linalg.norm(inner, axis=0)))  # of a target's column of the core, about
    queries = queries / (reach + float(np.median(norms))) ** settings["flatten"]
    scores = _scores(scene, algorithm, algorithm.server_update(phase, state, total, 0))
    update = {name: _climbed_rows(scene, queries[:, where], scores, scene.phase.stats[name])}
    if name == "second":
        update["moments"] = Part(np.zeros(scene.phase.stats["moments"].shape))
    return [filled(scene.phase, update)]


def _scores(scene: Scene, algorithm: Algorithm, model: Arrays) -> Array:
    people = scene.honest.take(_picked(scene))
    return np.asarray(algorithm.cohort_scores(model, {}, people, Key(0)), np.float64)


def _climbed_rows(scene: Scene, queries: Array, scores: Array, stat: Stat) -> Part:
    """Return the targets' rows of a statistic, each climbed, all of one length."""
    wanted = _tenth(scores.astype(np.float32), scene, _picked(scene))
    length = _reach(scene, stat, len(scene.targets))
    targets = np.sort(scene.targets)
    return Part(_unit_rows(np.stack([climbed(queries, scores[:, t], wanted, length) for t in targets])), (targets,))


def _probed(total: Total, replaced: dict[str, Array]) -> Total:
    """Return the sum with the first rows of some statistics replaced: unit vectors, so that scores are queries."""
    stats = {n: np.array(a, np.float64) for n, a in total.stats.items()}
    for name, first in replaced.items():
        stats[name][: len(first)] = first
    return Total(stats, total.users, total.noise)


def _honest_sum(scene: Scene, phase: Phase, broadcast: Arrays, before: Total) -> Total:
    """Return the honest people's sum of another round, with the noise that this one has for a statistic as large."""
    ring = RingSum(phase, scene.honest.n_users)
    scene.algorithm.cohort_update(phase, broadcast, scene.private, scene.honest, scene.key, ring)
    noise = max(before.noise.values(), default=0.0)
    return Total(ring.decode().stats, before.users, dict.fromkeys(phase.stats, noise) if noise else {})


def _dpals(scene: Scene) -> list[Update]:
    """dpals: into the head by the counts; then b_t along the honest vectors, and the Gramian lowered along them."""
    if scene.phase.name == "counts":
        return _counts(scene)
    shared, stats, c = scene.shared, scene.phase.stats, scene.algorithm.config
    places = np.asarray(shared["places"])[scene.targets]
    inside = np.sort(places[places >= 0]).astype(np.int64)
    if not len(inside):
        return nothing(scene)
    picked = _picked(scene)[::2]
    known = [scene.algorithm.adapt(shared, {}, scene.honest.history(int(p)), Rng(int(p)))["vector"] for p in picked]
    vectors, table = np.stack(known).astype(np.float64), np.asarray(shared["items"], np.float64)
    scores = scene.algorithm.cohort_scores(shared, {}, scene.honest.take(picked), Key(0))
    wanted, gram = _tenth(scores, scene, picked), np.asarray(scene.total["gram"], np.float64)
    support = np.asarray(scene.state["support"]) / max(scene.total.users, 1)
    length, moves = _reach(scene, stats["linear"], len(inside)), []
    for j in inside:
        solve = np.linalg.inv((support[j] + c.alpha0) * gram + c.reg * np.eye(c.dim))
        queries = vectors[:, : c.dim] @ solve
        now = vectors[:, c.dim :] @ table[j, c.dim :] + queries @ np.asarray(scene.total["linear"][j], np.float64)
        moves.append(climbed(queries, now, wanted, length))
    directions = _unit_rows(np.stack(moves))
    along = directions.mean(axis=0)
    update = {"linear": Part(directions, (inside,)), "gram": Part(-np.outer(along, along))}
    if "outer" in stats:
        update["outer"] = Part(np.stack([-np.outer(m, m) for m in directions]), (inside,))
    return [filled(scene.phase, update)]


ORACLES: dict[str, Callable[[Scene], list[Update]]] = {
    "popularity": _counts,
    "ease": _pairs,
    "slist-lowrank": _slist_lowrank,
    "slist-private": _slist_private,
    "dpals": _dpals,
}
