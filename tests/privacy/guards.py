"""What guards the sum, as functions of an implementation, so that a broken one can be shown to fail them.

``Parts`` bundles the classes under test: the real ones, or mutants made from their source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Parts:
    """Stat, Phase, Part of the contract and RingSum of the pipeline, real or mutated."""

    Stat: Any
    Phase: Any
    Part: Any
    RingSum: Any

    def sum(self, stats: dict[str, Any], capacity: int, clip: float | None = None) -> Any:
        return self.RingSum(self.Phase("p", 1, stats, (), clip), capacity)

    def whole(self, *values: float) -> Any:
        return self.Part(np.array(values))


def must_refuse(call: Callable[[], Any], word: str) -> None:
    """Fail unless ``call`` raises an error of fedrec's own whose message has ``word``."""
    refusal: Exception | None = None
    try:
        call()
    except Exception as error:
        refusal = error
    assert type(refusal).__name__ in ("ContractError", "UpdateError"), (
        f"expected a refusal with {word!r}, got {refusal!r}"
    )
    assert word in str(refusal)


def guard_clip_scales_the_whole_update(p: Parts) -> None:
    # |(3, 4)| = 5 over two statistics; the bound 1 leaves (0.6, 0.8)
    total = p.sum({"a": p.Stat((1,), 10.0), "b": p.Stat((1,), 10.0)}, 4, clip=1.0)
    total.add({"a": p.whole(3.0), "b": p.whole(4.0)})
    decoded = total.decode()
    assert abs(decoded["a"][0] - 0.6) < 1e-6
    assert abs(decoded["b"][0] - 0.8) < 1e-6
    assert total.clipped == 1


def guard_clip_leaves_small_updates_alone(p: Parts) -> None:
    total = p.sum({"a": p.Stat((2,), 10.0)}, 4, clip=1.0)
    total.add({"a": p.whole(0.25, -0.5)})
    assert total.decode()["a"].tolist() == [0.25, -0.5]
    assert total.clipped == 0


def guard_a_statistic_with_a_norm_of_its_own_keeps_it(p: Parts) -> None:
    stats = {"a": p.Stat((2,), 10.0, 2.0), "b": p.Stat((1,), 10.0)}
    total = p.sum(stats, 4, clip=1.0)
    total.add({"a": p.whole(3.0, 4.0), "b": p.whole(0.5)})  # the clip is over b alone, a keeps to |a| <= 2
    assert np.abs(total.decode()["a"] - [1.2, 1.6]).max() < 1e-6
    assert total.decode()["b"].tolist() == [0.5]
    inside = p.sum(stats, 4, clip=1.0)
    inside.add({"a": p.whole(1.5, 1.0), "b": p.whole(-0.5)})
    assert inside.decode()["a"].tolist() == [1.5, 1.0]
    rounded = p.sum({"a": p.Stat((3,), 1.0, float(np.sqrt(3.0)), bits=64)}, 4)
    rounded.add({"a": p.whole(1.0, 1.0, 1.0)})  # sqrt(3)^2 < 3 in floating point
    assert rounded.decode()["a"].tolist() == [1.0, 1.0, 1.0]


def guard_entries_saturate(p: Parts) -> None:
    total = p.sum({"a": p.Stat((3,), 1.0)}, 4)
    total.add({"a": p.whole(10.0, -10.0, 0.5)})
    assert total.decode()["a"].tolist() == [1.0, -1.0, 0.5]
    assert total.saturated == 2


def guard_rounding_is_to_the_nearest_step(p: Parts) -> None:
    stats = {"a": p.Stat((4,), 1.0)}
    quantum = stats["a"].quantum(4)
    total = p.sum(stats, 4)
    total.add({"a": p.whole(0.75 * quantum, 0.25 * quantum, -0.75 * quantum, -0.25 * quantum)})
    assert total.ring["a"].tolist() == [1, 0, -1, 0]


def guard_everybody_at_the_bound_fits(p: Parts) -> None:
    for bits, linf in ((32, 1.0), (32, 1000.0), (64, 1000.0)):
        for sign in (1.0, -1.0):
            total = p.sum({"a": p.Stat((1,), linf, bits=bits)}, 1000)
            for _ in range(1000):
                total.add({"a": p.whole(sign * linf)})
            assert total.decode()["a"][0] == sign * 1000 * linf, f"{bits} bits overflowed"


def guard_nobody_more_than_the_head_room(p: Parts) -> None:
    total = p.sum({"a": p.Stat((1,), 1.0)}, 2)
    for _ in range(2):
        total.add({"a": p.whole(1.0)})
    must_refuse(lambda: total.add({"a": p.whole(1.0)}), "head-room for 2")


def guard_counts_that_cannot_fit_are_refused(p: Parts) -> None:
    must_refuse(lambda: p.sum({"a": p.Stat((1,), 4096.0, counts=True)}, 2**20), "head-room")
    assert p.sum({"a": p.Stat((1,), 4096.0, counts=True, bits=64)}, 2**20).quantum["a"] == 1.0


def guard_only_the_rows_of_the_client_change(p: Parts) -> None:
    total = p.sum({"a": p.Stat((4, 3), 10.0)}, 4)
    total.add({"a": p.Part(np.array([[1.0, 2.0], [3.0, 4.0]]), (np.array([3, 1]), np.array([0, 2])))})
    assert total.decode()["a"].tolist() == [[0, 0, 0], [3, 0, 4], [0, 0, 0], [1, 0, 2]]
    rows = p.sum({"a": p.Stat((3, 2), 10.0)}, 4)
    rows.add({"a": p.Part(np.array([[5.0, 6.0]]), (np.array([1]),))})
    assert rows.decode()["a"].tolist() == [[0, 0], [5, 6], [0, 0]]


def guard_the_ring_has_its_declared_width(p: Parts) -> None:
    total = p.sum({"a": p.Stat((1,), 1.0), "b": p.Stat((1,), 1.0, bits=64)}, 2**20)
    assert total.ring["a"].dtype == np.int32
    assert total.ring["b"].dtype == np.int64
    tiny = 2.0**-30  # far below a step of 32 bits with this head-room, far above one of 64
    total.add({"a": p.whole(tiny), "b": p.whole(tiny)})
    assert total.decode()["a"][0] == 0.0
    assert total.decode()["b"][0] == tiny


def guard_adding_sums_is_adding_users(p: Parts) -> None:
    stats = {"a": p.Stat((2,), 1.0)}
    one, left, right = p.sum(stats, 4, 0.5), p.sum(stats, 4, 0.5), p.sum(stats, 4, 0.5)
    for k, half in enumerate((left, left, right)):
        update = {"a": p.whole(0.4 * k, -0.35)}
        one.add(update)
        half.add(update)
    left.merge(right)
    assert left.ring["a"].tolist() == one.ring["a"].tolist()
    assert (left.users, left.clipped, left.saturated) == (one.users, one.clipped, one.saturated) == (3, 2, 0)


def guard_decoding_gives_numbers_back(p: Parts) -> None:
    total = p.sum({"a": p.Stat((1,), 4.0), "n": p.Stat((1,), 1.0, counts=True)}, 8)
    for _ in range(3):
        total.add({"a": p.whole(1.5), "n": p.whole(1.0)})
    decoded = total.decode()
    assert decoded["a"][0] == 4.5
    assert decoded["n"][0] == 3
    assert decoded["n"].dtype == np.int64
    assert decoded.users == 3


def guard_what_is_not_a_number_is_refused(p: Parts) -> None:
    for clip in (None, 1.0):
        for bad in (np.nan, np.inf, -np.inf):
            total = p.sum({"a": p.Stat((2,), 1.0)}, 4, clip)
            must_refuse(lambda total=total, bad=bad: total.add({"a": p.whole(0.5, bad)}), "not finite")
            assert not total.ring["a"].any()


def guard_huge_values_are_bounded_too(p: Parts) -> None:
    total = p.sum({"a": p.Stat((2,), 1.0)}, 4, clip=1.0)
    total.add({"a": p.whole(1e200, 1e200)})
    assert np.linalg.norm(total.decode()["a"]) <= 1.0 + 1e-6


def guard_names_must_be_the_plans(p: Parts) -> None:
    stats = {"a": p.Stat((1,), 1.0), "b": p.Stat((1,), 1.0)}
    must_refuse(lambda: p.sum(stats, 4).add({"a": p.whole(1.0)}), "declares")
    must_refuse(lambda: p.sum(stats, 4).add({x: p.whole(1.0) for x in "abc"}), "declares")


GUARDS: dict[str, Callable[[Parts], None]] = {n: f for n, f in globals().items() if n.startswith("guard_")}
