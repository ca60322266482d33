"""Bytes from anywhere: changed messages are refused or ignored, and the decoder raises its own error only."""

import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.privacy import secure
from fedrec.privacy.secure.errors import MessageError, ProtocolError
from fedrec.privacy.secure.messages import HEADER, Kind, decode
from tests.privacy.secure_fuzz import ALL_KINDS, Target, at, fork, mutated, read_everything, recorded
from tests.privacy.secure_round import STAGES, Round, must, signed


@settings(max_examples=60)
@given(st.sampled_from(STAGES), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_from_a_client_is_refused_and_changes_nothing(stage: str, where: float, flip: int) -> None:
    r = at(stage)
    changed = bytearray(r.clients[0].receive(r.inbox[0]))
    good = bytes(changed)
    changed[int(where * len(changed))] ^= flip
    before = r.server._sum.copy()
    with pytest.raises(MessageError):
        r.server.receive(changed)
    assert np.array_equal(r.server._sum, before)
    assert r.server.answers == 0
    assert r.server.receive(good) == 0


@settings(max_examples=60)
@given(st.sampled_from(STAGES), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_from_the_server_never_gives_a_wrong_answer(stage: str, where: float, flip: int) -> None:
    """Either the client refuses, or the change is undone by what follows: no other sum ever comes out."""
    r = at(stage)
    changed = bytearray(r.inbox[0])
    changed[int(where * len(changed))] ^= flip
    with pytest.raises(ProtocolError):
        r.clients[0].receive(changed)


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda k: k.name)
def test_every_single_byte_counts(kind: Kind) -> None:
    """Each byte of each message, one after another; the receiver is at the stage that waits for it."""
    message = recorded()[kind]
    stage = STAGES[(kind - 1) // 2]
    r = at(stage)
    if kind % 2 == 0:
        for k in range(len(message)):
            with pytest.raises(MessageError):
                r.server.receive(message[:k] + bytes([message[k] ^ 1]) + message[k + 1 :])
        r.server.receive(message)
        return
    for k in range(0, len(message), 1 if len(message) < 400 else 7):
        client = fork(r.clients[0])
        with pytest.raises(ProtocolError):
            client.receive(message[:k] + bytes([message[k] ^ 1]) + message[k + 1 :])


def test_cut_and_lengthened_messages_are_refused() -> None:
    for message in recorded().values():
        for size in {0, 1, HEADER.size - 1, HEADER.size, len(message) - 65, len(message) - 1}:
            with pytest.raises(MessageError):
                decode(message[: max(size, 0)] if size != len(message) else b"")
        with pytest.raises(MessageError):
            decode(message + b"\0")


def test_unknown_versions_and_kinds_are_refused_by_name() -> None:
    message = recorded()[Kind.KEYS]
    must("MessageError", "version", lambda: decode(message[:4] + b"\2" + message[5:]))
    must("MessageError", "kind", lambda: decode(message[:5] + b"\x0b" + message[6:]))
    must("MessageError", "magic", lambda: decode(b"FRSX" + message[4:]))


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(MessageError):
        decode(data)


def test_mutated_messages_raise_the_protocols_error_only() -> None:
    rng = random.Random(4)
    refused = 0
    for _ in range(20_000):
        try:
            read_everything(mutated(rng))
        except MessageError:
            refused += 1
    assert refused > 10_000


def test_mutated_bodies_signed_again_are_taken_or_refused() -> None:
    """A member may say what it likes about its own keys, vector and shares; about the lists it may not."""
    rng = random.Random(5)
    for stage in STAGES:
        r = at(stage)
        kind = Kind(2 * STAGES.index(stage) + 2)
        good = r.clients[0].receive(r.inbox[0])
        for _ in range(300):
            body = bytearray(good[48:-64])
            body[rng.randrange(len(body))] ^= rng.randint(1, 255)
            if rng.random() < 0.3:
                del body[rng.randrange(len(body)) :]
            bad = signed(secure, r.ids[0], kind, good[8:40], 0, bytes(body))
            try:
                r.server.receive(bad)
            except MessageError:
                continue
            r.server._came.clear()
            assert stage != "echo"
            assert len(body) == len(good) - 112


def test_damaged_messages_at_every_stage_break_no_rule() -> None:
    target, rng = Target(), random.Random(6)
    seen = {target.feed(rng) for _ in range(3_000)}  # benchmarks/fuzz_protocol.py does 10^6
    assert {"refused", "refused, signed again", "accepted, signed again"} <= seen


def test_nothing_is_allocated_before_the_signature_is_checked() -> None:
    r = Round(length=4_000_000).until("masked")
    good = r.clients[0].receive(r.inbox[0])
    forged = good[:-1] + bytes([good[-1] ^ 1])
    for data in (forged, good[:44] + b"\xff\xff\xff\xff" + good[48:], good[:48]):
        tracemalloc.start()
        with pytest.raises(MessageError):
            r.server.receive(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 64 * 1024
