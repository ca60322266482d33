"""fedmf and pfedrec rounds on ML-1M against their roof and against one torch client at a time, in one run.

    python benchmarks/speed_rounds.py [FOLDER OF ML-1M]      about 3 minutes; needs torch (extra test)

CPU seconds after compilation, one thread, minimum of several repeats taken in turns, so that all figures of a ratio
come from the same minutes. Roof: the time this machine needs to move each sample's rows at the rates measured here
for random rows of a table of the same size: fedmf reads a row twice and adds to a row twice a sample (table -> copy,
step on the copy, difference to the table, sum), pfedrec reads it three times (two forward passes).
The torch loops train every STRIDE-th client and are scaled by samples: "published" is written as the published
training loops are (deep copy of the model, DataLoader, batches of 256, one optimiser an embedding, dense gradients);
"lean" is the same without DataLoader and deep copy. Drawing negatives is left out of torch's time and in ours.
Targets: at most 4 x the roof, at least 60 x less CPU than one torch client at a time.
Writes benchmarks/results/speed_rounds.json.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from fedrec import data as data_layer
from fedrec.algorithms.fedmf import FedMF
from fedrec.algorithms.pfedrec import PFedRec
from fedrec.contract import Algorithm, Catalog, Interactions, Key, Rng
from fedrec.data.protocols import apply
from fedrec.experiment.machine import environment
from fedrec.kernels import lanes
from fedrec.kernels.draws import Draws
from fedrec.kernels.vectors import axpy, dot, width_of
from fedrec.privacy import RingSum

RESULT = Path(__file__).parent / "results" / "speed_rounds.json"
DIM, NEGATIVES, BATCH, REPEATS, STRIDE, TOUCHES = 32, 4, 256, 9, 10, 2_000_000


def cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


@numba.njit(nogil=True)
def read_rows(table, ids, x, width):
    total = np.float32(0.0)
    for i in ids:
        total += dot(table, i * 32, x, 0, width)
    return total


@numba.njit(nogil=True)
def add_rows(table, ids, x, width):
    for i in ids:
        axpy(table, i * 32, np.float32(1.0), x, 0, width)


def limits(n_items: int) -> dict[str, Callable[[], object]]:
    """Return the two measurements of the machine: TOUCHES random rows read, and added to."""
    ids = np.random.Generator(np.random.Philox(key=1)).integers(0, n_items, TOUCHES)
    table, x, width = np.zeros(n_items * DIM, np.float32), np.ones(DIM, np.float32), width_of(DIM)
    return {
        "read": lambda: read_rows(table, ids, x, width),
        "add": lambda: add_rows(table, ids, x, width),
    }


def one_round(algorithm: Algorithm, catalog: Catalog, users: Interactions) -> Callable[[], object]:
    phase, shared = algorithm.plan(catalog)[0], algorithm.shared(catalog, 0)
    private = algorithm.cohort_private(users.users, Key(0), catalog)
    total = RingSum(phase, 10**6)
    return lambda: algorithm.cohort_update(phase, shared, private, users, Key(0, 1, "update"), total)


def samples_of(users: Interactions, row: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one client's items and labels, drawn as our clients draw them."""
    history = users.history(row)
    negatives = Draws(Rng(row + 1).key).negatives(history, users.n_items, NEGATIVES)
    items = np.concatenate([history.items[:, None], negatives], axis=1)
    labels = np.zeros(items.shape, np.float32)
    labels[:, 0] = 1.0
    return torch.from_numpy(items.ravel().astype(np.int64)), torch.from_numpy(labels.ravel())


class Factors(torch.nn.Module):
    """FedMF's client: one user vector, all items."""

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self.private = torch.nn.Embedding(1, DIM)
        self.items = torch.nn.Embedding(n_items, DIM)

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid((self.items(items) * self.private.weight).sum(1))


class Linear(torch.nn.Module):
    """PFedRec's client: one linear layer, all items."""

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self.private = torch.nn.Linear(DIM, 1)
        self.items = torch.nn.Embedding(n_items, DIM)

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.private(self.items(items)).squeeze(1))


def torch_client(model: torch.nn.Module, batches: Any, item_lr: float, two_steps: bool) -> None:
    """Train one client: one step on both parts a batch, or (PFedRec) first the private part, then the items."""
    mine = torch.optim.SGD(model.private.parameters(), lr=0.1)
    items = torch.optim.SGD(model.items.parameters(), lr=item_lr)
    loss = torch.nn.BCELoss()
    for ids, labels in batches:
        for optimisers in ((mine,), (items,)) if two_steps else ((mine, items),):
            model.zero_grad()
            loss(model(ids), labels).backward()
            for optimiser in optimisers:
                optimiser.step()


def torch_round(
    make: type[torch.nn.Module], users: Interactions, rows: range, drawn: dict[int, Any], two_steps: bool, lean: bool
) -> None:
    """One client at a time; the sum of the differences is kept."""
    server = make(users.n_items)
    start = server.items.weight.detach().clone()
    total = torch.zeros_like(start)
    model = make(users.n_items)
    for row in rows:
        items, labels = drawn[row]
        if lean:
            with torch.no_grad():
                model.items.weight.copy_(start)
            order = torch.randperm(len(items))
            parts = order.split(BATCH)
            batches: Any = [(items[p], labels[p]) for p in parts]
        else:
            model = copy.deepcopy(server)
            batches = DataLoader(TensorDataset(items, labels), batch_size=BATCH, shuffle=True)
        torch_client(model, batches, 1.0, two_steps)
        total += model.items.weight.detach() - start


def best_of(jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least CPU seconds of each job, the jobs taken in turns."""
    for job in jobs.values():
        job()  # compiles
    times = {name: [] for name in jobs}
    for _ in range(REPEATS):
        for name, job in jobs.items():
            times[name].append(cpu(job))
    return {name: min(t) for name, t in times.items()}


def main(folder: str) -> None:
    torch.set_num_threads(1)
    lanes.set_threads(1)
    dataset = data_layer.load(folder)
    users = apply("leave-last-out", dataset).train
    catalog = Catalog(users.n_items, users.n_users)
    algorithms = {"fedmf": FedMF(dim=DIM, negatives=NEGATIVES), "pfedrec": PFedRec(dim=DIM, negatives=NEGATIVES)}
    ours = best_of({**limits(users.n_items), **{n: one_round(a, catalog, users) for n, a in algorithms.items()}})
    read, add = ours["read"] / TOUCHES, ours["add"] / TOUCHES
    samples = users.n_interactions * (1 + NEGATIVES)
    roof = {"fedmf": samples * (2 * read + 2 * add), "pfedrec": samples * (3 * read + 2 * add)}
    rows = range(0, users.n_users, STRIDE)
    drawn = {row: samples_of(users, row) for row in rows}
    scale = samples / sum(len(items) for items, _ in drawn.values())
    out: dict[str, Any] = {}
    for name, make, two_steps in (("fedmf", Factors, False), ("pfedrec", Linear, True)):
        published, lean = (
            scale * cpu(lambda m=make, t=two_steps, k=k: torch_round(m, users, rows, drawn, t, k))
            for k in (False, True)
        )
        again = ours[name]
        out[name] = {
            "cpu seconds": again,
            "ns a sample": 1e9 * again / samples,
            "roof, cpu seconds": roof[name],
            "x roof": again / roof[name],
            "torch, published loop, cpu seconds": published,
            "torch, lean loop, cpu seconds": lean,
            "times less than the published loop": published / again,
            "times less than the lean loop": lean / again,
            "reached": bool(again <= 4 * roof[name] and published >= 60 * again),
        }
        print(name, json.dumps(out[name], indent=1), flush=True)
    result = {
        "command": "python benchmarks/speed_rounds.py",
        "data": {"name": dataset.name, "users": users.n_users, "items": users.n_items, "samples": samples},
        "machine": {"ns to read a random row": 1e9 * read, "ns to add to a random row": 1e9 * add},
        "torch clients": len(rows),
        "environment": environment(),
        "rounds": out,
    }
    print(json.dumps(result["machine"]))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/ml-1m")
