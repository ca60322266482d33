"""--secure-sum, --profile and --privacy.* as a user types them: what is printed, what is refused, in one line each."""

import json
from pathlib import Path

import pytest

from tests.cli.calling import MADE_UP, call, done, refused

FEW = "synthetic:users=16,items=30,per_user=8,seed=1"
DEMO = ["--data", FEW, "--profile", "demo"]


@pytest.mark.parametrize("option", [["--secure-sum"], ["--secure-sum", "on"], ["--secure-sum", "full"]])
def test_a_secure_sum_changes_no_figure_and_says_that_it_is_on(option: list[str]) -> None:
    plain = json.loads(done("train", "ease", "--data", FEW, "--format", "json").out)
    masked = json.loads(done("train", "ease", *DEMO, *option, "--format", "json").out)
    assert masked["test"] == plain["test"]
    assert "secure sum (demo" in masked["simulated"]
    assert masked["privacy"] is None


def test_epsilon_is_printed_with_its_unit_and_the_demo_says_so(tmp_path: Path) -> None:
    said = done("train", "ease", *DEMO, "--privacy.epsilon", "4", "--privacy.delta", "1e-3", "--out", tmp_path / "run")
    assert "epsilon 4 at delta 0.001 for each person and training" in said.out
    assert "DEMO PROFILE" in said.out
    card = (tmp_path / "run" / "card.md").read_text()
    assert "(4, 0.001)-differentially private for each person" in card
    again = done("train", "ease", "--config", tmp_path / "run" / "config.toml", "--dry-run", "--format", "json")
    assert json.loads(again.out)["epsilon"] == pytest.approx(4.0)


def test_the_command_line_overrides_a_files_privacy(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("profile = 'demo'\n[privacy]\nepsilon = 4.0\ndelta = 1e-3\n")
    found = done(
        "train", "ease", "--data", FEW, "--config", file, "--privacy.epsilon", "2", "--dry-run", "--format", "json"
    )
    assert json.loads(found.out)["epsilon"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["ease", *DEMO, "--privacy.epsilon", "4", "--privacy.seed", "3"], "privacy.seed"),
        (["ease", *DEMO, "--privacy.epsilon", "0"], "greater than 0"),
        (["ease", *DEMO, "--privacy.epsilon", "four"], "epsilon"),
        (["ease", *DEMO, "--privacy.epsilon", "4", "--privacy.delta", "0.1"], "well below 1 / people"),
        (["ease", *DEMO, "--privacy.delta", "1e-5"], "epsilon is missing"),
        (["ease", *DEMO], "--profile goes with --secure-sum"),
        (["ease", "--data", MADE_UP, "--secure-sum"], "asks for 500"),
        (["ease", "--data", FEW, "--secure-sum"], "--profile demo, for demonstrations"),
        (["ease", *DEMO, "--secure-sum", "--cohort", "4"], "a sum would tell about a few"),
        (["markov", *DEMO, "--privacy.epsilon", "4"], "use one of popularity"),
        (["alone", *DEMO, "--secure-sum"], "sends nothing"),
        (["ease", *DEMO, "--privacy.epsilon", "4", "--privacy.delta", "1e-3", "--tune"], "one more training"),
        (["ease", *DEMO, "--secure-sum", "half"], "half"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(line: list[str], said: str, tmp_path: Path) -> None:
    assert said in refused("train", *line, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_spent_budget_is_one_sentence(tmp_path: Path) -> None:
    line = ["train", "ease", *DEMO, "--privacy.epsilon", "4", "--privacy.delta", "1e-3"]
    line += ["--privacy.ledger", str(tmp_path / "people"), "--privacy.budget", "5"]
    done(*line)
    found = call(*line)
    assert found.code in (1, 2)
    assert "nothing was released" in found.lines[-1]
    assert found.out == ""
