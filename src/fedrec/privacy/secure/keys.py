"""Keys: X25519 agreements, HKDF-SHA-256, ChaCha20-Poly1305 envelopes and Ed25519 signatures, all of `cryptography`.

That package is imported on first use, so that the core of fedrec installs and runs without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from fedrec.contract import ConfigError
from fedrec.privacy.secure.messages import Bytes, digest

Random = Callable[[int], bytes]


class _Primitives:
    def __init__(self) -> None:
        from cryptography.exceptions import InvalidSignature, InvalidTag
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        self.bad_signature, self.bad_tag = InvalidSignature, InvalidTag
        self.sign_key, self.verify_key = ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey
        self.agree_key, self.agree_public = x25519.X25519PrivateKey, x25519.X25519PublicKey
        self.cipher, self.aes, self.ctr = Cipher, algorithms.AES, modes.CTR
        self.aead, self.hkdf, self.sha256 = ChaCha20Poly1305, HKDF, hashes.SHA256


@cache
def primitives() -> Any:
    """Return the primitives of `cryptography`, or say how to get them."""
    try:
        return _Primitives()
    except ImportError as error:
        raise ConfigError(
            f"the secure sum needs the package cryptography, which cannot be imported ({error}): "
            "install it with: pip install 'fedrec[privacy]'"
        ) from error


class Identity:
    """A client's long-lived Ed25519 key; its public half is what the others have pinned."""

    def __init__(self, secret: bytes) -> None:
        self._key = primitives().sign_key.from_private_bytes(secret)
        self.public: bytes = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"Identity({self.public.hex()[:16]}...)"

    @classmethod
    def generate(cls) -> Identity:
        """Return a new identity from the operating system's randomness."""
        return cls(os.urandom(32))

    def sign(self, signed: Bytes) -> bytes:
        """Return the 64-byte signature over a message's header and body."""
        out: bytes = self._key.sign(digest("signature", signed))
        return out


def verify(public: bytes, signature: bytes, signed: Bytes) -> bool:
    """Return whether the owner of the pinned key signed this header and body."""
    p = primitives()
    try:
        p.verify_key.from_public_bytes(public).verify(signature, digest("signature", signed))
    except (p.bad_signature, ValueError):
        return False
    return True


class KeyPair:
    """An X25519 key pair that lives for one round."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._key = primitives().agree_key.from_private_bytes(secret)
        self.public: bytes = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"KeyPair({self.public.hex()[:16]}...)"

    def agree(self, peer: bytes) -> bytes | None:
        """Return the 32-byte shared secret, or None for a public key of small order, which would make it known."""
        p = primitives()
        try:
            out: bytes = self._key.exchange(p.agree_public.from_public_bytes(peer))
        except ValueError:
            return None
        return out


def derive(secret: bytes, session: bytes, purpose: str, first: int, second: int) -> bytes:
    """Return a 256-bit key for one purpose between two clients in one session.

    ``session`` is a hash over the protocol version, the round, the model's hash, the roster and the signed key list.
    """
    p = primitives()
    info = f"fedrec {purpose}\0".encode() + first.to_bytes(4, "little") + second.to_bytes(4, "little")
    out: bytes = p.hkdf(algorithm=p.sha256(), length=32, salt=session, info=info).derive(secret)
    return out


# The nonce may be constant: every key below is derived for one direction of one pair in one round, and used once.
_NONCE = bytes(12)


def seal(key: bytes, plain: bytes, session: bytes) -> bytes:
    """Encrypt and authenticate under a key that is used for this one message."""
    out: bytes = primitives().aead(key).encrypt(_NONCE, plain, session)
    return out


def unseal(key: bytes, sealed: bytes, session: bytes) -> bytes | None:
    """Return what was sealed, or None when it was not sealed under this key for this session."""
    p = primitives()
    try:
        out: bytes = p.aead(key).decrypt(_NONCE, sealed, session)
    except p.bad_tag:
        return None
    return out
