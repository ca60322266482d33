"""dpals: private alternating least squares; people solve their own vectors, noisy sums of bounded ones the items."""

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
from fedrec.kernels.als import user_vectors, with_gram
from fedrec.kernels.distinct import distinct
from fedrec.kernels.lanes import one_blas_thread
from fedrec.kernels.linear import definite
from fedrec.kernels.principal import principal
from fedrec.kernels.weighted import add_symmetric, add_weighted, cut, scales, within

INSIDE = 1.0 - 1e-6  # vectors are cut a millionth inside gamma, so that no rounding takes a norm over its bound
FEWEST = 0.05  # a noisy weighted count is taken for at least this much


class Config(Settings):
    """Settings; the names follow Chien et al., ICML 2021, where they have one. Defaults: for ML-1M at epsilon 4."""

    dim: int = Field(32, ge=1, le=256, description="numbers d of a vector")
    statistics: Literal["mf", "full"] = Field(
        "mf", description="an item's Gramian: its share of everybody's (mf), or a sum of its own, n d (d + 1) / 2"
    )
    rounds: int = Field(4, ge=1, le=50, description="sweeps after the round of counts; each solves all users and items")
    item_frac: float = Field(0.4, gt=0, le=1, description="share of the items, by noisy counts, that is trained")
    mu: float = Field(0.0, ge=-2, le=1, description="exponent of an item's noisy count in a person's weights")
    budget: float = Field(100.0, gt=0, description="B: the squares of one person's weights add up to this")
    row_weight: float = Field(0, ge=0, description="largest weight of one item in a person's sums; 0: none")
    gamma: float = Field(0.058, gt=0, description="Gamma: largest norm of a person's vector in the sums")
    alpha0: float = Field(0.7, gt=0, description="weight of the pairs that did not happen, against c of those that did")
    reg: float = Field(4.7, gt=0, description="L2 penalty lambda")
    popularity: float = Field(1.0, ge=0, description="largest entry of the popularity column, which is not trained")
    popularity_power: float = Field(0.25, ge=0, le=1, description="exponent of the noisy counts in that column")
    features: float = Field(0.6, ge=0, description="size of the columns of public item features, where there are any")
    feature_columns: int = Field(64, ge=1, le=512, description="leading directions kept of more features than that")
    init: float = Field(0.3, gt=0, description="standard deviation of the item vectors' norm at the start")
    step: float = Field(0.6, gt=0, le=1, description="share of the new item vectors, the rest is the round's before")
    denoise: float = Field(0.7, ge=0, le=2, description="noise variances taken off the directions of an item's sum")
    counts_share: float = Field(0.25, gt=0, description="privacy budget of the counts, against 1 of a sweep's u")
    gram_share: float = Field(0.05, gt=0, description="privacy budget of a sweep's u u', against 1 of its u")
    outer_share: float = Field(0.3, gt=0, description="privacy budget of a sweep's u u' by item, against 1 of its u")
    last_share: float = Field(2.0, gt=0, description="privacy budget of the last sweep, against 1 of each before it")
    bits: Literal[32, 64] = Field(32, description="width of the ring on the wire")


class DpAls(Algorithm):
    """score = u . v + u0 . f: alternating ridge regressions in few rounds, every sum bounded person by person.

    Round of counts: each of a person's m items counts 1 / sqrt(m), so a person's whole has norm 1. The head, weights
    w_j = (count_j / largest)^mu and a popularity column come from the noisy counts; it and public features are the
    fixed columns f. Sweeps: a person solves (u, u0) exactly from all items of the head, cuts u at gamma and sends
    u u' and, for each item, c_ij u with sum_j c_ij^2 = B: norms gamma^2 and gamma sqrt(B) whatever the history. The
    vectors stay with the person (joint differential privacy); items outside the head score lowest.
    """

    name = "dpals"
    card = Card(
        "private alternating least squares: few rounds of bounded sums of u u' and u",
        "Chien et al., Private Alternating Least Squares, ICML 2021; adaptive weights: Krichene et al., ICML 2023",
        "Differs from the paper: an item's Gramian is its share of everybody's (mf) unless statistics = full; counts "
        "weigh 1 / sqrt(m) instead of a sample of items; popularity and public features are fixed columns; item "
        "vectors move by a step; noise is taken off the sums' directions; the last sweep has a larger share.",
    )
    Config = Config
    random = True
    uses_features = True
    model = ("places", "items", "gram")
    dp: ClassVar[dict[str, Any]] = {}
    grid: ClassVar[dict[str, list[Any]]] = {
        "gamma": [0.04, 0.058, 0.1],
        "reg": [2.5, 4.7, 9.0],
        "alpha0": [0.35, 0.7],
    }

    def width(self, n_items: int) -> int:
        """Return m, the number of items in the head."""
        return min(n_items, max(1, round(float(self.config.item_frac) * n_items)))

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        c, m = self.config, self.width(catalog.n_items)
        broadcast = ("places", "weights", "items", "gram")
        counts = Stat((catalog.n_items,), 1.0, 1.0, c.bits, share=c.counts_share)
        sweeps = (Phase("sweep", c.rounds - 1, self._stats(m, 1.0), broadcast),) if c.rounds > 1 else ()
        last = Phase("last sweep", 1, self._stats(m, c.last_share), broadcast)
        return (Phase("counts", 1, {"counts": counts}), *sweeps, last)

    def _stats(self, m: int, share: float) -> dict[str, Stat]:
        c, d, root = self.config, self.config.dim, float(np.sqrt(self.config.budget))
        stats = {
            "gram": Stat((d, d), c.gamma**2, c.gamma**2, c.bits, symmetric=True, share=share * c.gram_share),
            "linear": Stat((m, d), root * c.gamma, root * c.gamma, c.bits, share=share, row=self._row(c.gamma)),
        }
        if c.statistics == "full":
            bound = root * c.gamma**2
            stats["outer"] = Stat(
                (m, d, d), bound, bound, c.bits, symmetric=True, share=share * c.outer_share, row=self._row(c.gamma**2)
            )
        return stats

    def _row(self, bound: float) -> float | None:
        """Return the bound of an item's row, for vectors or squares of them that are bounded so."""
        return self.config.row_weight * bound or None

    @property
    def _most(self) -> float:
        return float(self.config.row_weight or np.inf)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        """Return the start of the item vectors: random, or random mixtures of the public features."""
        generator, d = Key(seed, 0, "dpals items").generator(), self.config.dim
        if catalog.features is None or self.config.features == 0:
            start = generator.normal(0.0, self.config.init / np.sqrt(d), (catalog.n_items, d))
            return {"start": start, "features": np.zeros((catalog.n_items, 0))}
        features = np.asarray(catalog.features, np.float64) - np.mean(catalog.features, axis=0, dtype=np.float64)
        if features.shape[1] > self.config.feature_columns:
            vectors, sizes = principal(features, self.config.feature_columns)
            features = vectors * sizes
        features /= max(float(np.linalg.norm(features, axis=1).mean()), 1e-12)
        mixture = generator.normal(0.0, self.config.init / np.sqrt(d), (features.shape[1], d))
        with one_blas_thread():
            return {"start": features @ mixture, "features": self.config.features * features}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        if phase.name == "counts":
            mine = np.unique(history.items)
            return {"counts": Part(np.full(len(mine), 1.0) / np.sqrt(max(len(mine), 1)), (mine,))}, private
        own = self._head(shared, Interactions.of(history, len(shared["places"])))
        vector = self._vectors(shared, own)[0]
        weights = scales(own, shared["weights"], self.config.budget)[0] * shared["weights"][own.items]
        weights = np.minimum(weights, self._most)
        update = {
            "gram": Part(np.outer(vector, vector)),
            "linear": Part(np.outer(weights, vector), (own.items,)),
        }
        if "outer" in phase.stats:
            update["outer"] = Part(weights[:, None, None] * np.outer(vector, vector), (own.items,))
        return update, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        users, ring, quantum = distinct(users), total.ring, total.quantum
        total.note(users.n_users)
        if phase.name == "counts":
            each = np.repeat(1.0 / np.sqrt(np.maximum(users.lengths(), 1)), users.lengths())
            steps = np.rint(each / quantum["counts"])
            ring["counts"] += np.bincount(users.items, steps, users.n_items).astype(ring["counts"].dtype)
            return private
        own = self._head(shared, users)
        vectors = self._vectors(shared, own)
        factors = scales(own, shared["weights"], self.config.budget)
        add_symmetric(vectors, ring["gram"], quantum["gram"])
        for name in phase.stats.keys() & {"linear", "outer"}:
            add_weighted(own, shared["weights"], factors, vectors, ring[name], quantum[name], self._most)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        c = self.config
        if phase.name == "counts":
            return self._begin(shared, np.asarray(total["counts"], np.float64), total.sigma("counts"))
        linear = np.asarray(total["linear"], np.float64)
        support = shared["support"] / max(total.users, 1)
        with one_blas_thread():
            linear = denoised(linear, shared["support"], c.denoise * total.sigma("linear") ** 2)
            if c.statistics == "mf":  # all items have the same eigenvectors
                values, axes = np.linalg.eigh(np.asarray(total["gram"], np.float64))
                solved = (linear @ axes) / (np.outer(support + c.alpha0, np.maximum(values, 0.0)) + c.reg) @ axes.T
            else:
                base = c.alpha0 * definite(total["gram"]) + c.reg * np.eye(c.dim)
                solved = np.linalg.solve(definite(total["outer"]) + base, linear[:, :, None])[:, :, 0]
        first = round == 0 and (phase.name == "sweep" or c.rounds == 1)
        items = np.array(shared["items"], np.float64)
        items[:, : c.dim] += (1.0 if first else c.step) * (solved - items[:, : c.dim])
        return dict(shared) | with_gram(items)

    def _begin(self, shared: Arrays, noisy: NDArray[np.float64], sigma: float) -> Arrays:
        """Return the state that follows from the noisy counts: head, weights, and the start of the item vectors."""
        c = self.config
        head = np.sort(np.argsort(-noisy, kind="stable")[: self.width(len(noisy))])
        places = np.full(len(noisy), -1, np.int32)
        places[head] = np.arange(len(head))
        counts = np.maximum(noisy[head], max(FEWEST, sigma / 2))
        weights = (counts / counts.max()) ** c.mu
        # expected sum of c_ij over people: a person's weights are those of the counts but for w and for the norm
        norm = float(np.sum(counts * weights**2)) / max(float(noisy.sum()), float(counts.sum()))
        column = c.popularity * (counts / counts.max()) ** c.popularity_power
        state = {"places": places, "weights": weights, "support": np.sqrt(c.budget / norm) * weights * counts}
        return state | with_gram(np.column_stack([shared["start"][head], column, shared["features"][head]]))

    def _head(self, shared: Arrays, users: Interactions) -> Interactions:
        return within(distinct(users), np.asarray(shared["places"]), len(shared["items"]))

    def _solve(self, shared: Arrays, own: Interactions) -> NDArray[np.float32]:
        """Return everybody's weights of the vectors' numbers and of the fixed columns, (n_users, d + 1 + features)."""
        items, base = np.asarray(shared["items"], np.float32), self.config.alpha0 * np.asarray(shared["gram"])
        return user_vectors(own, items, base, np.full(own.n_users, self.config.reg), np.inf)

    def _vectors(self, shared: Arrays, own: Interactions) -> NDArray[np.float64]:
        """Return what is sent: u, at most gamma long, (n_users, d); weights of fixed columns stay with the person."""
        return cut(self._solve(shared, own)[:, : self.config.dim].astype(np.float64), self.config.gamma * INSIDE)

    def adapt(self, shared: Arrays, private: Arrays, history: History, rng: Rng) -> Arrays:
        """Solve the person's vector for this history, without noise; new people alike."""
        own = self._head(shared, Interactions.of(history, len(shared["places"])))
        return {"vector": self._solve(shared, own)[0]}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.asarray(self._spread(shared, private["vector"][None])[0])

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        return self._spread(shared, self._solve(shared, self._head(shared, users)))

    def _spread(self, shared: Arrays, vectors: NDArray[np.float32]) -> Scores:
        """Return the scores of all items, (n_users, n_items): below all others outside the head.

        Who has no item of the head has the vector 0 and gets the popularity column.
        """
        items, places = np.asarray(shared["items"], np.float32), np.asarray(shared["places"])
        with one_blas_thread():
            scores = np.asarray(vectors @ items.T, np.float32)
        scores[~vectors.any(axis=1)] = items[:, self.config.dim]
        out: Scores = np.repeat(scores.min(axis=1, keepdims=True) - np.float32(1.0), len(places), axis=1)
        out[:, places >= 0] = scores
        return out


def denoised(linear: NDArray[np.float64], support: NDArray[np.float64], variance: float) -> NDArray[np.float64]:
    """Return the sums (m, d) with the directions that hold little beside noise scaled down: a Wiener filter.

    In the eigenbasis of the rows' second moments, each row by 1 / ``support`` (m,), a direction with moment e keeps
    the share 1 - ``variance`` / e, at least 0. Only released sums go into it, so it costs no privacy.
    """
    if variance == 0.0:
        return linear
    weights = 1.0 / support
    moments, axes = np.linalg.eigh((linear.T * (weights / weights.sum())) @ linear)
    kept = 1.0 - variance / np.maximum(moments, variance)
    return np.asarray((linear @ axes * kept) @ axes.T)
