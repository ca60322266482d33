"""Threads: work is cut into ranges and each range runs in one thread that holds no Python lock.

Kernels are ``nogil`` functions of a range. That compiles faster than numba's own parallel loops, needs no threading
layer, and the number of threads can be set per call. Integer sums make every cut give the same bits.
BLAS runs with one thread throughout: its results may depend on its thread count, and two pools on the same cores
cost more than they bring.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

_threads = 0
LANE = "fedrec-lane"


def threads() -> int:
    """Return the number of threads kernels use: ``set_threads``, else FEDREC_THREADS, else the usable cores."""
    if _threads:
        return _threads
    asked = os.environ.get("FEDREC_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(count: int) -> None:
    """Set the number of threads (0: back to the default)."""
    global _threads  # noqa: PLW0603  (one setting of the process, like an environment variable)
    _threads = count


def even(n: int, parts: int) -> list[tuple[int, int]]:
    """Cut range(n) into at most ``parts`` non-empty ranges of nearly equal length."""
    edges = np.linspace(0, n, min(max(parts, 1), max(n, 1)) + 1).astype(int)
    return [(int(a), int(b)) for a, b in pairwise(edges) if b > a]


def balanced(offsets: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cut the rows of a CSR layout into ranges with nearly equal numbers of entries."""
    n = len(offsets) - 1
    weight = offsets[1:] - offsets[0] + np.arange(1, n + 1)
    total = int(weight[-1]) if n else 0
    edges = np.searchsorted(weight, np.linspace(0, total, parts + 1)[1:-1])
    cuts = [0, *[int(e) for e in edges], n]
    return [(a, b) for a, b in pairwise(cuts) if b > a]


def run(task: Callable[..., Any], ranges: list[tuple[int, int]]) -> list[Any]:
    """Call ``task(start, stop)`` for each range, in threads, and return the results in order."""
    count = threads()
    nested = threading.current_thread().name.startswith(LANE)  # a lane that waits for lanes would wait for ever
    if count == 1 or len(ranges) <= 1 or nested:
        return [task(a, b) for a, b in ranges]
    return list(_pool(count).map(lambda r: task(*r), ranges))


@lru_cache(maxsize=4)
def _pool(count: int) -> ThreadPoolExecutor:
    """Return the threads, kept between calls: starting them costs as much as a small kernel."""
    return ThreadPoolExecutor(count, thread_name_prefix=LANE)


@lru_cache(maxsize=1)
def _blas() -> Any:
    """Return the loaded BLAS libraries; looking for them takes a millisecond, so it is done once."""
    import scipy.linalg  # noqa: F401  (loads scipy's own BLAS, so that it is limited too)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread inside the block."""
    with _blas().limit(limits=1):
        yield
