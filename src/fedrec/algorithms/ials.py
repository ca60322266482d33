"""iALS: implicit alternating least squares; users solve their own vectors, sums of them solve the items."""

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
from fedrec.kernels.als import add_gram, add_item_sums, item_factors, pack, unpack, user_vectors, with_gram
from fedrec.kernels.distinct import distinct
from fedrec.kernels.lanes import one_blas_thread


class Config(Settings):
    """Settings; the names follow Rendle et al. 2022, section 2."""

    dim: int = Field(64, ge=1, le=512, description="numbers d of a vector; an upload has n d (d + 1) / 2")
    alpha0: float = Field(0.1, gt=0, description="weight of the pairs that did not happen, against 1 of those that did")
    reg: float = Field(0.01, gt=0, description="L2 penalty lambda")
    nu: float = Field(1.0, ge=0, le=1, description="exponent of the frequency scaling of the penalty")
    sweeps: int = Field(10, ge=1, le=100, description="rounds; each solves all users, then all items")
    init: float = Field(0.1, gt=0, description="standard deviation of the item vectors' norm at the start")
    bound: float = Field(10.0, gt=0, description="largest norm of a user's vector; longer ones are scaled down")
    bits: Literal[32, 64] = Field(64, description="width of the ring on the wire")


class Ials(Algorithm):
    """score = u . v; alternating ridge regressions, the users' on their devices, the items' from sums.

    A round sends down the item vectors. A user solves u = (a0 V'V + sum v v' + l_u I)^-1 sum v over the history and
    sends, for the sum, u u', and for each item of the history u u' and u: all the server needs to solve the items. The
    vector is solved anew whenever it is needed, for new people alike, so nothing is stored with the user. One user's
    update holds the vector: only the sum may leave. An upload is dense, n d (d + 1) / 2 numbers (14 MB for 1,682
    items and d = 64): for organisations, or small catalogues.
    """

    name = "ials"
    card = Card(
        "implicit alternating least squares by sums of u u' and u",
        "Hu, Koren, Volinsky, ICDM 2008, section 4; Rendle et al., Revisiting the Performance of iALS, RecSys 2022, "
        "section 2; by sums: Ammad-ud-din et al. 2019",
        "Differs from the paper: the item side is solved exactly from summed statistics (Ammad-ud-din et al. send "
        "gradients); a user's vector is cut at a norm, so that sums are bounded; confidence is the same for all pairs.",
    )
    Config = Config
    random = True
    model = ("items", "gram")
    rounds_setting = "sweeps"
    grid: ClassVar[dict[str, list[Any]]] = {
        "dim": [32, 64, 128],
        "alpha0": [0.03, 0.1, 0.3, 1.0],
        "reg": [0.003, 0.006, 0.01, 0.02],
    }

    def bound(self, n_items: int) -> float:
        """Return the largest norm a user's vector can have.

        A ridge solution of m targets 1 has |u| <= sqrt(m) / (2 sqrt(l_u)); that grows with m, and m <= n_items.
        """
        c = self.config
        ridge = c.reg * ((1.0 + c.alpha0) * n_items) ** c.nu
        return min(float(c.bound), float(np.sqrt(n_items / ridge) / 2.0))

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        n, d, bits, b = catalog.n_items, self.config.dim, self.config.bits, self.bound(catalog.n_items) * (1 + 1e-6)
        pairs = d * (d + 1) // 2
        stats = {
            "gram": Stat((pairs,), b * b, b * b, bits),
            "outer": Stat((n, pairs), b * b, b * b * float(np.sqrt(n)), bits),
            "linear": Stat((n, d), b, b * float(np.sqrt(n)), bits),
            "counts": Stat((n,), 1.0, float(np.sqrt(n)), counts=True),
        }
        return (Phase("sweep", self.config.sweeps, stats, ("items", "gram")),)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        deviation = self.config.init / np.sqrt(self.config.dim)
        shape = (catalog.n_items, self.config.dim)
        return with_gram(Key(seed, 0, "ials items").generator().normal(0.0, deviation, shape))

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        vector = self._solve(shared, Interactions.of(history, len(shared["items"])))[0].astype(np.float64)
        mine, pairs = np.unique(history.items), pack(np.outer(vector, vector))
        update = {
            "gram": Part(pairs),
            "outer": Part(np.tile(pairs, (len(mine), 1)), (mine,)),
            "linear": Part(np.tile(vector, (len(mine), 1)), (mine,)),
            "counts": Part(np.ones(len(mine)), (mine,)),
        }
        return update, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        users, ring, quantum = distinct(users), total.ring, total.quantum
        vectors = self._solve(shared, users)
        add_gram(vectors, ring["gram"], quantum["gram"])
        add_item_sums(users, vectors, ring["outer"], ring["linear"], quantum["outer"], quantum["linear"])
        ring["counts"] += np.bincount(users.items, minlength=users.n_items).astype(np.int32)
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        c = self.config
        ridge = c.reg * (total["counts"] + c.alpha0 * total.users) ** c.nu
        base = c.alpha0 * unpack(total["gram"])
        outer, linear = np.asarray(total["outer"], np.float64), np.asarray(total["linear"], np.float64)
        return with_gram(item_factors(outer, linear, base, ridge))

    def adapt(self, shared: Arrays, private: Arrays, history: History, rng: Rng) -> Arrays:
        """Solve the user's vector for this history: the fold-in of new people is the same solve."""
        return {"vector": self._solve(shared, Interactions.of(history, len(shared["items"])))[0]}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.asarray(shared["items"] @ private["vector"], np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        vectors = self._solve(shared, users)
        with one_blas_thread():
            return np.asarray(vectors @ shared["items"].T, np.float32)

    def alone_scores(
        self, catalog: Catalog, train: Interactions, histories: Interactions, seed: int, rounds: int
    ) -> Scores:
        """Return the scores with federation off, (n_users, n_items) float32.

        Alone, an item the client never had gets the vector 0, and all its own items get one and the same vector:
        their sums are equal. So a round is one solve, not n_items of them; a test holds it to the literal run.
        """
        out = np.zeros((train.n_users, catalog.n_items), np.float32)
        begin, c = self.shared(catalog, seed), self.config
        for row in range(train.n_users):
            mine, state = train.slice(row, row + 1), begin
            own = np.unique(mine.items)
            for _ in range(rounds):
                u = self._solve(state, mine)[0].astype(np.float64)
                pairs, ridge = pack(np.outer(u, u)), c.reg * (1.0 + c.alpha0) ** c.nu
                v = item_factors(pairs[None], u[None], c.alpha0 * np.outer(u, u), np.array([ridge]))
                items = np.zeros_like(begin["items"])
                items[own] = v[0].astype(np.float32)
                wide = v[0].astype(np.float32).astype(np.float64)
                state = {"items": items, "gram": len(own) * np.outer(wide, wide)}
            out[row] = self.cohort_scores(state, {}, histories.slice(row, row + 1), Key(seed))[0]
        return out

    def _solve(self, shared: Arrays, users: Interactions) -> NDArray[np.float32]:
        """Return the vectors of many users, (n_users, d)."""
        c, users = self.config, distinct(users)
        items, base = np.asarray(shared["items"], np.float32), c.alpha0 * np.asarray(shared["gram"], np.float64)
        ridge = c.reg * (users.lengths() + c.alpha0 * users.n_items) ** c.nu
        return user_vectors(users, items, base, ridge, self.bound(users.n_items))

    def memory_estimate(self, catalog: Catalog) -> int:
        """Return the bytes of the ring, its decoded form and one compiled solve a thread."""
        pairs = self.config.dim * (self.config.dim + 1) // 2
        return int(catalog.n_items * pairs * (self.config.bits // 8 + 8))
