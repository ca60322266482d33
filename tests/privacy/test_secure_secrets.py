"""Keys and masks are used once, secrets show nowhere, and what the server holds looks like noise."""

import builtins
import logging
import os
import subprocess
import sys
from collections import Counter as Tally
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fedrec.contract import ConfigError
from fedrec.privacy import secure
from fedrec.privacy.secure import keys as secure_keys
from fedrec.privacy.secure import shamir
from fedrec.privacy.secure.masks import PIECE, add_mask, ring_type
from tests.privacy.secure_round import Counter, Round, counting_keys


def test_no_key_and_no_mask_is_used_twice() -> None:
    drawn: Tally[bytes] = Tally()

    def random(n: int) -> bytes:
        out = os.urandom(n)
        drawn[out] += 1
        return out

    rounds, n = 40, 8
    with counting_keys() as (masks, sealed):
        for number in range(rounds):  # benchmarks/secure_sum.py does this 10^4 times
            r = Round(number=number, length=1, random=random)
            r.run()
    once = [k for k, times in masks.items() if times == 1]
    assert len(once) == rounds * n  # the clients' own masks
    assert sorted(set(masks.values())) == [1, 2]
    assert sum(times == 2 for times in masks.values()) == rounds * n * (n - 1) // 2  # the two ends of a pair
    assert set(sealed.values()) == {1}
    assert len(sealed) == rounds * n * (n - 1)
    assert not set(masks) & set(sealed)
    assert set(drawn.values()) == {1}


def test_the_default_randomness_is_the_operating_systems() -> None:
    r = Round()
    made = [secure.SecureSumClient(r.ids[0], r.roster, r.expected, secure.RoundMemory(), r.vectors[0]) for _ in "ab"]
    assert made[0]._random is os.urandom
    assert made[0].receive(r.inbox[0]) != made[1].receive(r.inbox[0])


def test_secrets_and_vectors_do_not_show(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    r = Round(length=3)
    r.vectors[:] = 1_234_567_891
    secrets = []
    for _ in range(5):
        for c in r.clients:
            secrets += [c._seed, *(s for pair in c._held.values() for s in pair), *c._pairs.values()]
            secrets += [c._mask_key.secret] if c._mask_key else []
        shown = "".join(f"{x!r}{x}" for x in (*r.clients, r.server, r.ids, r.clients[0]._mask_key, r.plan))
        shown += repr([secure.messages.decode(m) for m in r.inbox.values()])
        for secret in filter(None, secrets):
            assert secret.hex()[:12] not in shown
            assert repr(secret)[2:12] not in shown
        assert "1234567891" not in shown.replace("_", "").replace(",", "")
        r.step()
    assert len(secrets) > 100
    assert caplog.text == ""
    assert capsys.readouterr() == ("", "")


def test_a_finished_client_holds_no_secret() -> None:
    r = Round()
    r.run()
    for c in r.clients:
        assert c.done
        assert (c._seed, c._held, c._pairs, c._mask_key, c._share_key, c._vector) == (b"", {}, {}, None, None, None)


def test_masked_vectors_look_uniform_and_unlike_the_vector() -> None:
    r = Round(length=60_000)
    r.vectors[:] = np.arange(60_000) % 7  # far from uniform
    r.until("masked").answer()
    pvalues = []
    for k, message in r.said.items():
        masked = np.frombuffer(message[48:-64], "<u4")
        for byte in range(4):
            counts = np.bincount((masked >> (8 * byte)) & 255, minlength=256)
            pvalues.append(stats.chisquare(counts).pvalue)
        rho = np.corrcoef(masked.astype(float), r.vectors[k].astype(float))[0, 1]
        assert abs(rho) < 4 / np.sqrt(60_000)
        assert r.vectors[k][:64].tobytes() not in message
    assert min(pvalues) > 0.001 / len(pvalues)


def test_shares_below_the_threshold_say_nothing() -> None:
    """Any 5 shares of a threshold of 6 fit every secret: the polynomial through them can end anywhere at zero."""
    shares = shamir.split(b"s" * 32, range(8), 6, Counter("shamir"))
    assert shamir.combine({k: shares[k] for k in (7, 1, 2, 0, 4, 5)}) == b"s" * 32
    assert shamir.combine({k: shares[k] for k in range(5)}) != b"s" * 32
    for guess in (bytes(32), b"\xff" * 32):
        values = {k: int.from_bytes(shares[k], "big") for k in range(5)}
        # the sixth share that would make the guess the secret exists in the field, and is as likely as any other
        sixth = next_share(values, int.from_bytes(guess, "big"), 5)
        assert shamir.combine({**{k: shares[k] for k in range(5)}, 5: sixth}) == guess


def next_share(values: dict[int, int], secret: int, holder: int) -> bytes:
    points = {0: secret, **{k + 1: v for k, v in values.items()}}
    total = 0
    for x, y in points.items():
        up = down = 1
        for other in points.keys() - {x}:
            up = up * (holder + 1 - other) % shamir.PRIME
            down = down * (x - other) % shamir.PRIME
        total += y * up * pow(down, -1, shamir.PRIME)
    return (total % shamir.PRIME).to_bytes(33, "big")


def test_a_mask_is_aes_256_in_counter_mode() -> None:
    # SP 800-38A has no vector with a zero counter; the zero block under the zero key is FIPS 197's
    target = np.zeros(4, np.uint32)
    add_mask(target, bytes(32), 1)
    assert target.tobytes().hex() == "dc95c078a2408989ad48a21492842087"
    for bits in (32, 64):
        long = np.zeros(3 * PIECE // (bits // 8) + 5, ring_type(bits))
        add_mask(long, b"k" * 32, 1)
        p = secure_keys.primitives()
        whole = p.cipher(p.aes(b"k" * 32), p.ctr(bytes(16))).encryptor().update(bytes(long.nbytes))
        assert long.tobytes() == whole
        add_mask(long, b"k" * 32, -1)
        assert not long.any()


def test_importing_the_package_does_not_import_cryptography() -> None:
    code = "import sys, fedrec.privacy.secure; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_cryptography_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_cryptography(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    secure_keys.primitives.cache_clear()
    monkeypatch.setattr(builtins, "__import__", no_cryptography)
    with pytest.raises(ConfigError, match=r"fedrec\[privacy\]"):
        secure.Identity.generate()
    monkeypatch.undo()
    secure_keys.primitives.cache_clear()
    secure.Identity.generate()
