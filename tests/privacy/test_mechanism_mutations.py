"""Noise, accountant and ledger, broken one line at a time: the guard made for each defect must notice it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.contract import ConfigError, StorageError
from fedrec.privacy.accountant import Release
from tests.privacy.mutants import load
from tests.privacy.test_noise import chi_square, reader

NOISE, ACCOUNTANT, BUDGET = "privacy/noise.py", "privacy/accountant.py", "privacy/budget.py"
STEP = Release(1000.0, 4e8, entries=1000, shares=10)


def law(noise: Any, folder: Path) -> None:
    for variance in (0.5, 30.25):
        draws = noise.DiscreteGaussian._for_tests(variance, reader(7)).draw(10**5)
        assert chi_square(draws, variance) > 0.001


def source_of_bytes(noise: Any, folder: Path) -> None:
    assert noise.DiscreteGaussian(5)._read is os.urandom


def shares(noise: Any, folder: Path) -> None:
    assert noise.share(100, 4).variance == 25


def noise_in_the_ring(noise: Any, folder: Path) -> None:
    ring = np.zeros(10_000, np.int32)
    noise.add_noise(ring, noise.DiscreteGaussian(10_000))
    assert 9_000 < ring.astype(float).var() < 11_000


def head_room(noise: Any, folder: Path) -> None:
    assert 9.1 * 100 < noise.tail(1e4, 640_000) < 9.3 * 100
    assert noise.ring_bits(2**30, 1e-6, 1) == 32


def composition(accountant: Any, folder: Path) -> None:
    paid = accountant.cost([accountant.Release(500.0, 1e6, times=4), accountant.Release(500.0, 1e6)], 1e-5, 2)
    assert abs(paid.mu / (2 * 0.5 * 5**0.5) - 1) < 1e-4
    assert round(accountant.gaussian_epsilon(20**0.5 / 5, 1e-5), 3) == 3.849
    assert 1e-6 < paid.epsilon / paid.continuous - 1 < 1e-3


def slack(accountant: Any, folder: Path) -> None:
    paid = accountant.cost([accountant.Release(5.0, 5.0 * 20, entries=10, shares=70)], 1e-5)
    assert paid.slack > 10 * 4 * np.exp(-(np.pi**2) * 100 / 70) * 0.99
    assert accountant.shares_slack(2.0, 2) > 1e-4


def refusals(accountant: Any, folder: Path) -> None:
    with pytest.raises(ConfigError):
        accountant.Release(1.0, 100.0, sampling=0.5)
    with pytest.raises(ConfigError):
        accountant.cost([accountant.Release(1.0, 4.0)], 1e-5)


def refused(budget: Any, path: Path, **more: Any) -> None:
    with pytest.raises(StorageError):
        budget.BudgetLedger(path, budget.Budget(**({"epsilon": 100.0, "delta": 1e-5} | more)))


def spent(budget: Any, folder: Path, releases: int = 2) -> Path:
    with budget.BudgetLedger(folder / "l", budget.Budget(100.0, 1e-5)) as ledger:
        for _ in range(releases):
            ledger.spend(STEP, "round")
    return folder / "l"


def order_of_writing(budget: Any, folder: Path) -> None:
    """Witness written, synced, renamed, folder synced; ledger written, synced; only then does spend return."""
    calls: list[str] = []

    class Recorder:
        def __getattr__(self, name: str) -> Any:
            real = getattr(os, name)
            if name not in ("write", "fsync", "replace"):
                return real

            def recorded(*args: Any) -> Any:
                calls.append(name)
                return real(*args)

            return recorded

    with budget.BudgetLedger(folder / "l", budget.Budget(100.0, 1e-5)) as ledger:
        budget.os = Recorder()
        ledger.spend(STEP, "round")
    assert calls == ["write", "fsync", "replace", "fsync", "write", "fsync", "fsync"]


def budget_is_kept(budget: Any, folder: Path) -> None:
    with (
        budget.BudgetLedger(folder / "l", budget.Budget(0.1, 1e-5)) as ledger,
        pytest.raises(budget.BudgetSpentError),
    ):
        ledger.spend(STEP, "round")


def one_holder(budget: Any, folder: Path) -> None:
    with budget.BudgetLedger(folder / "l", budget.Budget(100.0, 1e-5)):
        refused(budget, folder / "l")


def torn_line_counts(budget: Any, folder: Path) -> None:
    path = spent(budget, folder)
    path.write_bytes(path.read_bytes()[:-20])
    with budget.BudgetLedger(path, budget.Budget(100.0, 1e-5)) as ledger:
        assert len(ledger.releases) == 2


def older_copy(budget: Any, folder: Path) -> None:
    path = spent(budget, folder, 3)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    refused(budget, path)


def changed_figures(budget: Any, folder: Path) -> None:
    path = spent(budget, folder, 3)
    path.write_bytes(path.read_bytes().replace(b"1000.0", b"0001.0", 1))
    refused(budget, path)
    path.write_bytes(path.read_bytes().replace(b"0001.0", b"1.0000", 1))
    refused(budget, path)


def lost_witness(budget: Any, folder: Path) -> None:
    path = spent(budget, folder)
    (folder / "l.witness").unlink()
    refused(budget, path)


def same_budget(budget: Any, folder: Path) -> None:
    path = spent(budget, folder)
    with pytest.raises(ConfigError):
        budget.BudgetLedger(path, budget.Budget(200.0, 1e-5))


MUTATIONS: list[tuple[str, str, str, str, Callable[[Any, Path], None]]] = [
    ("half the variance", NOISE, "/ (2.0 * variance)", "/ (1.0 * variance)", law),
    ("no Laplace part", NOISE, "exponent = part / scale + ", "exponent = ", law),
    ("zero is drawn twice as often", NOISE, " & ~(negative & (size == 0))", "", law),
    ("one sign only", NOISE, "np.where(negative, -size, size)", "np.where(negative, size, size)", law),
    ("the square is not shifted", NOISE, "size - variance / scale", "size - 0 * variance / scale", law),
    ("a generator with a seed", NOISE, "Read = os.urandom", "Read = np.random.default_rng(0).bytes", source_of_bytes),
    ("each share the whole variance", NOISE, ".variance / survivors)", ".variance / 1)", shares),
    ("shares too small", NOISE, ".variance / survivors)", ".variance / survivors**2)", shares),
    ("noise is not added", NOISE, "ring += sampler", "ring += 0 * sampler", noise_in_the_ring),
    (
        "one draw for all entries",
        NOISE,
        "sampler.draw(ring.size)",
        "np.repeat(sampler.draw(1), ring.size)",
        noise_in_the_ring,
    ),
    ("entries do not count in the tail", NOISE, " + log(max(entries, 1))", "", head_room),
    ("no sign bit", NOISE, ".bit_length() + 1", ".bit_length()", head_room),
    ("repetitions are free", ACCOUNTANT, "squares.append(r.times * ", "squares.append(", composition),
    ("one membership", ACCOUNTANT, "mu = memberships * sqrt(squares)", "mu = sqrt(squares)", composition),
    ("costs add unsquared", ACCOUNTANT, "mu = memberships * sqrt(squares)", "mu = memberships * squares", composition),
    (
        "sensitivity not squared",
        ACCOUNTANT,
        "r.times * r.sensitivity**2 / (r",
        "r.times * r.sensitivity / (r",
        composition,
    ),
    ("the integers cost nothing", ACCOUNTANT, "/ (r.variance - r2)", "/ r.variance", composition),
    ("half of the ratio", ACCOUNTANT, "log_ndtr(mu / 2 - epsilon / mu)", "log_ndtr(-epsilon / mu)", composition),
    ("shares sum perfectly", ACCOUNTANT, " + shares_slack(r.variance, r.shares)", "", slack),
    ("slack for the whole sum", ACCOUNTANT, "(variance / shares) * j / (j + 1)", "variance * j / (j + 1)", slack),
    ("slack is not per entry", ACCOUNTANT, "r.times * r.entries * (", "r.times * (", slack),
    ("sampling is believed", ACCOUNTANT, "if self.sampling != 1.0:", "if self.sampling > 1.0:", refusals),
    ("narrow noise is taken", ACCOUNTANT, "if r.variance <= 2 * r2:", "if False:", refusals),
    ("the line is not synced", BUDGET, '+ b"\\n")\n        os.fsync(self._file)', '+ b"\\n")', order_of_writing),
    (
        "the witness is not synced",
        BUDGET,
        "            os.fsync(handle)\n        finally:\n            os.close(handle)\n        os.replace",
        "        finally:\n            os.close(handle)\n        os.replace",
        order_of_writing,
    ),
    ("its folder is not synced", BUDGET, "_sync_folder(self.witness.parent)", "pass", order_of_writing),
    ("no witness", BUDGET, "self._announce(_Witness(self._lines, self._chain, line))", "pass", order_of_writing),
    ("nothing is written", BUDGET, 'self._write({"kind": "release"', '({"kind": "release"', order_of_writing),
    ("the budget is a wish", BUDGET, "if after.epsilon > self.budget.epsilon:", "if False:", budget_is_kept),
    (
        "the release itself is not counted",
        BUDGET,
        "cost([*self._releases, *new]",
        "cost([*self._releases]",
        budget_is_kept,
    ),
    ("no lock", BUDGET, "fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass", one_holder),
    ("a shared lock", BUDGET, "fcntl.LOCK_EX", "fcntl.LOCK_SH", one_holder),
    (
        "a torn line is dropped",
        BUDGET,
        "        if len(lines) == witness.lines:\n",
        "        if len(lines) == witness.lines:\n            return\n        if False:\n",
        torn_line_counts,
    ),
    (
        "the ledger is its own witness",
        BUDGET,
        "witness = self._read_witness()",
        "witness = self._read_witness() and _Witness(len(lines) - 1, chains[-2], lines[-1])",
        older_copy,
    ),
    (
        "the line before the witness",
        BUDGET,
        "            self._announce(_Witness(self._lines, self._chain, line))\n            self._append(line)",
        "            self._append(line)\n            self._announce(_Witness(self._lines, self._chain, line))",
        order_of_writing,
    ),
    ("checksums are not looked at", BUDGET, "== (line, stated)", "is not None", changed_figures),
    ("a lost witness is nothing", BUDGET, "if witness is None and not text:", "if witness is None:", lost_witness),
    ("the budget may change", BUDGET, "if first != asdict(self.budget):", "if False:", same_budget),
]
GUARDS = sorted({(m[1], m[4]) for m in MUTATIONS}, key=lambda g: (g[0], g[1].__name__))


@pytest.mark.parametrize(("file", "guard"), GUARDS, ids=[g[1].__name__ for g in GUARDS])
def test_the_real_module_passes(file: str, guard: Callable[[Any, Path], None], tmp_path: Path) -> None:
    guard(load(file), tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "replacement", "guard"), [m[1:] for m in MUTATIONS], ids=[m[0] for m in MUTATIONS]
)
def test_a_broken_module_is_noticed(
    file: str, text: str, replacement: str, guard: Callable[[Any, Path], None], tmp_path: Path
) -> None:
    broken = load(file, text, replacement)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        guard(broken, tmp_path)
