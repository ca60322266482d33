"""The budget ledger never counts less than was released: killed, torn, rolled back, corrupted, run twice."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import fedrec
from fedrec.contract import ConfigError, StorageError
from fedrec.privacy import budget as module
from fedrec.privacy.accountant import Release, cost, gaussian_mu, variance_for
from fedrec.privacy.budget import Budget, BudgetLedger, BudgetSpentError, yearly

FOUR = Budget(4.0, 1e-5)
LARGE = Budget(1e3, 1e-5)
STEP = Release(1000.0, 4e8, entries=640_000, shares=500)  # mu = .05


def filled(folder: Path, releases: int = 3, budget: Budget = LARGE) -> Path:
    path = folder / "ledger.jsonl"
    with BudgetLedger(path, budget) as ledger:
        for n in range(releases):
            ledger.spend(STEP, f"round {n}")
    return path


def count(path: Path, budget: Budget = LARGE) -> int:
    with BudgetLedger(path, budget) as ledger:
        return len(ledger.releases)


def test_a_planned_run_spends_its_budget_to_the_end_and_no_further(tmp_path: Path) -> None:
    variance = variance_for(4.0, 1e-5, 5000.0, 640_000, 500, times=5)
    release = Release(5000.0, variance, 640_000, 500)
    with BudgetLedger(tmp_path / "new" / "ledger.jsonl", FOUR) as ledger:
        assert ledger.check([release] * 5).epsilon <= 4.0
        spent = [ledger.spend(release, f"round {n}").epsilon for n in range(5)]
        assert spent == sorted(spent)
        assert 3.9999 < spent[-1] <= 4.0
        assert ledger.remaining.epsilon < 0.01
        with pytest.raises(
            BudgetSpentError, match=r"'round 5' would bring epsilon to 4\.\d+ .* the budget of .* is 4 and"
        ):
            ledger.spend(release, "round 5")
        assert len(ledger.releases) == 5
    assert count(tmp_path / "new" / "ledger.jsonl", FOUR) == 5


def test_a_plan_beyond_the_budget_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = filled(tmp_path, 1)
    before = path.read_bytes()
    with BudgetLedger(path, LARGE) as ledger, pytest.raises(BudgetSpentError, match="the plan would bring epsilon"):
        ledger.check([replace(STEP, times=10**9)])
    assert path.read_bytes() == before


def test_what_remains_and_what_is_spent_add_in_squares(tmp_path: Path) -> None:
    with BudgetLedger(tmp_path / "ledger.jsonl", FOUR) as ledger:
        assert ledger.spent.epsilon == 0.0
        assert ledger.remaining.epsilon == pytest.approx(4.0, rel=1e-6)
        ledger.spend(replace(STEP, times=50), "fifty rounds")
        total = ledger.spent.mu**2 + ledger.remaining.mu**2
        assert total == pytest.approx(gaussian_mu(4.0, 1e-5) ** 2, rel=1e-9)
        assert ledger.spent == cost([replace(STEP, times=50)], 1e-5)


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from fedrec.privacy.accountant import Release
from fedrec.privacy.budget import Budget, BudgetLedger
path, tries = Path(sys.argv[1]), int(sys.argv[2])
draw, printed = random.Random(1), 0
for _ in range(tries):
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        with BudgetLedger(path, Budget(1e3, 1e-5)) as ledger:
            while True:
                ledger.spend(Release(1000.0, 4e8, 640_000, 500), "round")
                os.write(into, b".")  # the release is made
    os.close(into)
    have = 0
    for _ in range(draw.randrange(4)):
        have += len(os.read(out, 1))
    until = time.perf_counter_ns() + draw.randrange(2_000_000)
    while time.perf_counter_ns() < until:
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while part := os.read(out, 4096):
        have += len(part)
    os.close(out)
    printed += have
    with BudgetLedger(path, Budget(1e3, 1e-5)) as ledger:
        print(printed, len(ledger.releases), int(ledger.recovered), flush=True)
"""


def test_a_process_killed_at_any_moment_has_not_released_more_than_is_counted(tmp_path: Path) -> None:
    tries = 60
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "ledger.jsonl"), str(tries)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(fedrec.__file__).parent.parent), "OPENBLAS_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    rows = [tuple(map(int, line.split())) for line in run.stdout.splitlines()]
    assert len(rows) == tries
    for n, (printed, counted, _) in enumerate(rows, 1):
        assert printed <= counted <= printed + n  # at most one a kill is counted and was not made
    assert rows[-1][0] > 20


class Killed(BaseException):
    pass


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open"])
@pytest.mark.parametrize("after", [False, True])
def test_every_system_call_may_be_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, after: bool
) -> None:
    """Also while the ledger is created, and half of a write may have reached the disk."""
    for which in range(12):
        path = tmp_path / f"{which}" / "ledger.jsonl"
        made, left, real = 0, [which], getattr(os, call)

        def broken(*args: object, left: list[int] = left, real: object = real) -> object:
            left[0] -= 1
            if left[0] >= 0:
                return real(*args)  # type: ignore[operator]
            if after:
                real(args[0], args[1][: len(args[1]) // 2]) if call == "write" else real(*args)  # type: ignore[operator, index]
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(module.os, call, broken)
            try:
                with BudgetLedger(path, LARGE) as ledger:
                    for _ in range(4):
                        ledger.spend(STEP, "round")
                        made += 1
            except Killed:
                pass
        assert made <= count(path) <= made + 1


def test_a_last_line_torn_at_any_byte_counts_as_spent(tmp_path: Path) -> None:
    path = filled(tmp_path)
    whole = path.read_bytes()
    last = len(whole.rstrip(b"\n").rsplit(b"\n", 1)[0]) + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end] + (b"", b"\0" * 40, b"\xff{")[end % 3])
        assert count(path) == 3
        assert path.read_bytes() == whole


def test_a_corrupted_byte_is_noticed_or_repaired_but_never_cheap(tmp_path: Path) -> None:
    path = filled(tmp_path)
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 5):
        for flip in (1, 0x80):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            try:
                counted = count(path)
            except StorageError:
                refused += 1
            else:
                assert counted == 3
                assert path.read_bytes() == whole
    assert refused > len(whole) // 5  # of 2 len / 5 tries


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_older_copy_of_the_ledger_is_refused(tmp_path: Path, kept: int) -> None:
    path = filled(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))
    with pytest.raises(StorageError, match="an older copy was put back"):
        BudgetLedger(path, LARGE)


def test_a_deleted_ledger_or_witness_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path)
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(StorageError, match="an older copy was put back"):
        BudgetLedger(path, LARGE)
    path.write_bytes(whole)
    witness = tmp_path / "ledger.jsonl.witness"
    witness.rename(tmp_path / "away")
    with pytest.raises(StorageError, match="has lost its witness"):
        BudgetLedger(path, LARGE)
    witness.write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match="is damaged"):
        BudgetLedger(path, LARGE)


def test_the_witness_of_another_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path, other = filled(tmp_path), filled(tmp_path / "other")
    path.write_bytes(other.read_bytes())
    with pytest.raises(StorageError, match="another history"):
        BudgetLedger(path, LARGE)


def test_an_older_witness_beside_a_longer_ledger_loses_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path, 2)
    witness = tmp_path / "ledger.jsonl.witness"
    old = witness.read_bytes()
    with BudgetLedger(path, LARGE) as ledger:
        for _ in range(3):
            ledger.spend(STEP, "round")
    witness.write_bytes(old)
    assert count(path) == 5


def test_a_witness_on_another_disk(tmp_path: Path) -> None:
    path, witness = tmp_path / "a" / "ledger.jsonl", tmp_path / "b" / "witness"
    with BudgetLedger(path, LARGE, witness) as ledger:
        ledger.spend(STEP, "round")
        assert ledger.head.startswith("2:")
    assert [p.name for p in path.parent.iterdir()] == ["ledger.jsonl"]
    path.unlink()
    with pytest.raises(StorageError, match="an older copy was put back"):
        BudgetLedger(path, LARGE, witness)


def test_two_processes_cannot_hold_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    code = (
        "import sys; from pathlib import Path; from fedrec.privacy.budget import *\n"
        "try: BudgetLedger(Path(sys.argv[1]), Budget(1e3, 1e-5)); print('opened')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(fedrec.__file__).parent.parent)}
    command = [sys.executable, "-c", code, str(path)]
    with BudgetLedger(path, LARGE) as ledger:
        second = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
        assert second.startswith("StorageError")
        assert "held by another process" in second
        with pytest.raises(StorageError, match="held by another process"):
            BudgetLedger(path, LARGE)
        ledger.spend(STEP, "round")
    assert count(path) == 1


RACE = """
import os, sys
from pathlib import Path
from fedrec.contract import StorageError
from fedrec.privacy.accountant import Release
from fedrec.privacy.budget import Budget, BudgetLedger
made = refused = 0
while made < 15:
    try:
        with BudgetLedger(Path(sys.argv[1]), Budget(1e3, 1e-5)) as ledger:
            before = len(ledger.releases)
            ledger.spend(Release(1000.0, 4e8, 640_000, 500), str(os.getpid()))
            assert len(ledger.releases) == before + 1
        made += 1
    except StorageError as error:
        assert "held by another process" in str(error), error
        refused += 1
print(made, refused)
"""


def test_processes_that_race_for_a_ledger_lose_no_release(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    env = {**os.environ, "PYTHONPATH": str(Path(fedrec.__file__).parent.parent), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RACE, str(path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(3)]
    made = [int(run.communicate(timeout=100)[0].split()[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert count(path) == sum(made) == 45


def test_a_ledger_replaced_under_a_running_process_stops_it(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with BudgetLedger(path, LARGE) as ledger:
        whole = path.read_bytes()
        path.rename(tmp_path / "away")
        path.write_bytes(whole)
        with pytest.raises(StorageError, match="changed or replaced"):
            ledger.spend(STEP, "round")


def test_a_forked_or_closed_ledger_does_not_spend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.jsonl"
    with BudgetLedger(path, LARGE) as ledger, monkeypatch.context() as patch:
        patch.setattr(module.os, "getpid", lambda: -1)
        with pytest.raises(StorageError, match="opened by another process"):
            ledger.spend(STEP, "round")
    with pytest.raises(StorageError, match="is closed"):
        ledger.spend(STEP, "round")
    assert count(path) == 0


def test_a_full_disk_stops_the_run_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = filled(tmp_path, 1)
    with BudgetLedger(path, LARGE) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(module.os, "fsync", full)
            with pytest.raises(StorageError, match=r"No space left on device\): nothing was released"):
                ledger.spend(STEP, "round")
        with pytest.raises(StorageError, match="open it again"):
            ledger.spend(STEP, "round")
    assert 1 <= count(path) <= 2


@pytest.mark.parametrize(
    "other", [Budget(8.0, 1e-5), Budget(4.0, 1e-4), Budget(4.0, 1e-5, 3), Budget(4.0, 1e-5, 1, "row")]
)
def test_a_budget_does_not_change_while_it_is_spent(tmp_path: Path, other: Budget) -> None:
    path = filled(tmp_path, 1, FOUR)
    with pytest.raises(ConfigError, match="a budget does not change"):
        BudgetLedger(path, other)
    assert count(path, FOUR) == 1


@pytest.mark.parametrize("other", [Budget(0.0, 1e-5), Budget(4.0, 0.0), Budget(float("nan"), 1e-5)])
def test_a_budget_of_nothing_is_refused(tmp_path: Path, other: Budget) -> None:
    with pytest.raises(ConfigError):
        BudgetLedger(tmp_path / "ledger.jsonl", other)
    assert not list(tmp_path.iterdir())


def test_a_sound_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    line, chain = module._sealed({"n": 0, "kind": "log"}, "")
    path.write_text(line + "\n", encoding="utf-8")
    witness = json.dumps({"lines": 1, "chain": chain, "next": module._sealed({"n": 1}, chain)[0]})
    (tmp_path / "ledger.jsonl.witness").write_text(witness, encoding="utf-8")
    with pytest.raises(StorageError, match="is no budget ledger of version 1"):
        BudgetLedger(path, LARGE)


def test_a_year_counts_trainings_and_trials() -> None:
    one = cost([STEP], 1e-5)
    assert yearly([STEP], 1, 1e-5).epsilon == one.epsilon
    assert yearly([STEP], 52, 1e-5).mu == pytest.approx(one.mu * 52**0.5)
    assert yearly([STEP], 12, 1e-5, tuning=3).epsilon == cost([replace(STEP, times=48)], 1e-5).epsilon
    with pytest.raises(ConfigError, match="at least 1 training"):
        yearly([STEP], 0, 1e-5)
