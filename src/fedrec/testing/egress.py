"""Law 4, nothing private on the wire; and the plain duties of the contract."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from fedrec.contract import Arrays, Catalog, History, Phase, Rng, Stat, Update, row_of
from fedrec.privacy import RingSum
from fedrec.server.rounds import start
from fedrec.testing.base import Laws
from fedrec.testing.subject import Moment, Subject, as_bytes, copied, from_bytes
from fedrec.testing.wire import Device, unpack
from fedrec.testing.worlds import history_of

BIG = 1_000_003  # users; a shape that knew how many there are would show


class EgressLaws(Laws):
    """What leaves a client is what the plan says, and no more."""

    def test_law_4_an_update_is_what_the_plan_declares(self) -> None:
        """Names and shapes as declared; ids distinct and inside the statistic; no private array by name or value."""
        subject = self.subject()
        for moment in subject.moments():
            for row, (user, history) in enumerate(subject.users.histories()):
                private = copied(row_of(moment.private, row))
                update, after = subject.algorithm.client_update(
                    moment.phase, moment.broadcast, private, history, moment.key.rng(user)
                )
                assert_declared(moment.phase, update)
                assert not set(update) & set(after), "a statistic has the name of a private array"
                assert_not_inside(moment.phase, subject.users.n_users, update, {**private, **after})

    def test_law_4_a_reply_has_one_size(self) -> None:
        """No history, one item, every item, many repeats: the message has the same bytes, those of the ledger."""
        subject = self.subject()
        n = subject.users.n_items
        histories = [[], [0], [n - 1], list(range(n)), list(range(n)) * 3]
        for moment in subject.moments():
            sizes = {len(_reply(subject, moment, history_of(h))) for h in histories}
            assert len(sizes) == 1, f"the size of a reply depends on the history: {sorted(sizes)}"
            numbers = from_bytes(_reply(subject, moment, history_of([0])))
            assert sum(a.nbytes for a in numbers.values()) == moment.phase.up_bytes
            assert set(numbers) == set(moment.phase.stats)

    def test_law_4_symmetric_statistics_are_symmetric(self) -> None:
        """Where only one half travels, the whole can be had from it."""
        subject = self.subject()
        for moment in subject.moments():
            total, _ = subject.one_by_one(moment, subject.everybody())
            for name, stat in moment.phase.stats.items():
                if stat.symmetric:
                    np.testing.assert_array_equal(total.ring[name], np.swapaxes(total.ring[name], -1, -2))

    def test_law_4_no_shape_knows_the_users(self) -> None:
        """Statistics, broadcast and private arrays have the same shapes for ten users and for a million."""
        subject = self.subject()
        few, many = (Catalog(subject.users.n_items, n) for n in (10, BIG))
        algorithm = subject.algorithm
        assert _shapes(algorithm.plan(few)) == _shapes(algorithm.plan(many))
        one, other = algorithm.shared(few, 1), algorithm.shared(many, 1)
        assert {n: a.shape for n, a in one.items()} == {n: a.shape for n, a in other.items()}
        mine, others = algorithm.private(Rng(1), few), algorithm.private(Rng(1), many)
        assert {n: a.shape for n, a in mine.items()} == {n: a.shape for n, a in others.items()}

    def test_law_4_the_ledger_agrees_with_the_plan(self) -> None:
        """``explain`` names each statistic with the plan's shape, bytes and clip."""
        subject = self.subject()
        ledger = subject.algorithm.explain(subject.catalog)
        plan = subject.algorithm.plan(subject.catalog)
        assert ledger.uploaded == {
            p.name: {n: (s.shape, s.wire_bytes, s.bits) for n, s in p.stats.items()} for p in plan
        }
        assert ledger.clip == {p.name: p.clip for p in plan}
        assert set(ledger.private) == set(subject.algorithm.private(Rng(1), subject.catalog))


class DutyLaws(Laws):
    """Small duties that every algorithm has."""

    def test_duty_settings_are_checked_and_written_back(self) -> None:
        """Settings survive a round trip through JSON; unknown names are refused."""
        algorithm = self.make()
        kind = type(algorithm)
        again = kind.Config.model_validate_json(algorithm.config.model_dump_json())
        assert again == algorithm.config
        with pytest.raises(ValidationError):
            kind(no_such_setting=1)

    def test_duty_the_card_says_what_it_is(self) -> None:
        """Name, one sentence and source are there, and the model's arrays exist after training."""
        subject = self.subject()
        algorithm = subject.algorithm
        assert algorithm.name
        assert algorithm.card.summary
        assert algorithm.card.source
        shared = subject.trained()[0].shared
        assert set(algorithm.model) <= set(shared), "model names arrays that training does not produce"

    def test_duty_the_plan_can_run(self) -> None:
        """Phase names differ, rounds are positive, and each broadcast exists when it is sent."""
        subject = self.subject()
        plan = subject.algorithm.plan(subject.catalog)
        assert len({p.name for p in plan}) == len(plan)
        assert all(p.rounds >= 1 and p.stats for p in plan)
        for phase in plan:
            for stat in phase.stats.values():
                assert stat.bits in (32, 64)
                assert stat.linf > 0
                assert stat.l2 is None or stat.l2 >= 0

    def test_duty_a_client_leaves_its_inputs_alone(self) -> None:
        """``client_update``, ``adapt`` and ``score`` do not write into what they are given."""
        subject = self.subject()
        state, held, _ = subject.trained()
        for moment in subject.moments():
            for row, (user, history) in enumerate(subject.users.histories()):
                mine = copied(row_of(moment.private, row))
                before = (as_bytes(moment.broadcast), as_bytes(mine), history.items.tobytes())
                subject.algorithm.client_update(moment.phase, moment.broadcast, mine, history, moment.key.rng(user))
                assert (as_bytes(moment.broadcast), as_bytes(mine), history.items.tobytes()) == before
        user, history = next(h for h in subject.users.histories() if len(h[1]) > 3)
        mine = copied(row_of(held, user))
        before = (as_bytes(state.shared), as_bytes(mine), history.items.tobytes())
        adapted = subject.algorithm.adapt(state.shared, mine, history, Rng(5))
        subject.algorithm.score(state.shared, adapted, history)
        assert (as_bytes(state.shared), as_bytes(mine), history.items.tobytes()) == before

    def test_duty_the_server_step_is_pure(self) -> None:
        """``server_update`` twice on the same sum gives the same bytes and leaves its inputs alone."""
        subject = self.subject()
        shared = start(subject.algorithm, subject.catalog, subject.seed).shared
        first = {p.name: p for p in subject.algorithm.plan(subject.catalog)}
        if not first:
            return
        moment = subject.trained()[2][0]
        total = subject.cohort(moment, subject.everybody())[0].decode()
        before = as_bytes(shared) + as_bytes(dict(total.stats))
        one = as_bytes(subject.algorithm.server_update(moment.phase, shared, total, 0))
        two = as_bytes(subject.algorithm.server_update(moment.phase, shared, total, 0))
        assert one == two
        assert as_bytes(shared) + as_bytes(dict(total.stats)) == before

    def test_duty_a_stranger_gets_scores(self) -> None:
        """Somebody who was not in the training data, with few items or none, gets finite scores of all items."""
        subject = self.subject()
        shared = subject.trained()[0].shared
        for items in ([], [1], [2, 5, 3]):
            fresh = subject.algorithm.private(Rng(99), subject.catalog)
            mine = subject.algorithm.adapt(shared, fresh, history_of(items), Rng(99))
            scores = subject.algorithm.score(shared, mine, history_of(items))
            assert scores.shape == (subject.users.n_items,)
            assert scores.dtype == np.float32
            assert np.isfinite(scores).all()


def assert_declared(phase: Phase, update: Update) -> None:
    """Fail unless an update has the plan's statistics, with distinct ids inside them."""
    assert set(update) == set(phase.stats)
    for name, part in update.items():
        shape = phase.stats[name].shape
        assert len(part.index) <= len(shape), f"{name!r} is indexed on more axes than it has"
        for ids, size in zip(part.index, shape, strict=False):
            assert len(np.unique(ids)) == len(ids), f"{name!r}: an id appears twice, so a value would be lost"
            assert len(ids) == 0 or (ids.min() >= 0 and ids.max() < size), f"{name!r}: an id outside the catalogue"
        expected = tuple(len(ids) for ids in part.index) + shape[len(part.index) :]
        assert np.shape(part.values) == expected, f"{name!r}: values {np.shape(part.values)}, expected {expected}"


def assert_not_inside(phase: Phase, capacity: int, update: Update, private: Arrays) -> None:
    """Fail where the decoded update of one user holds a private array as it is, row by row."""
    total = RingSum(phase, capacity)
    total.add(update)
    decoded = total.decode()
    for name, array in private.items():
        secret = np.asarray(array, np.float64).ravel()
        if secret.size < 3 or not np.ptp(secret):
            continue
        for stat in phase.stats:
            flat = np.asarray(decoded[stat], np.float64).ravel()
            if flat.size >= secret.size:
                windows = np.lib.stride_tricks.sliding_window_view(flat, secret.size)
                near = np.abs(windows - secret).max(axis=1) <= 1e-6 * np.abs(secret).max()
                assert not near.any(), f"the private array {name!r} is inside the statistic {stat!r}"


def _reply(subject: Subject, moment: Moment, history: History) -> bytes:
    private = copied(row_of(moment.private, 0))
    device = Device(subject.algorithm, 0, history, private)
    request = as_bytes(moment.broadcast)
    message = device.reply(moment.phase, subject.users.n_users, moment.number, subject.seed, request)
    for name, stat in moment.phase.stats.items():
        assert unpack(stat, from_bytes(message)[name]).shape == stat.shape
    return message


def _shapes(plan: tuple[Phase, ...]) -> list[tuple[str, dict[str, tuple[int, ...]]]]:
    def shape(stat: Stat) -> tuple[int, ...]:
        return stat.shape

    return [(p.name, {n: shape(s) for n, s in p.stats.items()}) for p in plan]
