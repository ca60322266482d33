"""Laws about machines: 3 engine-free, 6 deterministic."""

from __future__ import annotations

import random

import numpy as np

from fedrec.contract import Key
from fedrec.kernels import lanes
from fedrec.server.rounds import State, schedule, train
from fedrec.testing.base import Laws
from fedrec.testing.subject import Subject, as_bytes, difference, from_bytes, run
from fedrec.testing.wire import WireRuntime


class EngineLaws(Laws):
    """The model does not depend on where and how it was computed."""

    def test_law_3_engine_free_chunks_and_threads(self) -> None:
        """Chunks of 1, 7 and all users in 1, 2 and 3 threads give the same bytes."""
        subject = self.subject()
        expected = _bytes(subject)
        try:
            for chunk, threads in ((1, 1), (7, 2), (subject.users.n_users, 3)):
                lanes.set_threads(threads)
                assert _bytes(subject, chunk) == expected, f"chunks of {chunk} users in {threads} threads"
        finally:
            lanes.set_threads(0)

    def test_law_3_engine_free_wire(self) -> None:
        """Devices that exchange messages give the local model: the same bytes where the two paths are."""
        subject = self.subject()
        runtime = WireRuntime(subject.algorithm, subject.catalog, subject.users, subject.seed)
        over_the_wire = run(subject, runtime)
        local = subject.trained()[0]
        if self.sum_tolerance == 0:
            assert as_bytes(over_the_wire.shared) == as_bytes(local.shared)
        assert difference(local.shared, over_the_wire.shared) <= max(1e-6, self.sum_tolerance)

    def test_law_6_a_resumed_run_is_an_uninterrupted_one(self) -> None:
        """Stopped after any round, written to bytes, read back and gone on with: the same bytes."""
        subject = self.subject()
        expected = _bytes(subject)
        rounds = len(schedule(subject.algorithm.plan(subject.catalog)))
        for stop in sorted({1, rounds // 2, rounds - 1}):
            if 0 < stop < rounds:
                assert _resumed(subject, stop) == expected, f"stopped after round {stop} of {rounds}"

    def test_law_6_no_global_randomness(self) -> None:
        """Nothing reads or moves the global generators of NumPy and Python."""
        subject = self.subject()
        expected = _bytes(subject)
        kept, kept_python = np.random.get_state(), random.getstate()  # noqa: NPY002  (the global state is the point)
        try:
            for seed in (0, 1):
                np.random.seed(seed)  # noqa: NPY002
                random.seed(seed)
                before, before_python = repr(np.random.get_state()), random.getstate()  # noqa: NPY002
                assert _bytes(subject) == expected, "the result depends on a global generator"
                after, after_python = repr(np.random.get_state()), random.getstate()  # noqa: NPY002
                assert after == before, "numpy's global generator was moved"
                assert after_python == before_python, "Python's global generator was moved"
        finally:
            np.random.set_state(kept)  # noqa: NPY002
            random.setstate(kept_python)

    def test_law_6_the_seed_decides_where_the_algorithm_says_so(self) -> None:
        """Another seed changes the model of a ``random`` algorithm, and of no other."""
        subject = self.subject()
        other = Subject(subject.algorithm, subject.users, subject.seed + 1)
        assert (_bytes(other) != _bytes(subject)) == subject.algorithm.random

    def test_law_6_users_have_streams_of_their_own(self) -> None:
        """Private state that is drawn at random differs between any two users, and is the same when drawn again."""
        subject = self.subject()
        users = np.arange(50, dtype=np.int64)
        key = Key(subject.seed, 0, "private")
        first = subject.algorithm.cohort_private(users, key, subject.catalog)
        again = subject.algorithm.cohort_private(users[::-1].copy(), key, subject.catalog)
        for name, array in first.items():
            np.testing.assert_array_equal(array, again[name][::-1])
            drawn = np.ptp(array.reshape(len(users), -1), axis=0).any() if array.size else False
            if drawn:
                assert len({row.tobytes() for row in array}) == len(users), f"two users share {name!r}"


def _bytes(subject: Subject, chunk: int | None = None) -> bytes:
    runtime = subject.runtime() if chunk is None else subject.runtime(chunk=chunk)
    state = run(subject, runtime)
    return as_bytes(state.shared) + as_bytes(runtime.private)


def _resumed(subject: Subject, stop: int) -> bytes:
    subject = subject.again()
    runtime = subject.runtime()
    state: State | None = None
    for step in train(subject.algorithm, subject.catalog, runtime, subject.seed):
        state = step.after
        if state.round == stop:
            break
    assert state is not None
    saved, kept = as_bytes(state.shared), as_bytes(runtime.private)
    subject = subject.again()  # another process: what the object remembered is gone
    later = subject.runtime()
    later.private = from_bytes(kept)
    last = run(subject, later, State(from_bytes(saved), stop))
    return as_bytes(last.shared) + as_bytes(later.private)
