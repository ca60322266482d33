"""Server optimisers as small pure steps that can be chained: (init, update), in the manner of optax.

The "gradient" of a round is the mean of the clients' differences, already pointing the way to go, so a step adds.
State is a plain dictionary of arrays: it travels with the shared state, is saved with it, and is never broadcast.
Source: Reddi et al., Adaptive Federated Optimization, ICLR 2021, algorithm 2 (FedAdagrad, FedAdam).
Differs from the paper: Adam's bias correction is applied (as in Kingma and Ba, 2015); Adagrad starts from zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = dict[str, NDArray[np.generic]]


class ServerStep(NamedTuple):
    """``init(shape) -> state``; ``update(difference, state) -> (difference, state)``; both pure."""

    init: Callable[[tuple[int, ...]], State]
    update: Callable[[Array, State], tuple[Array, State]]


def scale(rate: float) -> ServerStep:
    """Multiply by a server learning rate."""
    return ServerStep(lambda shape: {}, lambda difference, state: (difference * rate, state))


def adagrad(epsilon: float) -> ServerStep:
    """Divide by the root of the sum of squares so far, entry by entry."""

    def update(difference: Array, state: State) -> tuple[Array, State]:
        squares = np.asarray(state["squares"], np.float64) + np.square(difference)
        return difference / (np.sqrt(squares) + epsilon), {"squares": squares.astype(np.float32)}

    return ServerStep(lambda shape: {"squares": np.zeros(shape, np.float32)}, update)


def adam(first: float, second: float, epsilon: float) -> ServerStep:
    """Divide a running mean by the root of a running mean of squares, both corrected for their start at zero."""

    def init(shape: tuple[int, ...]) -> State:
        return {
            "mean": np.zeros(shape, np.float32),
            "squares": np.zeros(shape, np.float32),
            "steps": np.zeros(1, np.int64),
        }

    def update(difference: Array, state: State) -> tuple[Array, State]:
        mean = first * np.asarray(state["mean"], np.float64) + (1.0 - first) * difference
        squares = second * np.asarray(state["squares"], np.float64) + (1.0 - second) * np.square(difference)
        steps = np.asarray(state["steps"], np.int64) + 1
        root = np.sqrt(squares / (1.0 - second ** int(steps[0]))) + epsilon
        moved = mean / (1.0 - first ** int(steps[0])) / root
        return moved, {"mean": mean.astype(np.float32), "squares": squares.astype(np.float32), "steps": steps}

    return ServerStep(init, update)


def chain(*steps: ServerStep) -> ServerStep:
    """Run steps one after another; their states are kept apart by position."""

    def init(shape: tuple[int, ...]) -> State:
        return {f"{n}.{name}": array for n, step in enumerate(steps) for name, array in step.init(shape).items()}

    def update(difference: Array, state: State) -> tuple[Array, State]:
        after: State = {}
        for n, step in enumerate(steps):
            mine = {name.partition(".")[2]: a for name, a in state.items() if name.startswith(f"{n}.")}
            difference, mine = step.update(difference, mine)
            after |= {f"{n}.{name}": array for name, array in mine.items()}
        return difference, after

    return ServerStep(init, update)


OPTIMISERS = ("sgd", "adagrad", "adam")
FIRST, SECOND = 0.9, 0.99  # Reddi et al. 2021, section 5


def optimiser(name: str, rate: float, epsilon: float) -> ServerStep:
    """Return sgd, adagrad or adam with a learning rate."""
    if name == "adagrad":
        return chain(adagrad(epsilon), scale(rate))
    if name == "adam":
        return chain(adam(FIRST, SECOND, epsilon), scale(rate))
    return scale(rate)
