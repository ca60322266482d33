"""Runs with noise and secure sums: what they claim, what they write down, how they go on, what they refuse."""

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.contract import ConfigError
from fedrec.experiment import run
from fedrec.experiment.config import read_toml, run_config, to_toml
from fedrec.experiment.folder import RunFolder
from fedrec.experiment.run import Outcome, Prepared
from fedrec.privacy.accountant import gaussian_epsilon
from fedrec.privacy.budget import Budget, BudgetLedger, BudgetSpentError
from tests.experiment.cases import TINY, finish, prepared, purchases
from tests.experiment.test_resume import SAME
from tests.experiment.tiny_algorithm import BoundedStopping

BOUNDED = "tests.experiment.tiny_algorithm:Bounded"
KEY = bytes(range(32))


def private(users: int = 16, **more: Any) -> Prepared:
    values = {
        "algorithm": BOUNDED, "profile": "demo", "privacy": {"epsilon": 4.0, "delta": 1e-3}, "checkpoint_every": 1,
        "protocol": "last-basket",
    }  # fmt: skip
    return prepared(purchases(users), **(values | more))


def with_key(path: Path) -> Path:
    """A folder in which a run begins with a known noise key, as one that was stopped at once."""
    (path / "private").mkdir(parents=True)
    (path / "private" / "noise.key").write_bytes(KEY)
    return path


def ledger_lines(path: Path) -> list[dict[str, Any]]:
    lines = (path / "private" / "budget.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_what_a_private_run_says_of_itself(tmp_path: Path) -> None:
    found = finish(private(), tmp_path / "run").metrics
    claims = found["privacy"]
    assert claims["epsilon"] <= 4.0 < claims["epsilon"] * 1.001
    assert claims["trainings_released"] == 2  # one to choose settings on validation, one refitted for the test
    assert claims["epsilon_of_everything_released"] > 5.5
    assert (claims["unit"], claims["delta"], claims["cohort_minimum"], claims["masks"]) == (
        "person",
        1e-3,
        14,
        "simulated",
    )
    assert claims["noise"][0]["sigma"] > 0
    assert claims["clip"][0]["l2_rounded"] >= 24**0.5
    assert {"accountant", "assumptions"} <= set(claims)
    assert "secure sum (demo" in found["simulated"]
    assert "DEMO PROFILE" in found["simulated"]
    assert "noise on: epsilon 4" in found["simulated"]


def test_the_ledger_holds_each_round_of_each_training(tmp_path: Path) -> None:
    finish(private(), tmp_path / "run")
    head, *lines = ledger_lines(tmp_path / "run")
    assert head["kind"] == "budget"
    assert [line["name"].split()[:3] for line in lines] == [
        [stage, "round", str(n)] for stage in ("train", "final") for n in range(3)
    ]
    mu = sum(line["sensitivity"] ** 2 / line["variance"] for line in lines) ** 0.5
    assert gaussian_epsilon(mu, 1e-3) == pytest.approx(head["epsilon"], rel=0.01)


def test_noise_differs_between_runs_and_its_key_is_forgotten(tmp_path: Path) -> None:
    one, other = (finish(private(), tmp_path / name) for name in "ab")
    assert not np.array_equal(one.model.shared["level"], other.model.shared["level"])
    for name in "ab":
        assert {p.name for p in (tmp_path / name / "private").iterdir()} == {
            "state.safetensors", "users.parquet", "budget.jsonl", "budget.jsonl.witness",
        }  # fmt: skip


def test_the_key_is_its_owners_alone_while_the_run_lasts(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        finish(stopping(private(), 1), tmp_path / "run")
    key = tmp_path / "run" / "private" / "noise.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32


def stopping(ready: Prepared, at: int) -> Prepared:
    BoundedStopping.at = at
    object.__setattr__(ready, "algorithm", BoundedStopping(ready.algorithm.config))
    return ready


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("masks", ["on", "full"])
def test_stopped_after_a_release_and_resumed_costs_no_more_and_ends_in_the_same_bytes(
    tmp_path: Path, at: int, masks: str
) -> None:
    values = {"secure_sum": masks}
    finish(private(**values), with_key(tmp_path / "whole"), resume=True)
    with pytest.raises(KeyboardInterrupt):
        finish(stopping(private(**values), at), with_key(tmp_path / "stopped"), resume=True)
    counted = ledger_lines(tmp_path / "stopped")
    assert len(counted) == at + 2  # the round whose server step failed is counted: its sum had been seen
    finish(private(**values), tmp_path / "stopped", resume=True)
    for name in SAME:
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    whole = [line.get("name") for line in ledger_lines(tmp_path / "whole")]
    assert [line.get("name") for line in ledger_lines(tmp_path / "stopped")] == whole


def test_a_lost_key_makes_a_repeated_round_a_new_release(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        finish(stopping(private(privacy={"epsilon": 4.0, "delta": 1e-3, "budget": 50.0}), 1), tmp_path / "run")
    (tmp_path / "run" / "private" / "noise.key").unlink()
    before = [line.get("name") for line in ledger_lines(tmp_path / "run")]
    finish(private(privacy={"epsilon": 4.0, "delta": 1e-3, "budget": 50.0}), tmp_path / "run", resume=True)
    after = [line.get("name") for line in ledger_lines(tmp_path / "run")]
    assert after[: len(before)] == before
    assert len(after) == len(before) + 5  # rounds 1 (again) and 2, and the second training
    assert len(set(after)) == len(after)


def test_a_budget_for_the_people_is_kept_over_several_runs(tmp_path: Path) -> None:
    settings = {"epsilon": 4.0, "delta": 1e-3, "ledger": str(tmp_path / "people.jsonl"), "budget": 7.0}
    finish(private(privacy=settings), tmp_path / "first")
    with pytest.raises(BudgetSpentError, match=r"the budget of .* is 7"):
        finish(private(privacy=settings), tmp_path / "second")
    assert not (tmp_path / "second" / "metrics.json").exists()
    with BudgetLedger(tmp_path / "people.jsonl", Budget(7.0, 1e-3)) as ledger:
        assert len(ledger.releases) == 6  # nothing of the second run


def test_settings_that_bound_the_algorithm_are_written_and_can_be_overridden() -> None:
    asked = {"algorithm": BOUNDED, "data": "purchases", "privacy": {"epsilon": 2.0}}
    config = run_config(asked)
    assert config.settings == {"rounds": 3}
    assert run_config(asked | {"settings": {"rounds": 2}}).settings == {"rounds": 2}
    assert run_config({k: v for k, v in asked.items() if k != "privacy"}).settings == {}


def test_private_settings_survive_toml(tmp_path: Path) -> None:
    config = run_config(
        {"algorithm": BOUNDED, "data": "x", "secure_sum": "full", "privacy": {"epsilon": 2.0, "survivors": 0.8}}
    )
    (tmp_path / "c.toml").write_text(to_toml(config))
    assert run_config(read_toml(tmp_path / "c.toml")) == config


def test_a_dry_run_states_noise_and_the_year_before_anything_runs(tmp_path: Path) -> None:
    found = run.dry_run(private(privacy={"epsilon": 4.0, "delta": 1e-3, "trainings": 12}))
    assert found["epsilon"] <= 4.0
    assert found["epsilon_a_year"]["epsilon"] > 4 * found["epsilon"]  # twelve trainings, each with its validation
    assert found["noise"][0]["rounds"] == 3
    assert "epsilon 4" in found["privacy"]


def test_masks_alone_change_no_figure_and_claim_no_epsilon(tmp_path: Path) -> None:
    plain = _metrics(prepared(purchases(16), algorithm=TINY, protocol="last-basket"), tmp_path / "plain")
    for masks in ("on", "full"):
        ready = prepared(purchases(16), algorithm=TINY, protocol="last-basket", secure_sum=masks, profile="demo")
        masked = _metrics(ready, tmp_path / masks)
        assert masked["test"] == plain["test"]
        assert masked["privacy"] is None
        assert "noise off" in masked["simulated"]
        memory = json.loads((tmp_path / masks / "private" / "secure-sum.json").read_text())
        assert all(groups == [list(range(len(groups[0])))] for groups in memory["released"].values())


def _metrics(ready: Prepared, out: Path) -> dict[str, Any]:
    outcome: Outcome = finish(ready, out)
    return outcome.metrics


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"algorithm": TINY}, "no form whose statistics are bounded"),
        ({"algorithm": "alone"}, "sends nothing"),
        ({"profile": None}, "asks for 500"),
        ({"privacy": {"epsilon": 4.0, "delta": 0.2}}, "well below 1 / people"),
        ({"privacy": {"epsilon": 4.0, "seed": 7}}, "seed"),
        ({"privacy": {"epsilon": -1.0}}, "epsilon"),
        ({"privacy": {"delta": 1e-5}}, "epsilon is missing"),
        ({"privacy": None}, "--profile goes with"),
        ({"privacy": None, "secure_sum": "on", "profile": "devices"}, "a sum would tell about a few"),
    ],
)
def test_what_does_not_hold_is_refused_before_any_work(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        private(**more)


def test_tuning_is_not_free() -> None:
    with pytest.raises(ConfigError, match="one more training on the same people"):
        run.tune(private())


def test_two_organisations_need_a_third_or_noise() -> None:
    data = purchases(16)
    data.users = None
    from fedrec.experiment.privacy import Federation, safeguards

    ready = private()
    two = Federation(2, 16, organisations=True)
    with pytest.raises(ConfigError, match="each could subtract its own"):
        safeguards(ready.algorithm, ready.catalog, two, "on", None, None)
    assert safeguards(ready.algorithm, ready.catalog, two, "on", ready.config.privacy, None) is not None


def test_a_claimed_folder_is_not_mistaken_for_another_run(tmp_path: Path) -> None:
    folder = RunFolder(with_key(tmp_path / "run"))
    with pytest.raises(ConfigError, match="already holds"):
        folder.check(private().config)


def test_the_python_call_takes_privacy_too() -> None:
    import fedrec

    found = fedrec.fit("synthetic:users=16,items=30,per_user=8,seed=1", "ease", profile="demo",
                       privacy={"epsilon": 4.0, "delta": 1e-3})  # fmt: skip
    assert found.metrics["privacy"]["epsilon"] <= 4.0
    assert len(found.recommend(items=[str(found.item_ids[0])], k=3)) == 3
    with pytest.raises(ConfigError, match="seed"):
        fedrec.fit("quickstart", "ease", privacy={"epsilon": 4.0, "seed": 3})
