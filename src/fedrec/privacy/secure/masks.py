"""Masks: AES-256 in counter mode, read as little-endian integers of the ring and added in place.

A key gives one mask of one round, so the counter starts at zero. Masks are made in pieces: no
mask is ever whole in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.privacy.secure.keys import primitives

PIECE = 1 << 16  # bytes; stays in the processor's second-level cache
_ZEROS = bytes(PIECE)

Ring = NDArray[np.unsignedinteger[Any]]


def add_mask(target: Ring, key: bytes, sign: int) -> None:
    """Add (``sign`` 1) or subtract (-1) the mask of ``key``, in the ring of the target's width."""
    p = primitives()
    stream = p.cipher(p.aes(key), p.ctr(bytes(16))).encryptor()
    buffer = bytearray(PIECE + 15)  # update_into asks for a block more than it writes
    width = target.dtype.itemsize
    for start in range(0, len(target), PIECE // width):
        part = target[start : start + PIECE // width]
        size = len(part) * width
        stream.update_into(_ZEROS if size == PIECE else _ZEROS[:size], buffer)
        mask = np.frombuffer(buffer, target.dtype, len(part))
        if sign > 0:
            np.add(part, mask, out=part)
        else:
            np.subtract(part, mask, out=part)


def ring_type(bits: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the little-endian unsigned type of a ring of 2^32 or 2^64."""
    return np.dtype("<u4" if bits == 32 else "<u8")


def sign_of(client: int, peer: int) -> int:
    """Return the sign with which ``client`` adds its mask with ``peer``: opposite for the two, so they cancel."""
    return 1 if client < peer else -1
