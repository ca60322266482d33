"""fedmf: federated matrix factorisation; the item table is shared, each user's vector stays with the user."""

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
    ContractError,
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
from fedrec.kernels.alone import factors_alone
from fedrec.kernels.draws import Draws
from fedrec.kernels.lanes import one_blas_thread
from fedrec.kernels.server_steps import ServerStep, optimiser
from fedrec.kernels.sgd import Local, factor_round, fold_in
from fedrec.kernels.sgd_step import plain_step

STATE = "server."  # prefix of the server optimiser's arrays in ``shared``: saved, never broadcast


class Config(Settings):
    """Settings: of the model, of one client's training, of the server."""

    dim: int = Field(32, ge=8, le=512, multiple_of=8, description="numbers in a user's or an item's vector")
    rounds: int = Field(60, ge=1, description="rounds of training")
    epochs: int = Field(1, ge=1, description="passes of a client over its history in one round")
    loss: Literal["bce", "bpr"] = Field("bce", description="binary cross entropy, or pairwise ranking (Rendle 2009)")
    negatives: int = Field(4, ge=1, le=31, description="local negatives drawn for each interaction")
    lr: float = Field(0.8, gt=0, description="learning rate of the user's vector")
    item_lr: float = Field(0.8, gt=0, description="learning rate of the client's copy of the item rows")
    reg: float = Field(0.02, ge=0, lt=1, description="L2 penalty on the vectors in use, per step")
    shuffle: bool = Field(False, description="visit the history in a new order every epoch (False: in time order)")
    init: float = Field(0.1, gt=0, description="standard deviation of the item vectors at the start")
    server: Literal["sgd", "adagrad", "adam"] = Field("adam", description="server optimiser (Reddi 2021)")
    server_lr: float = Field(0.03, gt=0, description="learning rate of the server optimiser")
    server_epsilon: float = Field(1e-3, gt=0, description="adaptivity tau of adagrad and adam (Reddi 2021)")
    weighting: Literal["rows", "clients"] = Field(
        "rows", description="divide an item's summed difference by the clients that touched it, or by all of the round"
    )
    clip: float = Field(10.0, gt=0, description="L2 bound of one user's whole update of the item table")
    row_clip: float = Field(0.0, ge=0, description="L2 bound of one item's row of it, after the clip; 0: none")
    bits: Literal[32, 64] = Field(32, description="width of the ring on the wire")
    fold_in: int = Field(5, ge=0, description="epochs of fold-in before scoring, item table frozen")


class FedMF(Algorithm):
    """score = u . v, trained by local SGD; the sum carries the differences of the item rows and who touched them.

    Differs from the paper: with ``weighting="clients"`` nobody counts who touched a row, and the sum is divided by all
    clients, with noise by the expected number. The noise in a row is then as long for rare items as for popular ones;
    the server's step, and few rounds, have to keep it small.
    """

    name = "fedmf"
    card = Card(
        "FedAvg matrix factorisation, user vectors private",
        "Ammad-ud-din et al., Federated Collaborative Filtering, 2019; Chai et al., Secure Federated Matrix "
        "Factorization, IEEE Intelligent Systems 2021; server steps: Reddi et al., ICLR 2021",
        "Differs from the paper: implicit feedback with local negatives (BCE or BPR), differences of rows instead of "
        "gradients, each row divided by its own contributors or by all clients, the whole update and each row of it "
        "clipped; the history is visited in "
        "time order with a large step for the user's vector, so that what came last weighs most.",
    )
    Config = Config
    random = True
    selects_round = True
    model = ("items",)
    grid: ClassVar[dict[str, list[Any]]] = {
        "lr": [0.2, 0.4, 0.8, 1.6],
        "reg": [0.01, 0.02, 0.04, 0.08],
        "server_lr": [0.03, 0.1],
    }

    #: without counts of who touched a row: each person's are as long as the root of their number
    dp: ClassVar[dict[str, Any]] = {
        "weighting": "clients",
        "clip": 4.0,
        "row_clip": 1.2,
        "dim": 16,
        "rounds": 80,
        "server": "sgd",
        "server_lr": 2.5,
    }

    @property
    def local(self) -> Local:
        """Return what the kernels need to know of one client's training."""
        c = self.config
        return Local(c.epochs, c.negatives, c.loss == "bpr", c.shuffle, c.lr, c.item_lr, c.reg)

    @property
    def optimiser(self) -> ServerStep:
        """Return the server's step."""
        return optimiser(self.config.server, self.config.server_lr, self.config.server_epsilon)

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        c, n = self.config, catalog.n_items
        stats = {"items": Stat((n, c.dim), min(c.clip, c.row_clip or c.clip), bits=c.bits, row=c.row_clip or None)}
        if c.weighting == "rows":
            stats["rows"] = Stat((n,), 1.0, float(np.sqrt(n)), counts=True)
        return (Phase("train", c.rounds, stats, ("items",), c.clip),)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        shape = (catalog.n_items, self.config.dim)
        items = Key(seed, 0, "fedmf items").generator().normal(0.0, self.config.init, shape).astype(np.float32)
        return {"items": items, **{STATE + name: a for name, a in self.optimiser.init(shape).items()}}

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        return {"user": np.zeros(self.config.dim, np.float32)}

    def cohort_private(self, users: NDArray[np.int64], key: Key, catalog: Catalog) -> Arrays:
        return {"user": np.zeros((len(users), self.config.dim), np.float32)}

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        items = np.asarray(shared["items"], np.float32)
        user, touched, rows = self._train(items, private, history, rng, self.config.epochs, self.config.item_lr)
        update = {"items": Part(rows - items[touched], (touched,))}
        if "rows" in phase.stats:
            update["rows"] = Part(np.ones(len(touched)), (touched,))
        return update, {"user": user}

    def _train(
        self, items: NDArray[np.float32], private: Arrays, history: History, rng: Rng, epochs: int, item_lr: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
        """Return (user vector, ids of the touched rows, these rows) after local training."""
        c, draws = self.config, Draws(rng.key)
        user = np.array(private["user"], np.float32)
        mine = np.array(items, np.float32)
        touched = set(history.items.tolist())
        for _ in range(epochs):
            order = draws.order(len(history)) if c.shuffle else np.arange(len(history))
            negatives = draws.negatives(history, len(items), c.negatives)
            for position, others in zip(order, negatives, strict=True):
                group = np.concatenate([[history.items[position]], others])
                user, mine[group] = plain_step(user, mine[group], c.loss == "bpr", c.lr, item_lr, c.reg)
                touched.update(others.tolist())
        ids = np.array(sorted(touched), np.int64)
        return user, ids, mine[ids]

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        vectors = np.array(private["user"], np.float32)
        items = np.ascontiguousarray(shared["items"], np.float32)
        clipped = factor_round(
            items, vectors, users, key.users(users.users), self.local,
            (self.config.clip, self.config.row_clip), total.ring, total.quantum["items"],
        )  # fmt: skip
        total.note(users.n_users, clipped)
        return {"user": vectors}

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        share = np.maximum(total["rows"], 1)[:, None] if self.config.weighting == "rows" else max(total.users, 1)
        state = {name.removeprefix(STATE): a for name, a in shared.items() if name.startswith(STATE)}
        step, state = self.optimiser.update(total["items"] / share, state)
        items = (shared["items"] + step).astype(np.float32)
        if not np.isfinite(items).all():
            raise ContractError("the item table is not finite: training diverged, lower lr, item_lr or server_lr")
        return {"items": items, **{STATE + name: a for name, a in state.items()}}

    def adapt(self, shared: Arrays, private: Arrays, history: History, rng: Rng) -> Arrays:
        """Fold the user in: train the user's vector on the history with the item table frozen."""
        items = np.asarray(shared["items"], np.float32)
        user, _, _ = self._train(items, private, history, rng, self.config.fold_in, 0.0)
        return {"user": user}

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        return np.asarray(shared["items"] @ private["user"], np.float32)

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        items = np.ascontiguousarray(shared["items"], np.float32)
        vectors = np.array(private["user"], np.float32)
        local = self.local_fold()
        ring = np.int32 if self.config.bits == 32 else np.int64
        fold_in(items, vectors, users, key.users(users.users), local, ring)
        with one_blas_thread():
            return np.asarray(vectors @ items.T, np.float32)

    def local_fold(self) -> Local:
        """Return the settings of fold-in."""
        c = self.config
        return Local(c.fold_in, c.negatives, c.loss == "bpr", c.shuffle, c.lr, 0.0, c.reg)

    def alone_scores(
        self, catalog: Catalog, train: Interactions, histories: Interactions, seed: int, rounds: int
    ) -> Scores:
        """Return the scores of every user with federation off: see fedrec.experiment.alone."""
        c, items = self.config, np.asarray(self.shared(catalog, seed)["items"], np.float32)
        server = (c.server, c.server_lr, c.server_epsilon)
        bounds = (c.clip, c.row_clip)
        return factors_alone(items, train, histories, seed, rounds, self.local, self.local_fold(), bounds, server)
