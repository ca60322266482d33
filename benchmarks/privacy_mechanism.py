"""Figures of docs/privacy_mechanism.md: noise per epsilon, integers against the continuous Gaussian, speed, ledger."""

from __future__ import annotations

import tempfile
import time
from math import sqrt
from pathlib import Path

from fedrec.privacy.accountant import Release, cost, gaussian_sigma, rounded_sensitivity, variance_for, zcdp_epsilon
from fedrec.privacy.budget import Budget, BudgetLedger
from fedrec.privacy.noise import DiscreteGaussian, ring_bits

ENTRIES, PEOPLE, SURVIVORS, ROUNDS, STEP, DELTA = 640_000, 6_000, 3_000, 5, 2.0**-17, 1e-5


def noise() -> None:
    size = rounded_sensitivity(1.0, STEP, ENTRIES)
    print(f"sensitivity 1 is {size:,.0f} steps after rounding, {size * STEP - 1:.2%} more")
    print("epsilon  sigma  (continuous, not rounded)  a share, steps  integers cost  zCDP says  ring bits")
    for epsilon in (8, 4, 2, 1):
        variance = variance_for(epsilon, DELTA, size, ENTRIES, SURVIVORS, ROUNDS)
        paid = cost([Release(size, variance, ENTRIES, SURVIVORS, ROUNDS)], DELTA)
        print(
            f"{epsilon:7} {sqrt(variance) * STEP:6.3f} {gaussian_sigma(epsilon, DELTA, [1.0] * ROUNDS):27.3f}"
            f"{sqrt(variance / SURVIVORS):16,.0f} {paid.epsilon / paid.continuous - 1:+14.1e} {paid.zcdp:10.3f}"
            f"{ring_bits(int(PEOPLE / STEP), variance * PEOPLE / SURVIVORS, ENTRIES):11}"
        )
    for sigma in (10, 20, 30, 100):
        paid = cost([Release(sigma / 4, sigma**2, ENTRIES)], DELTA)
        print(f"noise of {sigma} steps: {paid.epsilon / paid.continuous - 1:.3%} more epsilon than continuous")
    print(f"one release at sigma 3.731: epsilon 1, by zCDP {zcdp_epsilon(0.5 / 3.7306**2, DELTA):.3f}")


def speed() -> None:
    for sigma in (3, 1_000, 10**6):
        sampler = DiscreteGaussian(sigma**2)
        sampler.draw(100)
        start = time.process_time()
        sampler.draw(10**6)
        print(f"10^6 draws, sigma {sigma:,}: {time.process_time() - start:.2f} CPU-s")
    with tempfile.TemporaryDirectory() as folder, BudgetLedger(Path(folder) / "l", Budget(100.0, DELTA)) as ledger:
        start = time.perf_counter()
        for n in range(200):
            ledger.spend(Release(1000.0, 4e8), f"round {n}")
        print(f"ledger: {(time.perf_counter() - start) / 200 * 1e3:.1f} ms a release (200 of them, this disk)")


if __name__ == "__main__":
    noise()
    speed()
