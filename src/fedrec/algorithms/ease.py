"""EASE: one sum of X'X, one inverse."""

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
    Phase,
    Rng,
    Scores,
    Settings,
    Total,
    Update,
    UpdateSum,
)
from fedrec.kernels.linear import above_noise, add_rows, inverse, unforged
from fedrec.kernels.pairs import pair_stat, user_pairs, weighted_pairs


class Config(Settings):
    """``reg`` and ``threshold`` act on the server alone."""

    reg: float = Field(300.0, gt=0, description="ridge penalty lambda; Steck 2019, eq. 4")
    user_power: float = Field(0.0, ge=0, le=1, description="p: X'X counts a history of T items T^-p times")
    threshold: float = Field(0.5, ge=0, description="eigenvalues of X'X lose so much of the noise's largest")
    bits: Literal[32, 64] = Field(32, description="width of the ring on the wire where user_power is not 0")


class Ease(Algorithm):
    """B = argmin |X - XB|^2 + reg |B|^2 with diag(B) = 0, from the secure sum of X'X.

    Differs from the paper: X'X can count a history of T items T^-p times, so that one user's part has norm T^(1-p).
    With noise of standard deviation s, whose largest eigenvalue is near s sqrt(2 n), the eigenvalues of the sum are
    lowered by ``threshold`` times that, at most to 0: the rest is positive semidefinite whatever was drawn.
    """

    name = "ease"
    card = Card(
        "one sum of X'X, one inverse",
        "Steck, Embarrassingly Shallow Autoencoders, WWW 2019, eqs. 4-8",
        "Differs from the paper: X'X can count a history of T items T^-p times; with noise its eigenvalues are "
        "lowered by a share of the largest one that noise alone would have, at most to 0.",
    )
    Config = Config
    model = ("weights",)
    grid: ClassVar[dict[str, list[Any]]] = {"reg": [10, 30, 50, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000]}
    server_only = frozenset({"reg", "threshold"})
    dp: ClassVar[dict[str, Any]] = {"user_power": 1.0, "reg": 10.0}

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        stat = pair_stat(catalog.n_items, self.config.user_power, self.config.bits)
        return (Phase("pairs", 1, {"pairs": stat}),)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        return {"pairs": user_pairs(history.items, self.config.user_power)}, private

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        if not users.unique():
            return super().cohort_update(phase, shared, private, users, key, total)
        weighted_pairs(users, self.config.user_power, total.ring["pairs"], total.quantum["pairs"])
        total.note(users.n_users)
        return private

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        pairs, sigma = total["pairs"], total.sigma("pairs")
        n = len(pairs)

        def solved(mended: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
            gram = mended(above_noise(pairs.astype(np.float64), sigma, self.config.threshold))
            gram[np.arange(n), np.arange(n)] += self.config.reg
            return inverse(gram)

        weights = unforged(solved)  # P = (X'X + reg I)^-1
        weights /= -np.diagonal(weights)[None, :].copy()
        weights[np.arange(n), np.arange(n)] = 0.0
        return {"weights": weights.astype(np.float32)}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        weights = shared["weights"]
        return np.asarray(weights[np.unique(history.items)].sum(axis=0, dtype=np.float64), np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        return add_rows(shared["weights"], users, None)
