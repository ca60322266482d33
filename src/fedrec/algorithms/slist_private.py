"""slist-private: the next-item model for release with noise; each person's share of every sum has norm 1 at most."""

from __future__ import annotations

from collections.abc import Mapping
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
from fedrec.kernels.linear import add_rows, definite
from fedrec.kernels.principal import principal
from fedrec.kernels.steps import decayed_states, history_steps, step_numbers
from fedrec.kernels.units import add_moments, add_targets, second_moment, target_weights, unit_states

FloatArray = NDArray[np.float64]


class Config(Settings):
    """The upload is about 4 n rank bytes a round."""

    decay: float = Field(0.7, ge=0, lt=1, description="state decay g")
    rank: int = Field(64, ge=1, le=4096, description="columns of the first basis, from public features")
    second_rank: int = Field(64, ge=1, le=4096, description="columns of the second, from the first release")
    reg: float = Field(3.0, gt=0, description="ridge penalty lambda without noise")
    noise_reg: float = Field(60.0, ge=0, description="added to reg: this times the deviation of the noise in C")
    shrink: float = Field(0.0, ge=0, description="noise energy taken off an item's column, 1: what is expected")
    flatten: float = Field(0.4, ge=0, le=1, description="an item's scores are divided by (norm + median norm)^flatten")
    mirror: float = Field(0.5, ge=0, le=2, description="weight of B' Q' beside Q B: what followed may also precede")
    recency: float = Field(0.3, ge=0, le=4, description="p: a target a steps before the last counts (1 + a/4)^-p")
    row_weight: float = Field(0, ge=0, le=1, description="largest weight of one target in a person's sums; 0: none")
    shares: tuple[float, float, float] = Field((1.5, 1.0, 0.2), description="of the budget: first C, second C, A")
    steps: Literal["item", "day", "timestamp"] = Field("item", description="what one step of the decay is")


class SlistPrivate(Algorithm):
    """B = (A + reg I)^-1 [C1; C2], C = sum w z e_t', A = sum w^2 z z', z the state on two bases, each of norm 1.

    The first basis is public: singular vectors of the catalogue's features, filled up at random. Round 1 sums C1 on
    it; the second basis is what that says of items. Round 2 sums C2 on the second, and A of both states side by side.
    A person's distinct targets have weights w with sum w^2 = 1: the columns of C are w times unit vectors, so C has
    norm 1 at most; A is a mean of z z' with |z|^2 <= 2, so its norm is 2 at most.
    Scores are s' (Q B + mirror B' Q'), s the decayed state: noise in Q B says nothing of noise in B' Q', which helps
    as far as items follow each other both ways.
    """

    name = "slist-private"
    card = Card(
        "slist for release with noise: two rounds of n x r sums, bounded by construction",
        "Choi et al., WWW 2021 (SLIT); reduced to bounded sums for the Gaussian mechanism (Dwork, Roth 2014, app. A)",
        "Differs from the paper: ridge regression on unit-norm decayed states on two bases; each person counts as one.",
    )
    Config = Config
    random = True
    uses_features = True
    dp: ClassVar[Mapping[str, Any] | None] = {}
    model = ("bases", "core")
    grid: ClassVar[dict[str, list[Any]]] = {
        "decay": [0.6, 0.7, 0.8, 0.9],
        "recency": [0.0, 0.3],
        "reg": [1.0, 3.0, 10.0, 30.0],
        "mirror": [0.0, 0.2, 0.5],
        "flatten": [0.0, 0.2, 0.4],
    }
    server_only = frozenset({"reg", "noise_reg", "mirror", "flatten"})

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        first, second = self.widths(catalog.n_items)
        a, b, c = self.config.shares
        both, n, row = first + second, catalog.n_items, self.config.row_weight or None
        return (
            Phase("first", 1, {"first": Stat((n, first), 1.0, 1.0, share=a, row=row)}, ("start",)),
            Phase(
                "second",
                1,
                {
                    "second": Stat((n, second), 1.0, 1.0, share=b, row=row),
                    "moments": Stat((both, both), 1.0, 2.0, symmetric=True, share=c),
                },
                ("bases",),
            ),
        )

    @property
    def _most(self) -> float:
        return float(self.config.row_weight or np.inf)

    def widths(self, n_items: int) -> tuple[int, int]:
        """Return the columns of the two bases."""
        first = min(int(self.config.rank), n_items)
        return first, min(int(self.config.second_rank), first)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        key = Key(seed, 0, "slist-private basis")
        return {"start": _public_basis(catalog, self.widths(catalog.n_items)[0], key).astype(np.float32)}

    def _bases(self, phase: Phase, shared: Arrays) -> list[FloatArray]:
        """Return the bases of a round, one after the other, float64."""
        sent = np.asarray(shared[phase.broadcast[0]], np.float64)
        if phase.name == "first":
            return [sent]
        first = sent.shape[1] - phase.stats["second"].shape[1]
        return [np.ascontiguousarray(sent[:, :first]), np.ascontiguousarray(sent[:, first:])]

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        steps, bases = history_steps(history, self.config.steps), self._bases(phase, shared)
        weights = target_weights(history.items, steps, self.config.recency, self._most)
        states = unit_states(history.items, steps, bases, self.config.decay)
        at = np.flatnonzero(weights)
        last = states[at, states.shape[1] - bases[-1].shape[1] :] * weights[at, None]
        update = {phase.name: Part(last, (history.items[at],))}
        if phase.name == "second":
            with one_blas_thread():
                update["moments"] = Part(second_moment(states, weights))
        return update, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        c, ring, quantum = self.config, total.ring, total.quantum
        steps, bases = step_numbers(users, c.steps), self._bases(phase, shared)
        add_targets(users, steps, bases[-1], c.decay, c.recency, ring[phase.name], quantum[phase.name], self._most)
        if phase.name == "second":
            add_moments(users, steps, bases, c.decay, c.recency, ring["moments"], quantum["moments"], self._most)
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        cross = _shrunk(np.asarray(total[phase.name], np.float64), total.sigma(phase.name), self.config.shrink)
        with one_blas_thread():
            if phase.name == "first":
                second = _basis_of(cross, self.widths(len(cross))[1])
                bases = np.concatenate([shared["start"], second], axis=1, dtype=np.float32)
                return dict(shared) | {"bases": bases, "first": cross}
            moments = definite(np.asarray(total["moments"], np.float64))
            both = np.concatenate([shared["first"], cross], axis=1)
            reg = self.config.reg + self.config.noise_reg * total.sigma(phase.name)
            core = np.linalg.solve(moments + reg * np.eye(len(moments)), both.T)
        norms = np.linalg.norm(core, axis=0)
        core /= np.maximum(norms + np.median(norms), 1e-12) ** self.config.flatten
        return {"bases": shared["bases"], "core": core.astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        users = Interactions.of(history, shared["core"].shape[1])
        return np.asarray(self.cohort_scores(shared, private, users, Key(0))[0])

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        c, bases, core = self.config, shared["bases"], shared["core"]
        rows, values, offsets = decayed_states(users, (c.decay,), c.steps)
        width = bases.shape[1]
        states = add_rows(np.concatenate([bases, core.T], axis=1), users, values, rows, offsets)
        with one_blas_thread():
            forwards = states[:, :width] @ core
            return np.asarray(forwards + np.float32(c.mirror) * (states[:, width:] @ bases.T), np.float32)

    def memory_estimate(self, catalog: Catalog) -> int:
        """Return the bytes of the largest ring with one copy a thread, and of the decoded sums."""
        columns = sum(self.widths(catalog.n_items))
        return catalog.n_items * columns * (4 + 6 * 8) + columns * columns * 48


def _public_basis(catalog: Catalog, width: int, key: Key) -> FloatArray:
    """Return (n, width), rows of norm 1: left singular vectors of the features, random columns where they end."""
    n, features = catalog.n_items, catalog.features
    basis = np.zeros((n, 0))
    if features is not None:
        basis, _ = principal(np.asarray(features, np.float64), width)
    fill = key.generator().normal(size=(n, width)) / np.sqrt(n)  # columns of norm 1, as the others are
    return _unit_rows(np.concatenate([basis, fill[:, basis.shape[1] :]], axis=1))


def _basis_of(cross: FloatArray, width: int) -> FloatArray:
    """Return left singular vectors of an item-by-state sum, rows of norm 1."""
    vectors, _, _ = np.linalg.svd(cross, full_matrices=False)
    vectors = vectors[:, :width]
    return _unit_rows(vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), range(width)] < 0, -1.0, 1.0))


def _shrunk(cross: FloatArray, sigma: float, factor: float) -> FloatArray:
    """Return each item's row times max(0, 1 - factor r sigma^2 / |row|^2): rows that may be noise fade (Stein)."""
    square = np.maximum(np.square(cross).sum(axis=1, keepdims=True), 1e-300)
    return np.asarray(cross * np.maximum(0.0, 1.0 - factor * cross.shape[1] * sigma**2 / square))


def _unit_rows(rows: FloatArray) -> FloatArray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
