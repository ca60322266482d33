"""Integer noise for the ring: exact discrete Gaussians from the operating system's CSPRNG.

A discrete Gaussian of variance parameter s2 has P(k) proportional to exp(-k^2 / (2 s2)) on the integers. It is sampled
exactly by rejection from a discrete Laplace law (Canonne, Kamath, Steinke, NeurIPS 2020, algorithms 1-3), vectorised:
the two coins of their algorithm that depend on the value are one coin of probability exp(-x), x rational. Each coin
compares a 64-bit uniform word with a float64 approximation; where the word is too near to decide, more random bits are
drawn and exp(-x) is computed in integer interval arithmetic until it is decided. So the floats cost no exactness: the
distance of a draw to the stated law is that of ``os.urandom`` to uniform bytes.

The number of proposals until one is accepted does not depend on the value accepted, so the time tells nothing about it
beyond what memory and the division instruction do; this is not a constant-time implementation.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from fractions import Fraction
from math import ceil, isqrt, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import ConfigError, StorageError

Read = Callable[[int], bytes]

WORD = 64
KEY = 32  # bytes of a noise key
LARGEST = Fraction(2) ** 80  # of the variance: values then stay below 2^46, far inside int64
NEAR = 2.0**-36  # the float64 value of exp(-x) is right to about 2^-50; closer than this, a coin is decided in integers
CHUNK = 1 << 17  # proposals at a time, so that memory does not grow with the vector
BYTES = 3 * WORD // 8 + 1  # of randomness in one proposal: three words and a sign


def exp_bounds(x: Fraction, bits: int) -> tuple[int, int]:
    """Return integers (low, high) with low <= 2^bits exp(-x) <= high, x >= 0.

    Taylor's series at x / 2^j <= 1/2 in fixed point, each rounding counted, then j squarings of the interval.
    """
    halvings = (2 * x.numerator // x.denominator).bit_length()
    width = bits + 2 * halvings + 32
    y = (x.numerator << width) // (x.denominator << halvings)
    term, total, n = 1 << width, 1 << width, 0
    while term:
        n += 1
        term = term * y // (n << width)
        total += -term if n % 2 else term
    low, high = total - 2 * n - 3, total + 2 * n + 3  # a term is off by < 2, y by < 1, the rest of the series by < 1
    for _ in range(halvings):
        low, high = low * low >> width, (high * high >> width) + 1
    return max(low >> (width - bits), 0), (high >> (width - bits)) + 1


class _Uniform:
    """A uniform number in [0, 1) whose bits are drawn as they are needed, from its first 64 on."""

    def __init__(self, word: int, read: Read) -> None:
        self.prefix, self.bits, self.read = word, WORD, read

    def below_exp(self, x: Fraction) -> bool:
        """Return whether the number is below exp(-x), exactly."""
        if x == 0:
            return True
        while True:
            low, high = exp_bounds(x, self.bits)
            if self.prefix + 1 <= low:
                return True
            if self.prefix >= high:
                return False
            self.prefix = (self.prefix << WORD) | int.from_bytes(self.read(WORD // 8), "little")
            self.bits += WORD


def _powers() -> NDArray[np.uint64]:
    """Return floor(2^64 exp(-v)) for v = 45 down to 1, ascending; the first is 0."""
    out = []
    for v in range(45, 0, -1):
        low, high = exp_bounds(Fraction(v), WORD + 64)
        assert low >> 64 == high >> 64  # otherwise the floor would not be known
        out.append(low >> 64)
    return np.array(out, np.uint64)


POWERS = _powers()


class NoiseKey:
    """A client's secret from which its noise is drawn, so that a round that is repeated after a crash adds the same.

    The key comes from ``os.urandom``; it is kept with the client's private state until the training has ended, and
    then forgotten: whoever has it can take the noise off again. Two contexts give independent noise (SHAKE-256 over
    key, context and a counter).
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY:
            raise StorageError(f"a noise key of {len(secret)} bytes, expected {KEY}: the file is damaged; train anew")
        self.secret = secret

    def __repr__(self) -> str:
        return "NoiseKey(...)"

    @classmethod
    def fresh(cls) -> NoiseKey:
        """Return a new key from the operating system's randomness."""
        return cls(os.urandom(KEY))

    @property
    def fingerprint(self) -> bytes:
        """Hash by which two keys are told apart; it gives nothing of the key away."""
        return hashlib.sha256(b"fedrec noise key" + self.secret).digest()

    def stream(self, context: bytes) -> Read:
        """Return a source of bytes for one context; each call goes on where the last one ended."""
        base = hashlib.shake_256(self.secret + len(context).to_bytes(8, "little") + context)
        calls = 0

        def read(n: int) -> bytes:
            nonlocal calls
            block = base.copy()
            block.update(calls.to_bytes(8, "little"))
            calls += 1
            return block.digest(n)

        return read


class DiscreteGaussian:
    """Exact draws of the discrete Gaussian law of one variance.

    ``variance``: the parameter s2 in squared ring steps, 0 < s2 <= 2^80, taken as the exact rational number it is.
    Randomness comes from ``os.urandom``; there is no seed to set. Raises ConfigError for another variance.
    """

    def __init__(self, variance: Fraction | int | float) -> None:
        try:
            self.variance = Fraction(variance)
        except (ValueError, OverflowError):
            self.variance = Fraction(0)
        if not 0 < self.variance <= LARGEST:
            raise ConfigError(
                f"the variance of integer noise is {variance}, expected more than 0 and at most 2^80 squared ring "
                "steps: choose another quantum or noise multiplier"
            )
        self.scale = isqrt(self.variance.numerator // self.variance.denominator) + 1  # of the Laplace law proposed
        self._read: Read = os.urandom

    @classmethod
    def keyed(cls, variance: Fraction | int | float, key: NoiseKey, context: bytes) -> DiscreteGaussian:
        """Return a sampler whose draws are a function of a secret key and of what they are for."""
        made = cls(variance)
        made._read = key.stream(context)
        return made

    @classmethod
    def _for_tests(cls, variance: Fraction | int | float, read: Read) -> DiscreteGaussian:
        """Return a sampler whose random bytes come from ``read``; only tests may call this."""
        made = cls(variance)
        made._read = read
        return made

    def draw(self, n: int) -> NDArray[np.int64]:
        """Return ``n`` independent draws, (n,) int64."""
        out = np.empty(n, np.int64)
        have = 0
        while have < n:
            # about 48 % of the proposals are accepted for large variances, fewer for small ones
            got = self._accepted(min(CHUNK, 64 + int(2.3 * (n - have))))[: n - have]
            out[have : have + len(got)] = got
            have += len(got)
        return out

    def _accepted(self, proposals: int) -> NDArray[np.int64]:
        """Return the accepted ones of so many proposals, in order."""
        data = self._read(BYTES * proposals)
        words = np.frombuffer(data, "<u8", 3 * proposals).reshape(3, proposals)
        negative = (np.frombuffer(data, np.uint8, offset=24 * proposals) & 1).astype(bool)
        whole = 2**WORD - 2**WORD % self.scale  # words from here on would favour small remainders
        keep = words[0] <= np.uint64(whole - 1)
        part = (words[0] % np.uint64(self.scale)).astype(np.int64)
        times = self._geometric(words[1])
        size = part + np.int64(self.scale) * times
        keep &= self._coins(words[2], part, size) & ~(negative & (size == 0))  # zero has one sign, not two
        return np.asarray(np.where(negative, -size, size)[keep], np.int64)

    def _geometric(self, words: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return how many v >= 1 have word / 2^64 < exp(-v): P(at least v) = exp(-v)."""
        place = np.searchsorted(POWERS, words, side="right")
        count = np.asarray(len(POWERS) - place, np.int64)
        for i in np.flatnonzero(POWERS[place - 1] == words):  # the word lies on a threshold: more bits decide
            number, v = _Uniform(int(words[i]), self._read), 0
            while number.below_exp(Fraction(v + 1)):
                v += 1
            count[i] = v
        return count

    def _coins(self, words: NDArray[np.uint64], part: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether each proposal is accepted: part / t for the Laplace law, the square for the Gaussian."""
        variance, scale = float(self.variance), float(self.scale)
        exponent = part / scale + np.square(size - variance / scale) / (2.0 * variance)
        gap = np.exp(-exponent) - words.astype(np.float64) * 2.0**-WORD
        accept = np.asarray(gap > 0.0)
        for i in np.flatnonzero(np.abs(gap) <= NEAR):
            x = self._exponent(int(part[i]), int(size[i]))
            accept[i] = _Uniform(int(words[i]), self._read).below_exp(x)
        return accept

    def _exponent(self, part: int, size: int) -> Fraction:
        s2, t = self.variance, self.scale
        return Fraction(part, t) + (size - s2 / t) ** 2 / (2 * s2)


def share(variance: Fraction | int | float, survivors: int) -> DiscreteGaussian:
    """Return the sampler of one client's share: ``survivors`` of them make up ``variance``.

    ``survivors``: the smallest number of clients the round accepts; more of them only add noise. Raises ConfigError.
    """
    if survivors < 1:
        raise ConfigError(f"noise shares for {survivors} survivors: at least 1 client must reach the sum")
    return DiscreteGaussian(DiscreteGaussian(variance).variance / survivors)


def add_noise(ring: NDArray[Any], sampler: DiscreteGaussian) -> None:
    """Add one draw to each entry of ``ring`` (int32 or int64, any shape) in place, modulo the ring's size."""
    if ring.dtype not in (np.dtype(np.int32), np.dtype(np.int64)):
        raise ConfigError(f"noise is added to int32 or int64 rings, not to {ring.dtype}: quantise first")
    ring += sampler.draw(ring.size).reshape(ring.shape).astype(ring.dtype)  # the cast and the sum wrap, as masks do


def tail(variance: Fraction | float, entries: int, bits: int = 40) -> int:
    """Return L with P(any of ``entries`` noise values exceeds L in size) <= 2^-bits.

    ``variance``: of all shares together that may arrive. Discrete Gaussians are sub-Gaussian with their parameter as
    proxy and proxies add (Canonne et al. 2020, lemma on the moment generating function): P(|X| >= L) <= 2 exp(-L^2 /
    (2 s2)), then the union over entries.
    """
    return ceil(sqrt(2.0 * float(variance) * (log(2.0) * (1 + bits) + log(max(entries, 1)))))


def ring_bits(peak: int, variance: Fraction | float, entries: int, bits: int = 40) -> int:
    """Return the width of ring in which sum plus noise wraps with probability <= 2^-bits in any entry.

    ``peak``: largest |sum| without noise, in ring steps.
    """
    return (peak + tail(variance, entries, bits)).bit_length() + 1


def check_head_room(width: int, peak: int, variance: Fraction | float, entries: int) -> None:
    """Raise ConfigError when a ring of ``width`` bits may wrap with probability above 2^-40."""
    need = ring_bits(peak, variance, entries)
    if need > width:
        raise ConfigError(
            f"sums up to {peak:,} steps with noise of standard deviation {sqrt(float(variance)):,.1f} need a ring of "
            f"{need} bits, this one has {width}: choose bits=64 or a coarser quantum"
        )
