"""Integer noise: the law it has, the coins it tosses, the tails it may reach, and no seed to be had."""

import re
from fractions import Fraction
from math import exp, fsum, sqrt
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import fedrec
from fedrec.contract import ConfigError, StorageError
from fedrec.privacy import noise
from fedrec.privacy.noise import (
    DiscreteGaussian,
    NoiseKey,
    add_noise,
    check_head_room,
    exp_bounds,
    ring_bits,
    share,
    tail,
)

SOURCE = Path(fedrec.__file__).parent


def reader(seed: int) -> noise.Read:
    """Return a repeatable source of bytes, so that a chi-square test fails for a reason or never."""
    return np.random.Generator(np.random.Philox(key=seed)).bytes


def masses(variance: float, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the integers within ``reach`` and their exact probabilities."""
    k = np.arange(-reach, reach + 1)
    weights = np.array([exp(-(int(i) ** 2) / (2 * variance)) for i in k])
    return k, weights / fsum(weights)


def chi_square(draws: np.ndarray, variance: float) -> float:
    """Return the p-value of the draws under the exact law, neighbours pooled until each cell expects >= 50."""
    k, p = masses(variance, int(14 * sqrt(variance)) + 10)
    observed = np.bincount(draws + k[-1], minlength=len(k))
    cell = np.floor(np.cumsum(p) * min(len(draws) / 50, 400)).astype(int)
    seen, expected = np.bincount(cell, observed), np.bincount(cell, p) * len(draws)
    used = expected >= 5
    return float(stats.chisquare(seen[used], expected[used] * seen[used].sum() / expected[used].sum()).pvalue)


@pytest.mark.parametrize("variance", [0.09, 0.5, 1.0, 2.25, 30.25, 1e4, 1e9 + 0.3])
def test_a_million_draws_have_the_exact_law(variance: float) -> None:
    draws = DiscreteGaussian._for_tests(variance, reader(7)).draw(10**6)
    if variance > 1e6:  # too many integers to list: their differences to the normal law are far below what is seen
        z = draws / sqrt(variance)
        assert stats.kstest(z, "norm").pvalue > 0.001
        assert abs(np.mean(draws % 2) - 0.5) < 0.002
        return
    assert chi_square(draws, variance) > 0.001


def test_the_chi_square_test_sees_a_variance_that_is_one_percent_off() -> None:
    draws = DiscreteGaussian._for_tests(30.25 * 1.01, reader(7)).draw(10**6)
    assert chi_square(draws, 30.25) < 1e-6


def test_without_a_reader_the_bytes_come_from_the_operating_system() -> None:
    sampler = DiscreteGaussian(100)
    assert sampler._read is noise.os.urandom
    one, two = sampler.draw(1000), sampler.draw(1000)
    assert not np.array_equal(one, two)
    assert 60 < np.concatenate([one, two]).var() < 140


def test_the_sum_of_the_survivors_shares_has_the_whole_variance() -> None:
    survivors, variance = 40, 900.0
    sampler = share(variance, survivors)
    assert sampler.variance == Fraction(variance) / survivors
    sampler._read = reader(3)
    total = sampler.draw(40 * 50_000).reshape(survivors, -1).sum(0)
    assert chi_square(total, variance) > 0.001  # 22.5 a share: the sum is one discrete Gaussian to 1e-90


@given(st.fractions(0, 60, max_denominator=10**6), st.integers(8, 200))
def test_bounds_of_exp_hold(x: Fraction, bits: int) -> None:
    with mpmath.workprec(500):
        true = mpmath.exp(-mpmath.mpf(x.numerator) / x.denominator) * 2**bits
        low, high = exp_bounds(x, bits)
        assert low <= true <= high
        assert high - low <= 3


@given(st.fractions(0, 60, max_denominator=1000), st.integers(-2, 2), st.booleans())
def test_a_coin_too_near_to_call_is_decided_by_more_bits(x: Fraction, off: int, high: bool) -> None:
    word = min(max(exp_bounds(x, 64)[0] + off, 0), 2**64 - 1)
    more = (b"\xff" if high else b"\x00") * 8
    with mpmath.workprec(2000):
        u = (mpmath.mpf(word) + (1 - mpmath.mpf(2) ** -1000 if high else 0)) / 2**64
        true = bool(u < mpmath.exp(-mpmath.mpf(x.numerator) / x.denominator)) or x == 0
    assert noise._Uniform(word, lambda _: more).below_exp(x) == true


def test_the_float_coin_is_much_nearer_than_the_margin_within_which_it_is_not_trusted() -> None:
    rng = np.random.Generator(np.random.Philox(key=1))
    for variance in (0.01, 0.7, 9.0, 1e5 + 0.1, 1e12, 2.0**80):
        sampler = DiscreteGaussian(variance)
        part = rng.integers(0, sampler.scale, 300)
        size = part + sampler.scale * rng.geometric(0.4, 300) - sampler.scale
        v, t = float(sampler.variance), float(sampler.scale)
        floats = np.exp(-(part / t + np.square(size - v / t) / (2 * v)))
        for i, got in enumerate(floats):
            low, _ = exp_bounds(sampler._exponent(int(part[i]), int(size[i])), 128)
            assert abs(Fraction(low, 2**128) - Fraction(float(got))) < Fraction(noise.NEAR) / 1000


def test_words_on_a_threshold_are_decided_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a margin of 1 every coin goes the exact way: the draws are the same bits."""
    quick = DiscreteGaussian._for_tests(9.5, reader(5)).draw(3000)
    monkeypatch.setattr(noise, "NEAR", 2.0)
    assert np.array_equal(DiscreteGaussian._for_tests(9.5, reader(5)).draw(3000), quick)


def test_geometric_thresholds() -> None:
    sampler = DiscreteGaussian._for_tests(4, lambda n: b"\xff" * n)
    e1, e2 = (exp_bounds(Fraction(v), 64)[0] for v in (1, 2))
    words = np.array([2**64 - 1, e1 + 2, e1 - 2, e2 + 2, e2 - 2, 0, 1], np.uint64)
    assert sampler._geometric(words).tolist() == [
        0,
        0,
        1,
        1,
        2,
        44,
        43,
    ]  # exp(-44) is 1.4 of 2^-64: 1 followed by ones is above
    assert DiscreteGaussian._for_tests(4, lambda n: b"\x00" * (n - 1) + b"\x01")._geometric(words[5:6])[0] > 44


@pytest.mark.parametrize("variance", [0.3, 2.0, 50.0])
def test_tails_are_bounded(variance: float) -> None:
    with mpmath.workprec(400):
        weight = [mpmath.exp(-(mpmath.mpf(k) ** 2) / (2 * variance)) for k in range(400)]
        total = weight[0] + 2 * mpmath.fsum(weight[1:])
        for entries, bits in ((1, 10), (1, 40), (640_000, 40)):
            beyond = 2 * mpmath.fsum(weight[tail(variance, entries, bits) + 1 :]) / total
            assert beyond * entries <= mpmath.mpf(2) ** -bits


def test_head_room_counts_the_sign_bit_and_the_tail() -> None:
    assert ring_bits(2**30, 1e-6, 1) == 32
    assert ring_bits(2**31 - 1, 100.0, 1) == 33
    assert 9.1 * 100 < tail(1e4, 640_000) < 9.3 * 100
    check_head_room(32, 2**30, 1e12, 640_000)
    with pytest.raises(ConfigError, match="need a ring of 34 bits, this one has 32"):
        check_head_room(32, 2**30, 4e17, 640_000)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_noise_is_added_modulo_the_ring(dtype: type) -> None:
    ring = np.full((4, 5), np.iinfo(dtype).max, dtype)
    before = ring.copy()
    add_noise(ring, DiscreteGaussian._for_tests(1e6, reader(2)))
    expected = DiscreteGaussian._for_tests(1e6, reader(2)).draw(20).reshape(4, 5)
    with np.errstate(over="ignore"):
        assert np.array_equal(ring - before, expected.astype(dtype))
    assert (ring < 0).any()


@pytest.mark.parametrize("variance", [0, -1.0, float("nan"), float("inf"), 2.0**81])
def test_other_variances_are_refused(variance: float) -> None:
    with pytest.raises(ConfigError, match="expected more than 0 and at most"):
        DiscreteGaussian(variance)


def test_a_key_gives_the_same_noise_for_the_same_purpose_and_no_other() -> None:
    key = NoiseKey.fresh()
    first = DiscreteGaussian.keyed(400, key, b"round 1").draw(3000)
    assert np.array_equal(DiscreteGaussian.keyed(400, key, b"round 1").draw(3000), first)
    for other in (
        DiscreteGaussian.keyed(400, key, b"round 2"),
        DiscreteGaussian.keyed(400, NoiseKey.fresh(), b"round 1"),
    ):
        again = other.draw(3000)
        assert abs(np.corrcoef(first, again)[0, 1]) < 0.1
    assert len({NoiseKey.fresh().secret for _ in range(50)}) == 50
    assert key.secret.hex() not in repr(key)
    with pytest.raises(StorageError, match="31 bytes"):
        NoiseKey(bytes(31))


def test_draws_from_a_key_have_the_law() -> None:
    draws = DiscreteGaussian.keyed(30.25, NoiseKey(bytes(range(32))), b"x").draw(10**6)
    assert chi_square(draws, 30.25) > 0.001


def test_other_rings_and_no_survivors_are_refused() -> None:
    with pytest.raises(ConfigError, match="not to float64"):
        add_noise(np.zeros(3), DiscreteGaussian(1))
    with pytest.raises(ConfigError, match="at least 1 client"):
        share(1.0, 0)


def test_a_seed_is_reachable_from_tests_only() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        uses = re.findall(r"\._for_tests\b|\._read\s*=", text)
        assert uses == (["._read ="] * 2 if path.name == "noise.py" else []), path  # of a key, and of the tests
        keys = re.findall(r"\bNoiseKey\(\S|\.keyed\(", text)
        known = {"protection.py": [".keyed("], "guard.py": ["NoiseKey(p"], "noise.py": ["NoiseKey(."]}
        assert keys == known.get(path.name, []), f"{path}: noise is drawn from a fresh key, or one read back"
    assert not re.search(r"seed\s*[:=]", (SOURCE / "privacy" / "noise.py").read_text(encoding="utf-8"))
    assert "np.random" not in (SOURCE / "privacy" / "noise.py").read_text(encoding="utf-8")
