"""Damaged messages of the secure sum, and rounds at the stage that waits for them; tests and benchmarks share this."""

from __future__ import annotations

import random
from copy import deepcopy
from functools import cache

from fedrec.privacy import secure
from fedrec.privacy.secure.errors import MessageError, ProtocolError
from fedrec.privacy.secure.messages import ENVELOPE, HEADER, REVEAL, Kind, decode, rows, table, unpack_lists
from fedrec.privacy.secure.policy import read_plan
from tests.privacy.secure_round import STAGES, Round, signed

ALL_KINDS = [*Kind, *(kind for kind in Kind if kind % 2 == 0)]  # clients' twice as often: only they are signed
AGAIN = 0.8  # of the clients' messages, so that half of all are signed again by an enrolled client


@cache
def recorded() -> dict[int, bytes]:
    """One message of each kind, as client 0 sent or got it."""
    r = Round()
    out: dict[int, bytes] = {}
    for _ in STAGES:
        got = r.inbox[0]
        r.step([3] if r.server.stage == "MASKED" else [])
        out[got[5]], out[r.said[0][5]] = got, r.said[0]
    return out


def at(stage: str) -> Round:
    """A round where the clients are about to answer, with client 3 lost before its vector."""
    r = Round()
    for name in STAGES[: STAGES.index(stage)]:
        r.step([3] if name == "masked" else [])
    return r


def fork(client: secure.SecureSumClient) -> secure.SecureSumClient:
    """A copy that may refuse in the original's place; keys of the cryptography package cannot be copied deeply."""
    out = object.__new__(secure.SecureSumClient)
    out.__dict__.update(client.__dict__)
    out._memory = deepcopy(client._memory)
    out._held, out._pairs = dict(client._held), dict(client._pairs)
    return out


def read_everything(data: bytes) -> None:
    """What any receiver may do with a message."""
    message = decode(data)
    {
        Kind.ANNOUNCE: read_plan,
        Kind.KEY_LIST: lambda b: [decode(x) for x in table(b, 208, "KEY_LIST")],
        Kind.SHARES: lambda b: list(rows(b, ENVELOPE, "SHARES")),
        Kind.INBOX: lambda b: list(rows(b, ENVELOPE, "INBOX")),
        Kind.SURVIVORS: lambda b: unpack_lists(b, 8),
        Kind.ECHOES: lambda b: [decode(x) for x in table(b, 144, "ECHOES")],
        Kind.UNMASK: lambda b: list(rows(b, REVEAL, "UNMASK")),
    }.get(message.kind, lambda b: None)(message.body)


def mutated(rng: random.Random) -> bytes:
    data = bytearray(recorded()[rng.choice(ALL_KINDS)])
    for _ in range(rng.randint(1, 4)):
        what, k = rng.randint(0, 3), rng.randrange(max(len(data), 1))
        if what == 0:
            data[k : k + 1] = bytes([rng.randrange(256)])
        elif what == 1:
            del data[k : k + rng.randint(1, 8)]
        elif what == 2:
            data[k:k] = rng.randbytes(rng.randint(1, 8))
        else:
            data[40:48] = rng.randbytes(8)
    if rng.random() < 0.5 and len(data) > HEADER.size:  # a length that fits, so that the body is looked at
        rest = len(data) - HEADER.size - (0 if data[5] % 2 else 64)
        data[44:48] = max(rest, 0).to_bytes(4, "little")
    return bytes(data)


class Target:
    """A round at each stage, taking damaged messages; after each of them it stands where it stood."""

    def __init__(self) -> None:
        self.rounds = {stage: at(stage) for stage in STAGES}

    def feed(self, rng: random.Random) -> str:
        """Send one damaged message and return what became of it; an accepted one must keep the rules."""
        data = mutated(rng)
        if len(data) < HEADER.size or data[5] not in range(1, 11):
            return self.refused(data, self.rounds["keys"])
        r = self.rounds[STAGES[(data[5] - 1) // 2]]
        if data[5] % 2:
            client = fork(r.clients[0])
            try:
                client.receive(data)
            except ProtocolError:
                return "refused"
            assert data == recorded()[data[5]], "a client answered a message that the server did not send"
            return "unchanged"
        again = rng.random() < AGAIN and len(data) >= HEADER.size + 64
        if again:  # as an enrolled client might: well signed, for this very session
            data = signed(secure, r.ids[0], data[5], r.server._session, 0, data[HEADER.size : -64])
        outcome = self.refused(data, r)
        if again:
            return outcome + ", signed again"
        if outcome == "accepted":
            assert data == recorded()[data[5]], "a message was accepted that its client did not sign"
            return "unchanged"
        return outcome

    def refused(self, data: bytes, r: Round) -> str:
        before = r.server._sum.copy()
        try:
            client = r.server.receive(data)
        except MessageError:
            assert not r.server._came
            assert (r.server._sum == before).all()
            return "refused"
        self.keeps_the_rules(data, r, client)
        r.server._came.clear()
        r.server._known.clear()
        r.server._sum[:] = before
        return "accepted"

    def keeps_the_rules(self, data: bytes, r: Round, client: int) -> None:
        """What a member may say: its own keys, vector and envelopes, and shares of the kind asked for."""
        good, body = recorded()[data[5]], data[HEADER.size : -64]
        assert client == 0
        assert len(data) == len(good)
        if data[5] == Kind.ECHO:
            assert data == good
        if data[5] == Kind.SHARES:
            assert [k for k, _ in rows(memoryview(body), ENVELOPE, "")] == list(range(1, 8))
        if data[5] == Kind.UNMASK:
            kinds = {k: rest[0] for k, rest in rows(memoryview(body), REVEAL, "")}
            assert kinds == {k: int(k == 3) for k in range(8)}
