"""slist: the linear next-item model, our flagship: two decayed sums, one solve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedrec.contract import (
    Algorithm,
    Arrays,
    Card,
    Catalog,
    History,
    Interactions,
    Key,
    Part,
    Phase,
    Rng,
    Scores,
    Settings,
    Stat,
    Total,
    Update,
    UpdateSum,
)
from fedrec.kernels.lanes import one_blas_thread
from fedrec.kernels.linear import add_rows, inverse, solve, unforged
from fedrec.kernels.pairs import cooccurrence, decay_powers, decayed_sums, tail_sums
from fedrec.kernels.steps import decayed_states, history_steps, length_weights, step_numbers

FloatArray = NDArray[np.float64]
LONGEST = 4096.0  # bound on one user's entry of a sum: no history counts more than this many steps


class Config(Settings):
    """Settings of the full (not low-rank) model."""

    decay: tuple[float, ...] = Field((0.85,), min_length=1, max_length=4, description="state decay g, one or more")
    reg: float = Field(300.0, gt=0, description="ridge penalty lambda")
    joint: float = Field(0.0, ge=0, description="weight a of X'X added to G and C (SLIST); 0: off")
    steps: Literal["item", "day", "timestamp"] = Field("item", description="what one step of the decay is")
    user_power: float = Field(0.0, ge=0, le=1, description="p: G and C count a history of T items T^-p times")


class Slist(Algorithm):
    """B = (G + reg I)^-1 C; score(history) = s' B with s the decayed state of the history."""

    name = "slist"
    card = Card(
        "linear next-item model: one sum of G and C",
        "Choi et al., Session-aware Linear Item-Item Models, WWW 2021 (SLIT, SLIST); Steck 2019 for the joint half",
        "Differs from the paper: ridge regression on exponentially decayed states of whole histories, not on "
        "windows of sessions; several decays side by side; no weight by session age, one by the history's length.",
    )
    Config = Config
    model = ("weights",)
    grid: ClassVar[list[dict[str, list[Any]]]] = [  # type: ignore[assignment]  # settings depend on each other
        {
            "decay": [(0.5,), (0.7,), (0.85,), (0.9,), (0.95,)],
            "user_power": [0.0, 0.5],
            "joint": [0.0, 0.03, 0.1],
            "reg": [30.0, 100.0, 300.0, 1000.0, 3000.0],
        },
        {
            "decay": [(0.5, 0.9), (0.7, 0.97), (0.0, 0.5, 0.97), (0.0, 0.6, 0.93)],
            "user_power": [0.5],
            "joint": [0.01, 0.03, 0.1],
            "reg": [30.0, 100.0, 300.0],
        },
        {
            "decay": [(0.8,), (0.9,), (1.0,), (0.3, 1.0), (0.5, 1.0), (0.0, 0.9)],
            "steps": ["day"],
            "joint": [0.3, 1.0, 3.0],
            "reg": [300.0, 1000.0, 2000.0, 3000.0],
        },
    ]
    server_only = frozenset({"reg", "joint"})

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        n, k = catalog.n_items, len(self.config.decay)
        stats = {
            "gram": Stat((k * n, k * n), LONGEST, bits=64, symmetric=True),
            "cross": Stat((k * n, n), LONGEST, bits=64),
        }
        if self.config.joint:
            stats["pairs"] = Stat((n, n), 1.0, float(n), counts=True, symmetric=True)
        return (Phase("sums", 1, stats),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        n = phase.stats["cross"].shape[1]
        mine, gram, cross = user_sums(history, self.config.decay, self.config.steps)
        weight = length_weights(np.array([len(history)]), self.config.user_power)[0]
        source = np.concatenate([mine + k * n for k in range(len(self.config.decay))])
        update = {"gram": Part(gram * weight, (source, source)), "cross": Part(cross * weight, (source, mine))}
        if self.config.joint:
            update["pairs"] = Part(np.ones((len(mine), len(mine))), (mine, mine))
        return update, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        slow = (users.lengths() > LONGEST) | (not users.unique())  # repeats add up; long histories may meet the bound
        if slow.any():
            super().cohort_update(phase, shared, private, users.take(np.flatnonzero(slow)), key, total)
            users = users.take(np.flatnonzero(~slow))
        positions = step_numbers(users, self.config.steps)
        ring, quantum = total.ring, total.quantum
        weights = length_weights(users.lengths(), self.config.user_power)
        decayed_sums(
            users, positions, weights, self.config.decay, ring["gram"], ring["cross"], quantum["gram"], quantum["cross"]
        )
        if self.config.joint:
            cooccurrence(users, ring["pairs"])
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        return {"weights": unforged(lambda mended: self._solved(total, mended)).astype(np.float32)}

    def _solved(self, total: Total, mended: Callable[[FloatArray], FloatArray]) -> FloatArray:
        gram = np.array(total["gram"], np.float64)
        cross = np.array(total["cross"], np.float64)
        n, k = cross.shape[1], len(self.config.decay)
        if not self.config.joint:
            gram = mended(gram)
            gram[np.arange(k * n), np.arange(k * n)] += self.config.reg
            return solve(gram, cross)
        pairs = total["pairs"] * float(self.config.joint)
        for a in range(k):
            cross[a * n : (a + 1) * n] += pairs
            for b in range(k):
                gram[a * n : (a + 1) * n, b * n : (b + 1) * n] += pairs
        gram = mended(gram)
        gram[np.arange(k * n), np.arange(k * n)] += self.config.reg
        return zero_diagonal_solve(gram, cross)

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        weights = np.asarray(shared["weights"], np.float64)
        n = weights.shape[1]
        state = np.zeros(weights.shape[0])
        positions = history_steps(history, self.config.steps)
        for k, g in enumerate(self.config.decay):
            np.add.at(state, history.items + k * n, float(g) ** (positions.max(initial=0) - positions))
        return np.asarray(state @ weights, np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        rows, values, offsets = decayed_states(users, self.config.decay, self.config.steps)
        return add_rows(shared["weights"], users, values, rows, offsets)


def zero_diagonal_solve(gram: NDArray[np.float64], cross: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return argmin tr(B'GB) - 2 tr(B'C) with B[j, j] = 0 in every block, as EASE's closed form (both overwritten)."""
    n = cross.shape[1]
    blocks = len(gram) // n
    precision = inverse(gram)
    with one_blas_thread():
        weights: NDArray[np.float64] = precision @ cross
    own = np.arange(n)[:, None] + n * np.arange(blocks)  # (n, k): the rows whose entry in column j must be 0
    pulled = weights[own, np.arange(n)[:, None]]
    lagrange = np.linalg.solve(precision[own[:, :, None], own[:, None, :]], pulled[:, :, None])[:, :, 0]
    for k in range(blocks):
        weights -= precision[:, k * n : (k + 1) * n] * lagrange[:, k]
    return weights


def user_sums(
    history: History, decays: tuple[float, ...], steps: str
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Return one user's (items (m,), G (k m, k m), C (k m, m)) by the closed form per pair of positions."""
    mine, column = np.unique(history.items, return_inverse=True)
    positions = history_steps(history, steps)
    m, last = len(mine), int(positions.max(initial=0))
    distance = positions[None, :] - positions[:, None]  # [q, r] = r - q
    later = np.maximum(positions[None, :], positions[:, None])
    powers = [np.append(decay_powers(g, last), np.zeros(last + 2)) for g in decays]
    gram = np.zeros((len(decays) * m, len(decays) * m))
    cross = np.zeros((len(decays) * m, m))
    for a, ga in enumerate(decays):
        step = np.where(distance > 0, powers[a][np.maximum(distance - 1, 0)], 0.0)
        np.add.at(cross, (column[:, None] + a * m, column[None, :]), step)
        for b, gb in enumerate(decays):
            tails = tail_sums(ga * gb, last)
            weight = np.where(distance >= 0, powers[a][np.abs(distance)], powers[b][np.abs(distance)])
            np.add.at(gram, (column[:, None] + a * m, column[None, :] + b * m), weight * tails[last - later])
    gram = (gram + gram.T) / 2  # repeats are added in another order across the diagonal: symmetric to the last bit
    return mine, gram, cross
