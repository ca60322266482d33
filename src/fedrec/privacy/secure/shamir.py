"""Shamir's secret sharing of 32 bytes over the prime field of 2^256 + 297 (Shamir, CACM 1979).

The share of holder ``k`` is the polynomial at ``k + 1``; fewer than ``threshold`` shares say nothing about the secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fedrec.privacy.secure.messages import SHARE

PRIME = 2**256 + 297


def split(secret: bytes, holders: Sequence[int], threshold: int, random: Callable[[int], bytes]) -> dict[int, bytes]:
    """Return one share of 33 bytes per holder; any ``threshold`` of them give the 32-byte secret back."""
    # 48 bytes reduced modulo a 257-bit prime are uniform up to 2^-127
    draws = random(48 * (threshold - 1))
    high = [int.from_bytes(draws[48 * k : 48 * (k + 1)], "big") % PRIME for k in range(threshold - 1)]
    out = {}
    for holder in holders:
        value = 0
        for coefficient in high:
            value = (value + coefficient) * (holder + 1) % PRIME
        out[holder] = ((value + int.from_bytes(secret, "big")) % PRIME).to_bytes(SHARE, "big")
    return out


def combine(shares: Mapping[int, bytes]) -> bytes | None:
    """Return the secret at zero of exactly the shares given, or None when it is no 32-byte secret."""
    points = [holder + 1 for holder in shares]
    whole = 1
    for x in points:
        whole = whole * x % PRIME
    value = 0
    for x, share in zip(points, shares.values(), strict=True):
        # Lagrange's coefficient at 0 is the product of others / (others - x)
        below = x
        for other in points:
            if other != x:
                below = below * (other - x) % PRIME
        value = (value + int.from_bytes(share, "big") * whole * pow(below, -1, PRIME)) % PRIME
    return value.to_bytes(32, "big") if value < 2**256 else None


def valid(share: bytes) -> bool:
    """Return whether these bytes are an element of the field."""
    return len(share) == SHARE and int.from_bytes(share, "big") < PRIME
