"""lowpass: filters on the item graph; its leading eigenvectors from a few sums of X_u'(X_u Q)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

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
from fedrec.kernels.counts import add_counts, count_stat, user_counts
from fedrec.kernels.distinct import distinct
from fedrec.kernels.krylov import NOTHING, leading, next_block, orthonormal
from fedrec.kernels.lanes import one_blas_thread
from fedrec.kernels.linear import add_rows
from fedrec.kernels.spectral import add_pair_rows, add_pair_scores, add_products, project

ROUNDING = 1.0 + 1e-6  # head-room of the bounds for float32 broadcasts
PAIRS = ("pair_offsets", "pair_items", "pair_values")


class Config(Settings):
    """Settings; ``rank`` and ``alpha`` act on the server alone."""

    filter: Literal["ideal", "gf-cf"] = Field("ideal", description="ideal low-pass, or that and X~'X~ (gf-cf)")
    columns: int = Field(256, ge=1, le=4096, description="columns r of Q that travel in a round")
    iterations: int = Field(4, ge=1, le=50, description="rounds of X~'(X~ Q), after one round of degrees")
    rank: int = Field(256, ge=1, le=16_384, description="eigenvectors kept, at most columns x iterations")
    alpha: float = Field(0.3, ge=0, description="gf-cf: weight of the ideal low-pass filter (paper: 0.3)")
    block: int = Field(1024, ge=1, description="gf-cf: rows of X~'X~ summed in one round")
    bits: Literal[32, 64] = Field(64, description="width of the ring on the wire")
    clip: float = Field(1.0, gt=0, le=1, description="L2 bound of one user's products in a round; 1 holds unclipped")
    user_power: float = Field(0.0, ge=0, le=1, description="p: degrees count an item of a history of T items T^-p")
    least_degree: float = Field(
        3.0, ge=0, description="degrees are at least so many standard deviations of their noise"
    )

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.rank > self.columns * self.iterations:
            raise ValueError(
                f"rank = {self.rank}, but {self.iterations} iterations of {self.columns} columns give at most "
                f"{self.columns * self.iterations} eigenvectors: lower rank, or raise columns or iterations"
            )
        return self


class LowPass(Algorithm):
    """score = x D^-1/2 U U' D^1/2 (ideal), plus x X~'X~ (gf-cf); X~ = D_u^-1/2 X D^-1/2, U its right singular vectors.

    What travels: degrees (n counts); then ``iterations`` rounds in which a client receives D^-1/2 Q (n x r) and adds
    the mean of its items' rows to those rows; its entries are at most 1 by construction. The server keeps all blocks
    (block Lanczos), so 4 rounds of 256 columns span a space of 1,024 dimensions. gf-cf then needs X~'X~ itself: its
    tail is what the filter adds (a rank-1,024 form reached .186 where the exact one has .194, Gowalla recall@20, one
    user in six), so ``block`` rows travel a round and the server keeps what is not zero. Gowalla, bytes an upload:
    164 kB, then 4 x 84 MB; gf-cf 41 x 336 MB more, which is for organisations. 32 bits halve this, and scores are
    then 1e-3 from the twin's instead of 1e-6.

    Differs from the paper: degrees can count T^-p for an item of a history of T, and what one user adds in a round can
    be scaled down to ``clip``, so that noise has little to cover. With noise, degrees are at least ``least_degree`` of
    its standard deviations and in units of that, so that the rows sent down are as long as the bound allows, and Ritz
    values below the largest that noise alone would have are left out.
    """

    name = "lowpass"
    card = Card(
        "low-pass filters on the item graph by subspace iteration",
        "Shen et al., How Powerful is Graph Convolution for Recommendation? (GF-CF), CIKM 2021, section 4; "
        "Golub, Van Loan, Matrix Computations, section 10.3 (block Lanczos)",
        "Differs from the paper: eigenvectors from a few sums instead of a sparse SVD, so the last of them are "
        "approximate; degrees can count T^-p for an item of a history of T, and a user's products can be clipped; with "
        "noise, degrees have a floor and eigenvalues that may be noise are left out.",
    )
    Config = Config
    random = True
    rounds_setting = "iterations"
    dp: ClassVar[dict[str, Any]] = {
        "user_power": 0.5,
        "clip": 0.1,
        "least_degree": 30.0,
        "columns": 64,
        "rank": 16,
        "bits": 32,
    }
    model = ("left", "right", *PAIRS)
    grid: ClassVar[Any] = [
        {"filter": ["ideal"], "rank": [32, 64, 128, 256, 512]},
        {"filter": ["gf-cf"], "rank": [64, 128, 256, 512], "alpha": [0.1, 0.2, 0.3, 0.5, 1.0]},
    ]

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        c, n = self.config, catalog.n_items
        wide = ROUNDING
        r, rows = min(c.columns, n), min(c.block, n)
        degrees = Phase("degrees", 1, {"degrees": count_stat(n, c.user_power)})
        products = Phase(
            "products", c.iterations, {"products": Stat((n, r), wide * c.clip, wide * c.clip, c.bits)}, ("probe",)
        )
        if c.filter == "ideal":
            return degrees, products
        pairs = Phase("pairs", -(-n // rows), {"pairs": Stat((rows, n), wide, wide, c.bits)}, ("first",))
        return degrees, pairs, products  # last what completes the model, so that nobody scores with half of the pairs

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        n = catalog.n_items
        start = Key(seed, 0, "lowpass basis").generator().normal(size=(n, min(self.config.columns, n)))
        return {
            "basis": orthonormal(start).astype(np.float32),
            "first": np.zeros(1, np.int64),
            "pair_offsets": np.zeros(n + 1 if self.config.filter == "ideal" else 1, np.int64),
            "pair_items": np.zeros(0, np.int32),
            "pair_values": np.zeros(0, np.float32),
        }

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        mine = np.unique(history.items)
        if phase.name == "degrees":
            return {"degrees": user_counts(mine, self.config.user_power)}, private
        if phase.name == "products":
            probe = np.asarray(shared["probe"], np.float32)
            mean = project(distinct(Interactions.of(history, len(probe))), probe, self.config.clip)
            return {"products": Part(np.repeat(mean, len(mine), axis=0), (mine,))}, private
        row = mine - int(shared["first"][0])
        row = row[(row >= 0) & (row < phase.stats["pairs"].shape[0])]
        share = np.full((len(row), len(mine)), 1.0 / max(len(mine), 1))
        return {"pairs": Part(share, (row, mine))}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        users = distinct(users)
        ring, quantum = total.ring[phase.name], total.quantum[phase.name]
        if phase.name == "degrees":
            add_counts(users, self.config.user_power, ring, quantum)
        elif phase.name == "products":
            probe = np.asarray(shared["probe"], np.float32)
            add_products(users, project(users, probe, self.config.clip), ring, quantum)
        else:
            add_pair_rows(users, int(shared["first"][0]), ring, quantum)
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        if phase.name == "degrees":
            floor = max(1.0, self.config.least_degree * total.sigma("degrees"))
            degrees = np.maximum(total["degrees"] / floor, 1.0)  # in units of the least: the probe's rows are as long
            return {**shared, "degrees": degrees, "probe": scaled(degrees, -0.5, shared["basis"])}
        if phase.name == "pairs":
            return {**shared, **self._more_pairs(shared, np.asarray(total["pairs"], np.float64))}
        degrees, basis = np.asarray(shared["degrees"], np.float64), np.asarray(shared["basis"], np.float64)
        new = total["products"] / np.sqrt(degrees)[:, None]
        products = np.concatenate([shared["products"], new], axis=1) if round else new
        if round + 1 < phase.rounds:
            block = next_block(basis, new)
            basis = np.concatenate([basis, block], axis=1)
            return {**shared, "basis": basis, "products": products, "probe": scaled(degrees, -0.5, block)}
        vectors = leading(basis, products, self.config.rank, self._edge(total.sigma("products"), degrees, basis))
        weight = self.config.alpha if self.config.filter == "gf-cf" else 1.0
        kept = {name: shared[name] for name in ("degrees", "first", *PAIRS)}
        return {**kept, "left": scaled(degrees, -0.5, weight * vectors), "right": scaled(degrees, 0.5, vectors)}

    def _edge(self, sigma: float, degrees: NDArray[np.float64], basis: NDArray[np.float64]) -> float:
        """Return the eigenvalue below which a Ritz value may be noise: the edge of the semicircle law."""
        if sigma == 0:
            return NOTHING
        return sigma * float(np.sqrt(2.0 * np.sum(np.square(basis) / degrees[:, None])))

    def _more_pairs(self, shared: Arrays, rows: NDArray[np.float64]) -> Arrays:
        """Return the sparse X~'X~ with another block of rows, and where the next one starts."""
        first, root = int(shared["first"][0]), np.sqrt(np.asarray(shared["degrees"], np.float64))
        rows = rows[: len(root) - first]
        where, items = np.nonzero(rows)
        values = rows[where, items] / (root[first + where] * root[items])
        ends = shared["pair_offsets"][-1] + np.cumsum(np.bincount(where, minlength=len(rows)))
        return {
            "first": np.array([first + len(rows)], np.int64),
            "pair_offsets": np.concatenate([shared["pair_offsets"], ends]).astype(np.int64),
            "pair_items": np.concatenate([shared["pair_items"], items.astype(np.int32)]),
            "pair_values": np.concatenate([shared["pair_values"], values.astype(np.float32)]),
        }

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        people = Interactions.of(history, len(shared["left"]))
        return np.asarray(self.cohort_scores(shared, {}, people, Key(0))[0], np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        users = distinct(users)
        with one_blas_thread():
            out = np.asarray(add_rows(shared["left"], users, None) @ shared["right"].T, np.float32)
        if len(shared["pair_items"]):
            add_pair_scores(users, out, *(np.asarray(shared[name]) for name in PAIRS))
        return out

    def alone_scores(
        self, catalog: Catalog, train: Interactions, histories: Interactions, seed: int, rounds: int
    ) -> Scores:
        """Return the scores with federation off, (n_users, n_items) float32.

        Alone X~ is one row v, and v the only eigenvector; after one iteration, what the random basis holds of it.
        A test holds this to the literal run, whose unseen items score rounding instead of 0.
        """
        c, out = self.config, np.zeros((train.n_users, catalog.n_items), np.float32)
        basis = np.asarray(self.shared(catalog, seed)["basis"], np.float64)
        for row, ((_, mine), (_, known)) in enumerate(zip(train.histories(), histories.histories(), strict=True)):
            v, own, has = np.zeros(catalog.n_items), np.unique(mine.items), np.unique(known.items)
            v[own] = 1.0 / np.sqrt(max(len(own), 1))
            leads = v if c.iterations > 1 else basis @ (basis.T @ v)
            leads = leads / max(float(np.linalg.norm(leads)), NOTHING)
            ideal = leads[has].sum() * leads
            out[row] = ideal if c.filter == "ideal" else c.alpha * ideal + v[has].sum() * v
        return out

    def memory_estimate(self, catalog: Catalog) -> int:
        """Return the bytes of the blocks kept on the server; for gf-cf also of a block of rows and its decoded form."""
        c, n = self.config, catalog.n_items
        pairs = min(c.block, n) * n * 16 if c.filter == "gf-cf" else 0
        return int(4 * 8 * n * min(c.columns, n) * c.iterations + pairs)


def scaled(degrees: NDArray[np.float64], power: float, matrix: NDArray[Any]) -> NDArray[np.float32]:
    """Return D^power matrix, (n, r) float32."""
    return np.asarray(degrees[:, None] ** power * matrix, np.float32)
