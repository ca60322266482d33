"""Write the test vectors of the secure sum: python -m tests.privacy.make_vectors

One whole round of the demo profile with client 3 lost before its vector, all secrets fixed by a counter, and the
building blocks one by one, so that a client in another language can find where it differs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fedrec.privacy import secure
from fedrec.privacy.secure import graph, keys, masks, messages, shamir
from tests.privacy.secure_round import STAGES, Counter, Round

FOLDER = Path(__file__).parent / "vectors"


def blocks() -> dict[str, Any]:
    """Return inputs and outputs of each building block; bytes in hexadecimal."""
    secret, session = bytes(range(32)), bytes(range(32, 64))
    pair, other = keys.KeyPair(secret), keys.KeyPair(session)
    shared = pair.agree(other.public)
    assert shared is not None
    key = keys.derive(shared, session, "pair", 1, 2)
    mask = {}
    for bits in (32, 64):
        target = np.zeros(4, masks.ring_type(bits))
        masks.add_mask(target, key, 1)
        mask[str(bits)] = [str(x) for x in target]
    shares = shamir.split(secret, [0, 3, 9], 2, Counter("vectors"))
    identity = secure.Identity(secret)
    return {
        "digest": {"purpose": "plan", "data": "616263", "out": messages.digest("plan", b"abc").hex()},
        "x25519": {"secret": secret.hex(), "peer": other.public.hex(), "out": shared.hex()},
        "derive": {
            "secret": shared.hex(), "session": session.hex(), "purpose": "pair", "first": 1, "second": 2,
            "out": key.hex(),
        },
        "seal": {
            "key": key.hex(), "plain": "00" * 66, "session": session.hex(),
            "out": keys.seal(key, bytes(66), session).hex(),
        },
        "mask": {"key": key.hex(), "first_values": mask},
        "shamir": {
            "secret": secret.hex(), "threshold": 2, "coefficient": str(coefficient()),
            "shares": {str(k): v.hex() for k, v in shares.items()},
        },
        "graph": {
            "cohort": list(range(10)), "degree": 4, "session": session.hex(),
            "neighbours": {str(k): list(v) for k, v in graph.neighbours(range(10), 4, session).items()},
        },
        "sign": {"secret": secret.hex(), "public": identity.public.hex(), "signed": "616263",
                 "signature": identity.sign(b"abc").hex()},
    }  # fmt: skip


def coefficient() -> int:
    """Return the coefficient of x that the shares above were made with."""
    return int.from_bytes(Counter("vectors")(48), "big") % shamir.PRIME


def whole_round(bits: int) -> dict[str, Any]:
    """Return every message of one round, in order, with what each client started from."""
    r = Round(members=8, length=3, bits=bits, number=11)
    out: dict[str, Any] = {
        "identities": [i.public.hex() for i in r.ids],
        "identity_secrets": [i._key.private_bytes_raw().hex() for i in r.ids],
        "model": r.plan.model.hex(), "round": r.plan.round, "bits": bits, "length": r.length,
        "degree": r.plan.degree, "threshold": r.plan.threshold, "survivors": r.plan.survivors,
        "vectors": [[str(x) for x in v] for v in r.vectors],
        "randomness": "client k draws SHA-256('11/k/0'), SHA-256('11/k/1'), ... as often as bytes are asked for: "
        "32 for the mask key, 32 for the share key, 32 for the seed, then 48 * (threshold - 1) for the seed's "
        "polynomial and as many for the mask key's; each draw starts a new block",
        "stages": [],
    }  # fmt: skip
    for stage in STAGES:
        to = {str(k): m.hex() for k, m in r.inbox.items()}
        r.step([3] if stage == "masked" else [])
        same = len(set(to.values())) == 1
        out["stages"].append({
            "stage": stage, "to_clients": {"all": next(iter(to.values()))} if same else to,
            "from_clients": {str(k): m.hex() for k, m in r.said.items()},
        })  # fmt: skip
    out["sum"] = [str(x) for x in r.server.total()]
    out["in_the_sum"] = list(r.server.survivors)
    assert np.array_equal(r.server.total(), r.plain())
    return out


def files() -> dict[str, str]:
    """Return the text of each file of vectors."""
    made = {"blocks": blocks(), "round32": whole_round(32), "round64": whole_round(64)}
    return {f"{name}.json": json.dumps(content, indent=1) + "\n" for name, content in made.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
