"""pfedrec: dual personalisation; a private score function, and item embeddings fine-tuned on the device."""

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
from fedrec.kernels.alone import linear_alone
from fedrec.kernels.draws import Draws
from fedrec.kernels.sgd_linear import LinearLocal, linear_round, linear_scores
from fedrec.kernels.sgd_step import bounded_rows

LINF = 2.0**24  # item learning rates of 10^4 make huge updates, and the published method knows no clip
FloatRows = NDArray[np.float32]


class Config(Settings):
    """Settings as in the published code."""

    dim: int = Field(32, ge=8, le=512, multiple_of=8, description="numbers in an item's embedding")
    rounds: int = Field(100, ge=1, description="rounds of training")
    epochs: int = Field(1, ge=1, description="passes of a client over its samples in one round")
    batch: int = Field(256, ge=1, description="samples in one step")
    negatives: int = Field(4, ge=1, description="local negatives drawn for each interaction, anew each round")
    lr: float = Field(0.1, gt=0, description="learning rate of the private linear layer")
    row_clip: float = Field(0.0, ge=0, description="L2 bound of one item's row of one user's update; 0: none")
    eta: float = Field(80.0, gt=0, description="item learning rate = lr * n_items * eta")
    scoring: Literal["own", "server"] = Field(
        "own", description="score with the item rows as the device fine-tunes them, or with the server's"
    )
    fold_in: int = Field(1, ge=0, description="epochs of the linear layer alone before scoring with the server's items")


class PFedRec(Algorithm):
    """score = w . q + b with a private (w, b); item embeddings q are shared by the mean and fine-tuned by each user."""

    name = "pfedrec"
    card = Card(
        "dual personalisation: private score function, fine-tuned items",
        "Zhang et al., Dual Personalization on Federated Recommendation, IJCAI 2023, and its published code",
        "Differs from the paper: clients are averaged uniformly (as the published code does; the paper weighs by "
        "|D_i|), and the private layer's bias is not uploaded (the published code averages it and uses it nowhere); "
        "each row of an update can be clipped.",
    )
    Config = Config
    random = True
    selects_round = True
    model = ("items", "layer")
    grid: ClassVar[dict[str, list[Any]]] = {}

    def plan(self, catalog: Catalog) -> tuple[Phase, ...]:
        bound = self.config.row_clip or None
        stats = {"items": Stat((catalog.n_items, self.config.dim), bound or LINF, bits=64, row=bound)}
        return (Phase("train", self.config.rounds, stats, ("items", "layer")),)

    def shared(self, catalog: Catalog, seed: int) -> Arrays:
        draw = Key(seed, 0, "pfedrec").generator()
        bound = 1.0 / np.sqrt(self.config.dim)
        return {
            "items": draw.normal(size=(catalog.n_items, self.config.dim)).astype(np.float32),
            "layer": draw.uniform(-bound, bound, self.config.dim + 1).astype(np.float32),  # where everybody starts
        }

    def private(self, rng: Rng, catalog: Catalog) -> Arrays:
        """Return how far the user's layer has moved from the common start."""
        return {"layer": np.zeros(self.config.dim + 1, np.float32)}

    def cohort_private(self, users: NDArray[np.int64], key: Key, catalog: Catalog) -> Arrays:
        return {"layer": np.zeros((len(users), self.config.dim + 1), np.float32)}

    def local(self, n_items: int, epochs: int, items: bool = True) -> LinearLocal:
        """Return what the kernels need to know of one client's training."""
        c = self.config
        return LinearLocal(epochs, c.negatives, c.batch, c.lr, c.lr * n_items * c.eta if items else 0.0)

    def client_update(
        self, phase: Phase, shared: Arrays, private: Arrays, history: History, rng: Rng
    ) -> tuple[Update, Arrays]:
        items = np.asarray(shared["items"], np.float32)
        layer = np.asarray(shared["layer"] + private["layer"], np.float32)
        touched, rows, trained = train_client(items, layer, history, rng, self.local(len(items), self.config.epochs))
        return {"items": Part(bounded_rows(rows - items[touched], self.config.row_clip), (touched,))}, {
            "layer": trained - shared["layer"]
        }

    def cohort_update(
        self, phase: Phase, shared: Arrays, private: Arrays, users: Interactions, key: Key, total: UpdateSum
    ) -> Arrays:
        items = np.ascontiguousarray(shared["items"], np.float32)
        layers = np.asarray(shared["layer"] + private["layer"], np.float32)
        linear_round(
            items, layers, users, key.users(users.users), self.local(len(items), self.config.epochs),
            total.ring["items"], total.quantum["items"], phase.stats["items"].linf, self.config.row_clip,
        )  # fmt: skip
        total.note(users.n_users)
        return {"layer": layers - shared["layer"]}

    def server_update(self, phase: Phase, shared: Arrays, total: Total, round: int) -> Arrays:
        items = (shared["items"] + total["items"] / max(total.users, 1)).astype(np.float32)
        if not np.isfinite(items).all():
            raise ContractError("the item table is not finite: training diverged, lower lr or eta")
        return {"items": items, "layer": shared["layer"]}

    def adapt(self, shared: Arrays, private: Arrays, history: History, rng: Rng) -> Arrays:
        """Train on the device from the broadcast: the linear layer, and with ``scoring="own"`` the touched rows too.

        With a round's broadcast, the private state before it and the round's own key the result is what
        ``client_update`` trained in that round: (layer, ids of the touched rows, these rows).
        """
        items = np.asarray(shared["items"], np.float32)
        layer = np.asarray(shared["layer"] + private["layer"], np.float32)
        touched, rows, trained = train_client(items, layer, history, rng, self._adapting(len(items)))
        return {"layer": trained - shared["layer"], "touched": touched, "rows": rows}

    def _adapting(self, n_items: int) -> LinearLocal:
        own = self.config.scoring == "own"
        return self.local(n_items, self.config.epochs if own else self.config.fold_in, items=own)

    def score(self, shared: Arrays, private: Arrays, history: History) -> Scores:
        layer = shared["layer"] + private["layer"]
        scores = np.asarray(shared["items"] @ layer[:-1] + layer[-1], np.float32)
        if "rows" in private:
            scores[private["touched"]] = private["rows"] @ layer[:-1] + layer[-1]
        return scores

    def cohort_scores(self, shared: Arrays, private: Arrays, users: Interactions, key: Key) -> Scores:
        items = np.ascontiguousarray(shared["items"], np.float32)
        layers = np.asarray(shared["layer"] + private["layer"], np.float32)
        return linear_scores(items, layers, users, key.users(users.users), self._adapting(len(items)), np.int64)

    def alone_scores(
        self, catalog: Catalog, train: Interactions, histories: Interactions, seed: int, rounds: int
    ) -> Scores:
        """Return the scores of every user with federation off: see fedrec.experiment.alone."""
        shared = self.shared(catalog, seed)
        items, layer = np.asarray(shared["items"], np.float32), np.asarray(shared["layer"], np.float32)
        local = self.local(len(items), self.config.epochs)
        last, bound = self._adapting(len(items)), self.config.row_clip
        return linear_alone(items, layer, train, histories, seed, rounds, local, last, bound)


def train_client(
    items: FloatRows, layer: FloatRows, history: History, rng: Rng, local: LinearLocal
) -> tuple[NDArray[np.int64], FloatRows, FloatRows]:
    """Return (ids of the touched rows, these rows, layer (d + 1,)) after one client's local training."""
    draws, mine, layer = Draws(rng.key), np.array(items, np.float32), layer.copy()
    touched = set(history.items.tolist())
    for _ in range(local.epochs):
        negatives = draws.negatives(history, len(items), local.negatives)
        samples = np.concatenate([history.items[:, None], negatives], axis=1).ravel()
        labels = np.zeros((len(history), 1 + negatives.shape[1]), np.float32)
        labels[:, 0] = 1.0
        order = draws.order(len(samples))
        samples, flat = samples[order], labels.ravel()[order]
        touched.update(samples.tolist())
        for first in range(0, len(samples), local.batch):
            batch, wanted = samples[first : first + local.batch], flat[first : first + local.batch]
            errors = bce_errors(mine[batch] @ layer[:-1] + layer[-1], wanted)
            layer -= np.float32(local.lr) * np.append(errors @ mine[batch], errors.sum())
            if local.item_lr:
                errors = bce_errors(mine[batch] @ layer[:-1] + layer[-1], wanted)
                np.subtract.at(mine, batch, np.float32(local.item_lr) * np.outer(errors, layer[:-1]))
    ids = np.array(sorted(touched), np.int64)
    return ids, mine[ids], layer


def bce_errors(logits: FloatRows, labels: FloatRows) -> FloatRows:
    """Return d loss / d logit of the mean cross entropy of sigmoids, saturating as torch's BCELoss does."""
    with np.errstate(over="ignore"):
        p = np.float32(1.0) / (np.float32(1.0) + np.exp(-logits))
    slope = p * (np.float32(1.0) - p)
    error = (p - labels) / np.float32(len(logits))
    return np.asarray(np.where(slope >= 1e-12, error, error * (slope / np.float32(1e-12))), np.float32)
