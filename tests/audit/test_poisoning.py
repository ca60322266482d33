"""Fakes in a training: each attack runs, keeps to the bounds, promotes without them and not with them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fedrec import data
from fedrec.algorithms.registry import get
from fedrec.audit import poisoning_attacks as attacks
from fedrec.audit.poisoned import Poisoned
from fedrec.audit.poisoning import (
    ATTACKS,
    UNTARGETED,
    cold_targets,
    cost_to_promote,
    lines,
    poisoned,
    with_fakes,
)
from fedrec.audit.poisoning_attacks import Scene
from fedrec.audit.poisoning_bounds import filled
from fedrec.audit.poisoning_oracle import climbed, oracle_boost
from fedrec.contract import Algorithm, Catalog, Interactions, Key, Part, Phase, Stat, Update
from fedrec.data.protocols import apply
from fedrec.privacy import RingSum
from fedrec.runtime.local import LocalRuntime
from fedrec.server.rounds import train

DATA = data.load("synthetic:users=300,items=80,per_user=12,seed=3")
SPLIT = apply("leave-last-out", DATA)
TRAIN, TASK = SPLIT.final, SPLIT.test
assert TASK is not None
SMALL: dict[str, dict[str, Any]] = {
    "fedmf": {"dim": 8, "rounds": 8},
    "ease": {"user_power": 1.0, "reg": 5.0},
    "slist-lowrank": {"rank": 8},
    "popularity": {},
    "itemknn": {},
    "dpals": {"dim": 8, "rounds": 2, "item_frac": 1.0},
    "slist-private": {"rank": 8, "second_rank": 8},
}


def seen(name: str, fakes: int = 3, **settings: Any) -> list[Scene]:
    """Return what attackers see in every round of a training."""
    found: list[Scene] = []

    def spy(scene: Scene) -> list[Update]:
        found.append(scene)
        return attacks.nothing(scene)

    people = with_fakes(TRAIN, fakes)
    algorithm = Poisoned(get(name)(**(SMALL[name] | settings)), spy, people.users[TRAIN.n_users :], cold_targets(TRAIN))
    catalog = Catalog(people.n_items, people.n_users)
    for _ in train(algorithm, catalog, LocalRuntime(algorithm, catalog, people, 0), 0):
        pass
    return found


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_runs_in_every_round_and_keeps_to_the_declared_bounds(name: str, attack: str) -> None:
    for scene in seen(name):
        for update in ATTACKS[attack](scene):
            total = RingSum(scene.phase, 1)
            if attack == "NaN flood":
                assert not total.offer(0, update)
                assert not any(array.any() for array in total.ring.values())
                continue
            assert total.offer(0, update), total.refused
            assert total.saturated == 0, "an attack that is cut off wastes what it may send"
            together = []
            for stat, bound in scene.phase.stats.items():
                values = np.asarray(total.decode()[stat], np.float64)
                slack = total.quantum[stat] * np.sqrt(values.size)  # of rounding
                assert np.abs(values).max() <= bound.linf + slack
                if bound.l2 is not None:
                    assert np.linalg.norm(values) <= bound.l2 + slack
                else:
                    together.append(np.linalg.norm(values))
                if bound.row is not None:
                    assert np.linalg.norm(values, axis=1).max() <= bound.row * (1 + 1e-6) + slack
            if scene.phase.clip is not None:
                assert np.linalg.norm(together) <= scene.phase.clip * 1.01


@pytest.mark.parametrize("row", [0.0, 0.25])
def test_an_attack_on_rows_uses_its_whole_budget(row: float) -> None:
    scene = seen("fedmf", row_clip=row, clip=2.0)[-1]
    for attack in ("oracle boost", "explicit boost", "popular-alignment", "random-user"):
        for update in ATTACKS[attack](scene):
            norms = np.linalg.norm(update["items"].values, axis=1)
            if row:
                np.testing.assert_allclose(norms, row, rtol=1e-5)  # five rows are far from the clip of the whole
            else:
                assert np.linalg.norm(norms) == pytest.approx(2.0, rel=1e-5)


def test_what_a_bound_takes_the_other_entries_get() -> None:
    phase = Phase("p", 1, {"a": Stat((4,), 0.6, l2=1.0)})
    got = filled(phase, {"a": Part(np.array([100.0, 1.0, 1.0, 0.0]))})["a"].values
    assert got[0] == pytest.approx(0.6)
    assert np.linalg.norm(got) == pytest.approx(1.0)
    assert got[3] == 0.0


@pytest.mark.parametrize(("name", "stat"), [("fedmf", "items"), ("ease", "pairs"), ("popularity", "counts")])
@pytest.mark.parametrize("fakes", [1, 4, 9])
def test_k_colluding_fakes_move_a_statistic_by_k_times_its_bound_at_most(name: str, stat: str, fakes: int) -> None:
    """The law: the worst update reaches it, so it is tight, and nothing that can be sent goes beyond."""
    scene = seen(name, fakes)[-1]
    bound = scene.phase.stats[stat]
    most = bound.l2 if bound.l2 is not None else scene.phase.clip
    assert most is not None
    quiet, loud = RingSum(scene.phase, TRAIN.n_users + 9), RingSum(scene.phase, TRAIN.n_users + 9)
    worst = oracle_boost(scene)[0]
    for _ in range(fakes):
        loud.add(worst)
        loud_but_cut = {n: Part(np.asarray(p.values) * 1e6, p.index) for n, p in worst.items()}
        quiet.add(loud_but_cut)
    rounding = fakes * loud.quantum[stat] * np.sqrt(np.prod(bound.shape))
    for total in (loud, quiet):
        moved = float(np.linalg.norm(np.asarray(total.decode()[stat], np.float64)))
        assert moved <= fakes * most + rounding
    if not bound.counts:
        assert float(np.linalg.norm(loud.decode()[stat])) >= 0.999 * fakes * most - rounding


def test_without_a_bound_few_fakes_promote_and_with_it_they_do_not() -> None:
    loose = {"dim": 8, "rounds": 8, "clip": 1000.0, "bits": 64}
    alone = poisoned(get("fedmf")(**loose), TRAIN, TASK, None, 0)
    for attack in ("oracle boost", "explicit boost"):
        free = poisoned(get("fedmf")(**loose), TRAIN, TASK, ATTACKS[attack], 3, size=100.0)
        assert free.er > alone.er + 0.2, (attack, free.er, alone.er)
    bounded = get("fedmf")(dim=8, rounds=8, clip=1.0, row_clip=0.02)
    plain = poisoned(bounded, TRAIN, TASK, None, 0)
    held = poisoned(bounded, TRAIN, TASK, oracle_boost, 3)
    assert held.er <= plain.er + 0.01
    assert held.ndcg >= 0.95 * plain.ndcg


def test_statistics_without_an_l2_bound_promote_too() -> None:
    plain = poisoned(get("slist-lowrank")(rank=8), TRAIN, TASK, None, 0)
    found = poisoned(get("slist-lowrank")(rank=8), TRAIN, TASK, oracle_boost, 3)
    assert found.er > plain.er + 0.1


def test_a_bound_on_one_items_weight_holds_what_the_norm_of_the_whole_does_not() -> None:
    gained = []
    for most in (0.0, 0.3):
        algorithm = get("dpals")(**SMALL["dpals"], row_weight=most)
        plain, found = (poisoned(algorithm, TRAIN, TASK, attack, 9) for attack in (None, oracle_boost))
        gained.append(found.er - plain.er)
    assert gained[0] > 3 * max(gained[1], 0.01), gained


@pytest.mark.parametrize("name", ["fedmf", "ease", "slist-lowrank"])
def test_a_flood_of_nan_is_refused_with_a_reason_and_costs_nothing(name: str) -> None:
    algorithm = get(name)(**SMALL[name])
    flooded = poisoned(algorithm, TRAIN, TASK, ATTACKS["NaN flood"], 3)
    quiet = poisoned(algorithm, TRAIN, TASK, attacks.nothing, 3)
    rounds = sum(p.rounds for p in algorithm.plan(Catalog(80, 303)))
    assert sum(flooded.failures.values()) == 3 * rounds
    assert all("not finite" in why for why in flooded.failures)
    np.testing.assert_array_equal(flooded.quality, quiet.quality)


def test_the_round_says_how_many_are_in_it() -> None:
    people = with_fakes(TRAIN, 3)
    algorithm = Poisoned(get("popularity")(), attacks.nan_flood, people.users[-3:], cold_targets(TRAIN))
    catalog = Catalog(people.n_items, people.n_users)
    step = next(iter(train(algorithm, catalog, LocalRuntime(algorithm, catalog, people, 0), 0)))
    assert step.record.survivors == TRAIN.n_users
    assert step.record.cohort == TRAIN.n_users + 3


def test_no_fakes_is_the_plain_training_and_a_run_repeats() -> None:
    algorithm = get("fedmf")(dim=8, rounds=3)
    first, again = (poisoned(algorithm, TRAIN, TASK, ATTACKS["random-user"], 3) for _ in range(2))
    np.testing.assert_array_equal(first.exposed, again.exposed)
    np.testing.assert_array_equal(first.quality, again.quality)
    people = with_fakes(TRAIN, 0)
    assert people.n_users == TRAIN.n_users


def test_targets_are_items_next_to_nobody_has() -> None:
    targets, counts = cold_targets(TRAIN), np.bincount(TRAIN.items, minlength=TRAIN.n_items)
    assert len(set(targets.tolist())) == 5
    assert (counts[targets] <= np.quantile(counts, 0.1)).all()


def test_the_climb_finds_the_people_it_can_reach() -> None:
    """Nine people want too much along one direction, three a little along another: the oracle takes the three."""
    queries = np.concatenate([np.tile([1.0, 0.0], (9, 1)), np.tile([0.0, 1.0], (3, 1))])
    wanted = np.concatenate([np.full(9, 50.0), np.full(3, 0.5)])
    row = climbed(queries, np.zeros(12), wanted, 1.0)
    assert np.linalg.norm(row) == pytest.approx(1.0)
    assert (queries @ row >= wanted).sum() == 3


def test_cost_to_promote_doubles_until_it_is_paid() -> None:
    loose = get("fedmf")(dim=8, rounds=8, clip=1000.0, bits=64)
    fakes, found = cost_to_promote(loose, TRAIN, TASK, size=100.0, most=8)
    assert fakes is not None
    assert list(found) == [2**i for i in range(len(found))]
    assert found[fakes] >= 0.1
    tight = get("fedmf")(dim=8, rounds=3, clip=1.0, row_clip=0.01)
    assert cost_to_promote(tight, TRAIN, TASK, wanted=0.9, most=2)[0] is None


def federation(algorithm: Algorithm) -> Any:
    catalog = Catalog(TRAIN.n_items, TRAIN.n_users)
    return SimpleNamespace(
        algorithm=algorithm, catalog=catalog, users=TRAIN, seed=0, prepared=SimpleNamespace(split=SPLIT)
    )


def test_the_lines_of_the_audit() -> None:
    bounded = lines(federation(get("fedmf")(dim=8, rounds=6, clip=1.0, row_clip=0.02)))
    assert [line.verdict for line in bounded] == ["PASS", "PASS", "PASS"]
    assert {row["attack"] for row in bounded[1].rows} == set(UNTARGETED)
    loose = lines(federation(get("slist-lowrank")(rank=8)))
    assert loose[0].verdict == "KNOWN LIMIT"
    assert "no L2 bound" in loose[0].detail
    assert loose[2].verdict == "PASS"
    whole = lines(federation(get("fedmf")(dim=8, rounds=2)))
    assert whole[0].verdict == "KNOWN LIMIT"
    assert "row_clip" in whole[0].detail


def test_a_cohort_without_fakes_is_left_alone() -> None:
    people = with_fakes(TRAIN, 2)
    algorithm = Poisoned(get("fedmf")(**SMALL["fedmf"]), oracle_boost, people.users[-2:], cold_targets(TRAIN))
    catalog = Catalog(people.n_items, people.n_users)
    honest: Interactions = people.take(np.arange(20))
    phase = algorithm.plan(catalog)[0]
    shared = algorithm.shared(catalog, 0)
    private = algorithm.cohort_private(honest.users, Key(0), catalog)
    one, other = RingSum(phase, 20), RingSum(phase, 20)
    algorithm.cohort_update(phase, shared, private, honest, Key(0), one)
    algorithm.inner.cohort_update(phase, shared, private, honest, Key(0), other)
    np.testing.assert_array_equal(one.ring["items"], other.ring["items"])
