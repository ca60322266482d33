"""How noise and masks join a round, broken one line at a time: the guard made for each defect must notice it."""

from math import sqrt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fedrec.contract import Catalog, FedrecError, Interactions, Key, Phase, Stat
from fedrec.privacy import mechanism, protection
from fedrec.privacy.accountant import gaussian_epsilon
from fedrec.privacy.noise import NoiseKey, tail
from fedrec.privacy.secure import DEMO
from fedrec.runtime import protected
from fedrec.runtime.secure import Members
from tests.privacy.mutants import load
from tests.privacy.round_mutations import MECHANISM, MUTATIONS, PROTECTED, PROTECTION
from tests.server.counting import Counting

REAL = SimpleNamespace(mechanism=mechanism, protection=protection, protected=protected)
WHERE = {MECHANISM: "mechanism", PROTECTION: "protection", PROTECTED: "protected"}
TARGET = mechanism.Target(4.0, 1e-5)
WIDE = Phase("p", 2, {"a": Stat((4000,), 1.0, 1.0), "b": Stat((4000,), 1.0, 1.0)})
SQUARE = Phase("p", 1, {"s": Stat((90, 90), 1.0, 1.0, symmetric=True)})


def made(m: Any, phase: Phase, fewest: int = 10, most: int = 20, **more: Any) -> Any:
    noise = m.mechanism.calibrate([phase], 100, TARGET, fewest, most)
    return m.protection.Protection(fewest, 17, noise, "simulated", DEMO, key=NoiseKey(bytes(32)), **more)


def share(m: Any, guard: Any, phase: Phase, clients: int = 15, context: bytes = b"x") -> Any:
    vector = np.zeros(sum(s.numbers for s in phase.stats.values()), np.int32)
    guard.add_share(phase, vector, clients, context)
    return vector.astype(np.float64)


def near(found: float, expected: float, within: float = 0.12) -> None:
    assert abs(found / expected - 1) < within


def guard_shares_have_the_calibrated_variance(m: Any) -> None:
    guard = made(m, WIDE)
    for clients in (1, 10, 15):
        near(share(m, guard, WIDE, clients).var(), guard.mechanism.noise["p"]["a"].variance * clients / 10)


def guard_a_symmetric_statistic_has_half_beside_its_diagonal(m: Any) -> None:
    guard = made(m, SQUARE)
    rows, columns = np.triu_indices(90)
    drawn = [share(m, guard, SQUARE, 10, bytes([k])) for k in range(30)]
    variance = guard.mechanism.noise["p"]["s"].variance
    near(np.concatenate([d[rows == columns] for d in drawn]).var(), variance)
    near(np.concatenate([d[rows != columns] for d in drawn]).var(), variance / 2)


def guard_noise_is_fresh_for_each_purpose(m: Any) -> None:
    guard = made(m, WIDE)
    one, two = share(m, guard, WIDE), share(m, guard, WIDE, context=b"y")
    halves = [one[:4000], one[4000:], two[:4000], two[4000:]]
    assert np.abs(np.corrcoef(halves)[np.triu_indices(4, 1)]).max() < 0.1


def guard_the_total_tells_what_was_expected(m: Any) -> None:
    guard = made(m, WIDE)
    vector = np.arange(8000, dtype=np.int32)
    total = guard.decode(WIDE, vector, 100, 13, 15)
    assert total.users == 17
    step = guard.mechanism.noise["p"]["b"].quantum
    assert np.allclose(total["b"], vector[4000:] * step)
    near(total.sigma("b"), step * sqrt(guard.mechanism.noise["p"]["b"].variance * 1.5), 1e-6)


def round_of(m: Any, guard: Any, shown: np.ndarray | None = None, members: Any = None, clients: int = 15) -> Any:
    sums = SimpleNamespace(vector=lambda: np.zeros(8000, np.int32) if shown is None else shown.copy())
    some = np.arange(clients)
    asked = m.protected.Request(WIDE, bytes(32), some, some, Key(0), "a round", "a statistic")
    return m.protected.protected_sum(guard, members or Members(DEMO), asked, lambda _: (sums, {}))


def guard_a_release_is_written_down_first(m: Any) -> None:
    written: list[Any] = []
    guard = made(m, WIDE, spend=lambda name, releases: written.append((name, releases)))
    round_of(m, guard)
    assert [(name, len(releases)) for name, releases in written] == [("a round", 2)]


def guard_the_sum_that_is_shown_has_noise(m: Any) -> None:
    guard = made(m, WIDE)
    near(round_of(m, guard).vector.astype(float).var(), guard.mechanism.noise["p"]["a"].variance * 1.5)


def guard_subtraction_is_refused(m: Any) -> None:
    guard, members = m.protection.Protection(7, 17, None, "simulated", DEMO), Members(DEMO)
    round_of(m, guard, members=members)
    with pytest.raises(FedrecError, match="differs by 1"):
        round_of(m, guard, members=members, clients=14)


def guard_names_tell_rounds_apart(m: Any) -> None:
    users, algorithm = Interactions.from_lists(4, [[0], [1]]), Counting()
    assert users.n_users == 2
    phase = algorithm.plan(Catalog(4, 4))[0]

    def name(**other: Any) -> str:
        guard = made(m, WIDE)
        guard.key = other.get("key", guard.key)
        guard.label = other.get("label", "train")
        some = np.array(other.get("clients", [0, 1]))
        sent = {"level": np.array(other.get("level", 1.0))}
        asked = m.protected.request(
            other.get("algorithm", algorithm), guard, phase, sent, (some, some),
            Key(other.get("seed", 0), other.get("round", 0)), other.get("data", b"d"),
        )  # fmt: skip
        return str(asked.name)

    from fedrec.algorithms.ease import Ease

    names = [name(), name(data=b"e"), name(clients=[0, 2]), name(key=NoiseKey(bytes(31) + b"1")), name(level=2.0)]
    names += [name(seed=1), name(round=1), name(label="final"), name(algorithm=Ease()), name(algorithm=Ease(reg=7.0))]
    assert len(set(names)) == len(names)
    assert name() == names[0]


def mu_of(guard: Any, phase: Phase) -> float:
    """The whole plan's mu by hand: declared norms over the noise of the fewest clients."""
    squares = 0.0
    for name, stat in phase.stats.items():
        noise = guard.noise[phase.name][name]
        squares += phase.rounds * (stat.l2 or phase.clip or 0.0) ** 2 / (noise.variance * noise.quantum**2)
    return sqrt(squares)


def guard_the_plan_costs_what_was_asked(m: Any) -> None:
    phase = Phase("p", 5, {"a": Stat((40,), 1.0, 1.0), "b": Stat((40,), 2.0, 2.0, share=0.3)})
    found = m.mechanism.calibrate([phase], 100, TARGET, 10, 20)
    near(gaussian_epsilon(mu_of(found, phase), 1e-5), 4.0, 0.01)
    near(found.cost.epsilon, 4.0, 0.01)


def guard_memberships_are_charged(m: Any) -> None:
    phase = Phase("p", 1, {"a": Stat((40,), 1.0, 1.0)})
    found = m.mechanism.calibrate([phase], 100, m.mechanism.Target(4.0, 1e-5, 3), 10, 20)
    near(gaussian_epsilon(3 * mu_of(found, phase), 1e-5), 4.0, 0.01)
    near(found.cost.epsilon, 4.0, 0.01)


def guard_rounding_is_charged(m: Any) -> None:
    found = m.mechanism.calibrate([Phase("p", 1, {"a": Stat((900, 900), 1.0, 1.0)})], 1000, TARGET, 1000, 1000)
    noise = found.noise["p"]["a"]
    assert noise.sensitivity >= 1.0 / noise.quantum + 450 * 0.999


def guard_noise_has_room(m: Any) -> None:
    found = m.mechanism.calibrate([Phase("p", 50, {"a": Stat((40,), 1.0, 1.0)})], 4, TARGET, 4, 4)
    noise = found.noise["p"]["a"]
    assert 4 / noise.quantum + tail(noise.variance, 40) < 2**31


def guard_sensitivity_is_the_declared_norm(m: Any) -> None:
    found = m.mechanism.calibrate([Phase("p", 1, {"a": Stat((40,), 1.0, 5.0)})], 100, TARGET, 10, 20)
    near(found.noise["p"]["a"].sensitivity * found.noise["p"]["a"].quantum, 5.0, 0.01)


def guard_one_clip_is_one_release(m: Any) -> None:
    phase = Phase("p", 1, {"a": Stat((40,), 1.0), "b": Stat((40,), 1.0)}, (), 1.0)
    found = m.mechanism.calibrate([phase], 100, TARGET, 10, 20)
    assert len(found.releases["p"]) == 1
    near(found.noise["p"]["a"].sensitivity * found.noise["p"]["a"].quantum, 1.0, 0.01)


GUARDS = {name: f for name, f in globals().items() if name.startswith("guard_")}


@pytest.mark.parametrize("guard", GUARDS)
def test_the_real_modules_keep(guard: str) -> None:
    GUARDS[guard](REAL)


@pytest.mark.parametrize(
    ("file", "text", "replacement", "guard"), [m[1:] for m in MUTATIONS], ids=[m[0] for m in MUTATIONS]
)
def test_a_broken_round_is_noticed(file: str, text: str, replacement: str, guard: str) -> None:
    broken = SimpleNamespace(**(vars(REAL) | {WHERE[file]: load(file, text, replacement)}))
    with pytest.raises((AssertionError, FedrecError, pytest.fail.Exception)):
        GUARDS[guard](broken)


def test_every_guard_has_a_mutation() -> None:
    assert set(GUARDS) == {m[4] for m in MUTATIONS}
