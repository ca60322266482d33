"""slist-lowrank: the next-item model in the size of a device; four rounds of n x r sums instead of one of n x n."""

from __future__ import annotations

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
from fedrec.kernels.linear import add_rows
from fedrec.kernels.lowrank import add_moments, add_projection, plain_projection
from fedrec.kernels.steps import decayed_states, history_steps, step_numbers

LONGEST = 4096.0  # bound: no history counts more than this many steps
WIDEST = 4.0  # the random start is cut at this many standard deviations


class Config(Settings):
    """``rank`` is shared evenly by the decays; the upload is about 4 n rank bytes a round."""

    decay: tuple[float, ...] = Field((0.4, 0.9), min_length=1, max_length=4, description="state decays g, each < 1")
    rank: int = Field(256, ge=2, le=4096, description="columns of the basis, over all decays together")
    reg: float = Field(30.0, gt=0, description="ridge penalty lambda, in the basis")
    source_power: float = Field(0.5, ge=0, le=1, description="exponent b1 of the source's degree normalisation")
    target_power: float = Field(0.25, ge=0, le=1, description="exponent b2 of the target's")
    steps: Literal["item", "day", "timestamp"] = Field("item", description="what one step of the decay is")


class SlistLowRank(Algorithm):
    """B = Q (A + reg I)^-1 C_r with A = sum z z', C_r = sum z e_t', z = Q's; Q from one power iteration on C.

    Rounds: item counts; Y = C'Q0 for a random Q0; Z = C D^-b2 Y, whose normalised columns are the basis Q; then A and
    C_r. Every basis is scaled to entries of at most 1 before it is sent, so each person's share is bounded.
    """

    name = "slist-lowrank"
    card = Card(
        "slist for devices: the next-item model on a basis, four rounds of n x r sums",
        "Choi et al., WWW 2021 (SLIT); randomised range finder: Halko, Martinsson, Tropp, SIAM Review 2011, alg. 4.4",
        "Differs from the paper: ridge regression on exponentially decayed states, projected on a basis.",
    )
    Config = Config
    random = True
    model = ("source", "core")
    grid: ClassVar[dict[str, list[Any]]] = {
        "decay": [(0.4, 0.9), (0.5, 0.9), (0.5, 0.95), (0.6, 0.97)],
        "reg": [3.0, 10.0, 30.0],
        "source_power": [0.4, 0.5],
    }

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        n, width = catalog.n_items, self.width(catalog.n_items)
        columns = width * len(self.config.decay)
        reach = 1.0 / (1.0 - min(max(self.config.decay), 1.0 - 1.0 / LONGEST))
        return (
            Phase("counts", 1, {"counts": Stat((n,), 1.0, float(np.sqrt(n)), counts=True)}),
            Phase("targets", 1, {"targets": Stat((n, columns), WIDEST * reach)}, ("start",)),
            Phase("sources", 1, {"sources": Stat((n, columns), reach)}, ("targets",)),
            Phase(
                "statistics",
                1,
                {
                    "moments": Stat((columns, columns), LONGEST * reach**2, bits=64, symmetric=True),
                    "cross": Stat((n, columns), reach),
                },
                ("basis",),
            ),
        )

    def width(self, n_items: int) -> int:
        """Return the columns of one decay's block."""
        return max(1, min(int(self.config.rank) // len(self.config.decay), n_items))

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        shape = (len(self.config.decay), catalog.n_items, self.width(catalog.n_items))
        start = Key(seed, 0, "slist basis").generator().normal(size=shape)
        return {"start": np.clip(start, -WIDEST, WIDEST).astype(np.float32)}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        items, decays = history.items, self.config.decay
        mine, column = np.unique(items, return_inverse=True)
        if phase.name == "counts":
            return {"counts": Part(np.ones(len(mine)), (mine,))}, private
        steps = history_steps(history, self.config.steps)
        bases = np.asarray(shared[phase.broadcast[0]], np.float64)
        backwards = phase.name == "sources"
        z = np.concatenate(
            [plain_projection(items, steps, b, g, backwards) for b, g in zip(bases, decays, strict=True)], axis=1
        )
        rows = np.zeros((len(mine), z.shape[1]))
        np.add.at(rows, column, z)
        if phase.name != "statistics":
            return {phase.name: Part(rows, (mine,))}, private
        return {"moments": Part(z.T @ z), "cross": Part(rows, (mine,))}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        if not users.unique():
            return super().cohort_update(phase, shared, private, users, key, total)
        ring, quantum, decays = total.ring, total.quantum, self.config.decay
        if phase.name == "counts":
            ring["counts"] += np.bincount(users.items, minlength=users.n_items).astype(np.int32)
        else:
            steps = step_numbers(users, self.config.steps)
            bases = [np.ascontiguousarray(b, np.float64) for b in shared[phase.broadcast[0]]]
            name = "cross" if phase.name == "statistics" else phase.name
            for number, (basis, decay) in enumerate(zip(bases, decays, strict=True)):
                first, backwards = number * basis.shape[1], phase.name == "sources"
                bound = phase.stats[name].linf
                add_projection(users, steps, basis, decay, ring[name], first, quantum[name], bound, backwards)
            if phase.name == "statistics":
                bound = phase.stats["moments"].linf
                add_moments(users, steps, bases, decays, ring["moments"], quantum["moments"], bound)
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        c, state = self.config, dict(shared)
        if phase.name == "counts":
            return state | {"counts": np.maximum(total["counts"], 1).astype(np.float64)}
        with one_blas_thread():
            if phase.name == "statistics":
                return self._solved(state["basis"], total)
            blocks = np.split(np.asarray(total[phase.name]), len(c.decay), axis=1)
            if phase.name == "targets":
                weight = state["counts"][:, None] ** -c.target_power
                state["targets"] = np.stack([_scaled(weight * orthonormal(weight * b)) for b in blocks])
            else:
                weight = state["counts"][:, None] ** (-2.0 * c.source_power)
                state["basis"] = np.stack([_scaled(orthonormal(weight * b)) for b in blocks])
            return state

    def _solved(self, basis: NDArray[Any], total: Total) -> Arrays:
        """Return Q (k n, r), one block of columns a decay, and the core (A + reg I)^-1 C_r (r, n)."""
        scale = [float(np.linalg.norm(b[:, 0])) for b in basis]  # of each block, against orthonormal columns
        every = np.repeat(scale, basis.shape[2])
        moments = np.asarray(total["moments"], np.float64) / np.outer(every, every)
        cross = np.asarray(total["cross"], np.float64).T / every[:, None]
        core = np.linalg.solve(moments + self.config.reg * np.eye(len(every)), cross)
        k, n, width = basis.shape
        source = np.zeros((k * n, k * width), np.float32)
        for a in range(k):
            source[a * n : (a + 1) * n, a * width : (a + 1) * width] = basis[a] / scale[a]
        return {"source": source, "core": core.astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        n, state = shared["core"].shape[1], np.zeros(len(shared["source"]))
        steps = history_steps(history, self.config.steps)
        for k, g in enumerate(self.config.decay):
            np.add.at(state, history.items + k * n, float(g) ** (steps.max(initial=0) - steps))
        return np.asarray(state @ shared["source"] @ shared["core"], np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        rows, values, offsets = decayed_states(users, self.config.decay, self.config.steps)
        states = add_rows(shared["source"], users, values, rows, offsets)
        with one_blas_thread():
            return np.asarray(states @ shared["core"], np.float32)

    def memory_estimate(self, catalog: Catalog) -> int:
        """Return the bytes of the largest ring, its decoded form and the broadcast basis."""
        columns = self.width(catalog.n_items) * len(self.config.decay)
        return catalog.n_items * columns * (4 + 3 * 8) + columns * columns * 24


def orthonormal(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of a block's columns, signs fixed so that equal sums give equal bytes."""
    q, r = np.linalg.qr(block)
    return np.asarray(q * np.where(np.diagonal(r) < 0, -1.0, 1.0))


def _scaled(block: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the block with its largest entry at 1, as it is sent."""
    return (block / max(float(np.abs(block).max()), 1e-300)).astype(np.float32)
