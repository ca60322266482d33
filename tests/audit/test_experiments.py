"""Each experiment on small set-ups: it finds everything where nothing protects, and nothing where something does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fedrec.audit import canary, inference, inversion, linking, published, sizes, subtraction, trust
from fedrec.audit.line import Line, auc, mean_interval
from fedrec.audit.pairs import Answers, without
from fedrec.audit.setup import Moment, Setup
from fedrec.contract import Interactions, Phase, Stat
from fedrec.experiment.config import run_config
from tests.audit.setups import FEW_ITEMS, setup


def test_raw_updates_give_every_list_away() -> None:
    for name, settings in (("popularity", {}), ("ease", {}), ("fedmf", {"dim": 8, "rounds": 3})):
        stake, held = inversion.lines(setup(name, settings=settings))
        assert stake.figure == 1.0, name
        assert stake.baseline is not None
        assert stake.baseline < 0.6
        assert (stake.verdict, held.verdict) == ("KNOWN LIMIT", "FAIL")


def test_a_sum_gives_no_more_than_popularity() -> None:
    for noisy in (False, True):
        _, held = inversion.lines(setup(FEW_ITEMS, masked=True, noisy=noisy))
        assert held.verdict == "PASS"
        assert held.figure is not None
        assert held.baseline is not None
        assert held.figure <= held.baseline + 0.05


def test_an_algorithm_that_sends_nothing_is_not_attacked() -> None:
    nothing = setup("alone")
    for module in (inversion, linking, subtraction, inference, sizes, canary, trust):
        assert {line.verdict for line in module.lines(nothing)} == {"DOES NOT APPLY"}, module


def test_rows_of_exact_sums_are_linked_and_of_noisy_ones_not() -> None:
    settings = {"most": 4, "width": 8}
    (off,) = linking.lines(setup(FEW_ITEMS, settings=settings))
    assert off.verdict == "KNOWN LIMIT"
    small = next(r for r in off.rows if r["cohort"] == 50)
    assert small["rows linked"] > 0.02
    (on,) = linking.lines(setup(FEW_ITEMS, noisy=True, settings=settings))
    assert on.verdict == "PASS"
    assert on.figure == 0.0
    assert [r["rows linked"] for r in on.rows if r["noise"] != "off"] == [0.0, 0.0, 0.0]


def test_linking_fails_where_exact_sums_are_over_few(monkeypatch: pytest.MonkeyPatch) -> None:
    few = setup(FEW_ITEMS, masked=True, settings={"most": 4, "width": 8})
    monkeypatch.setattr(Setup, "cohort", 20)
    (line,) = linking.lines(few)
    assert line.verdict == "FAIL"
    assert line.figure is not None
    assert line.figure > 0.1


def test_the_second_of_two_sums_is_refused_and_would_give_one_person_away() -> None:
    (line,) = subtraction.lines(setup("ease", masked=True))
    assert (line.verdict, line.figure) == ("PASS", 1.0)
    assert "differs by 1 members" in line.detail


def test_nobody_refuses_where_nothing_is_masked() -> None:
    (line,) = subtraction.lines(setup("ease"))
    assert (line.verdict, line.figure) == ("FAIL", 1.0)


def test_a_subtraction_that_is_not_refused_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedrec.runtime.secure.Members.check_release", lambda *_: None)
    (line,) = subtraction.lines(setup("ease", masked=True))
    assert line.verdict == "FAIL"


def test_noisy_sums_may_be_subtracted() -> None:
    (line,) = subtraction.lines(setup(FEW_ITEMS, noisy=True))
    assert line.verdict == "PASS"
    assert line.figure is not None
    assert line.figure < 0.9


def test_sizes_are_the_same_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography")
    masked = setup("ease", masked=True)
    (line,) = sizes.lines(masked)
    assert (line.verdict, line.figure) == ("PASS", 0.0)
    assert len(line.rows) == 7
    whole = Setup.plain_sum

    def sparse(self: Setup, *arguments: Any) -> Any:
        total = whole(self, *arguments)
        flat = total.vector()
        total.vector = lambda: flat[: len(flat) - int(arguments[1][0])]  # as if an upload left out what is zero
        return total

    monkeypatch.setattr(Setup, "plain_sum", sparse)
    (line,) = sizes.lines(setup("ease"))
    assert line.verdict == "FAIL"


def test_collusion_by_hand() -> None:
    # 7 holders, threshold 5: 2 helpers split the other 5 into 3 + 2 and 2 + 2, one too few; 3 helpers reach 5 twice
    assert not trust.exposed(7, 5, 2)
    assert trust.exposed(7, 5, 3)


def test_colluders_and_the_roster_are_known_limits() -> None:
    pytest.importorskip("cryptography")
    masks, noise, keys = trust.lines(setup(FEW_ITEMS, noisy=True, people=5))
    assert masks.verdict == noise.verdict == keys.verdict == "KNOWN LIMIT"
    shares = [row["honest clients exposed"] for row in masks.rows]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    epsilons = [row["epsilon"] for row in noise.rows]
    assert epsilons[0] == pytest.approx(4.0)
    assert epsilons[-1] > 4.3
    (_, _, exact) = trust.lines(setup("popularity", masked=True, people=5))
    assert exact.figure == 1.0


def test_canaries_are_asked_only_where_an_epsilon_is_declared() -> None:
    assert canary.lines(setup(masked=True))[0].verdict == "DOES NOT APPLY"


def test_a_model_that_remembers_is_found_and_noise_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "PART", 0.1)
    outsider, insider, membership = inference.lines(setup("ease", settings={"reg": 5.0}))
    assert {outsider.verdict, insider.verdict, membership.verdict} == {"KNOWN LIMIT"}
    figures = [line.figure or 0.0 for line in (outsider, insider, membership)]
    assert min(figures) > 0.6
    assert figures[1] > 0.9
    outsider, insider, membership = inference.lines(setup(FEW_ITEMS, noisy=True, settings={"most": 30}))
    assert insider.figure == pytest.approx(0.5, abs=0.1)
    # a third of 600 is fewer than the profile asks for
    assert outsider.verdict == membership.verdict == "DOES NOT APPLY"


def test_a_promise_that_is_not_kept_fails() -> None:
    promised = setup(FEW_ITEMS, noisy=True)
    assert inference.verdict(promised, 0.52, (0.49, 0.55)) == "PASS"
    assert inference.verdict(promised, 0.54, (0.51, 0.57)) == "PASS"  # one in twenty by chance
    assert inference.verdict(promised, 0.54, (0.53, 0.55)) == "FAIL"
    assert inference.verdict(setup("ease"), 0.9, (0.8, 0.95)) == "KNOWN LIMIT"


def test_an_insider_may_find_what_the_epsilon_allows_and_no_more() -> None:
    assert inference._held(0.52, (0.49, 0.55), 0.74) == "PASS"
    assert inference._held(0.60, (0.57, 0.63), 0.74) == "KNOWN LIMIT"
    assert inference._held(0.90, (0.88, 0.92), 0.74) == "FAIL"
    assert inference._held(0.99, (0.98, 1.00), None) == "KNOWN LIMIT"


def test_rows_of_some_items_are_put_where_the_items_are() -> None:
    phase = Phase("sweep", 1, {"linear": Stat((2, 3), 1.0), "gram": Stat((3, 3), 1.0)})
    moment = Moment(phase, 0, {"places": np.array([-1, 1, -1, 0])}, {})
    rows = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    found = moment.by_item({"linear": rows, "gram": np.eye(3)})
    assert found["linear"].tolist() == [[0, 0, 0], [0, 2, 0], [0, 0, 0], [1, 0, 0]]
    assert found["gram"].tolist() == np.eye(3).tolist()
    assert Moment(phase, 0, {}, {}).by_item({"linear": rows})["linear"] is rows


def test_dpals_sends_its_list_first_and_rows_that_are_parallel_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "COHORTS", (5,))
    small = setup("dpals", settings={"dim": 8, "rounds": 2, "item_frac": 0.9})
    stake, _ = inversion.lines(small)
    assert stake.figure == 1.0
    (line,) = linking.lines(small)
    assert line.rows[0]["rows linked"] > 0.2


def test_answers_by_hand() -> None:
    had = np.array([[3.0, 1.0, 5.0], [0.0, 0.0, 2.0], [1.0, 0.0, 1.0]])
    other = np.array([[1.0, 1.0, 5.0], [0.0, 1.0, 1.0], [2.0, 0.0, 1.0]])
    answers = Answers(np.array([4, 4, 7]), np.array([1, 2, 1]), had, other, other)
    assert answers.ahead().tolist() == [2.0, 1.0, -1.0]
    assert answers.wins(0).tolist() == [1.0, 0.5, 0.0]
    assert answers.wins(2).tolist() == [0.5, 1.0, 0.5]
    assert answers.each(answers.ahead()).tolist() == [1.5, -1.0]
    # won 1, 1, 0; apart 1/3, 1/3, -2/3: squares 6/9; by person (2/3, -2/3) 8/9; by item (-1/3, 1/3) 2/9; 8 + 2 - 6 = 4
    # is less than the 8/9 of people alone, so 8/9 it is
    share, error = answers.right()
    assert share == pytest.approx(2 / 3)
    assert error == pytest.approx(np.sqrt(8 / 9) / 3)


def test_one_item_is_taken_out_of_a_history() -> None:
    users = Interactions.from_lists(5, [[0, 1, 2], [3, 4, 3]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    left = without(users, np.array([1, 0, 0]), np.array([3, 0, 2]))
    assert [left.history(k).items.tolist() for k in range(3)] == [[4], [1, 2], [0, 1]]
    assert left.times is not None
    assert left.times.tolist() == [5.0, 2.0, 3.0, 1.0, 2.0]


def test_auc_and_interval_by_hand() -> None:
    assert auc(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert mean_interval([0.3] * 9, 0) == (pytest.approx(0.3), pytest.approx(0.3))
    low, high = mean_interval([0.0, 1.0] * 50, 0)
    assert low == pytest.approx(0.4, abs=0.03)
    assert high == pytest.approx(0.6, abs=0.03)


def test_organisations_add_their_people_up_first() -> None:
    values = {"algorithm": "ease", "data": "quickstart", "protocol": "none", "silos": "country", "secure_sum": "on"}
    shops = Setup(run_config(values), None, 20)
    stake, held = inversion.lines(shops)
    assert stake.verdict == "DOES NOT APPLY"
    assert held.verdict == "PASS"
    for module in (linking, subtraction, inference):
        assert {line.verdict for line in module.lines(shops)} == {"DOES NOT APPLY"}
    masks, noise, keys = trust.lines(shops)
    assert (masks.verdict, noise.verdict, keys.verdict) == ("KNOWN LIMIT", "DOES NOT APPLY", "DOES NOT APPLY")


def test_the_server_sees_the_cohort_of_a_round() -> None:
    some = setup(FEW_ITEMS, masked=True, cohort=550)
    (moment,) = some.moments
    clients = some.cohort_of(moment)
    assert 500 < len(clients) < 600
    assert some.server_view(moment)["counts"].sum() == some.plain_sum(moment, clients).decode()["counts"].sum()
    assert inversion.lines(some)[1].verdict == "PASS"


def test_a_config_alone_has_no_files() -> None:
    line: Line = published.lines(setup())[0]
    assert line.verdict == "DOES NOT APPLY"
