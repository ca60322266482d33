"""What protects a client in a secure sum, as functions of an implementation, so that a broken one can fail them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.privacy.secure_round import MODEL, Counter, Round, must, signed, small

HEADER = 48


def announced(lib: Any, **change: Any) -> Any:
    """A client's answer to a plan with these fields changed."""
    r = Round(lib=lib, change=change)
    return lambda: r.clients[0].receive(r.inbox[0])


def guard_wrong_model_hash(lib: Any) -> None:
    must("Refused", "model", announced(lib, model=bytes(32)))


def guard_lowered_threshold(lib: Any) -> None:
    must("Refused", "threshold", announced(lib, threshold=5))  # 6 of 8 is the first above 2/3
    must("Refused", "threshold", announced(lib, threshold=1))
    must("Refused", "threshold", announced(lib, threshold=9))


def guard_small_degree(lib: Any) -> None:
    must("Refused", "degree", announced(lib, degree=2, threshold=3))
    few = Round(profile=small(lib), lib=lib, change={"degree": 4, "threshold": 4})
    must("Refused", "degree", lambda: few.clients[0].receive(few.inbox[0]))
    for degree in (2, 5, 60):
        r = Round(members=60, profile=small(lib), lib=lib, degree=20, change={"degree": degree, "threshold": degree})
        must("Refused", "degree", lambda r=r: r.clients[0].receive(r.inbox[0]))


def guard_small_cohort_planned(lib: Any) -> None:
    must("Refused", "cohort", announced(lib, survivors=1))
    must("Refused", "cohort", announced(lib, survivors=5))
    for profile, members in ((lib.DEMO, 7), (lib.DEMO, 21), (lib.DEVICES, 499)):
        r = Round(members=8, lib=lib)
        roster = [bytes([k % 251, k // 251]) * 16 for k in range(members)]
        plan = replace(r.plan, members=members, roster=lib.policy.roster_hash(roster), survivors=min(6, members))
        expected = replace(r.expected, profile=profile)
        must("Refused", "cohort", lambda p=plan, e=expected, s=roster: lib.policy.check_plan(p, e, s))


def guard_other_shape(lib: Any) -> None:
    must("Refused", "shape", announced(lib, length=6))
    must("Refused", "shape", announced(lib, bits=64))


def guard_other_roster(lib: Any) -> None:
    must("Refused", "roster", announced(lib, roster=bytes(32)))
    must("Refused", "roster", announced(lib, members=9))


def guard_noise_must_agree(lib: Any) -> None:
    must("Refused", "noise", announced(lib, noise=True))
    r = Round(lib=lib, noise=True, change={"noise": False})
    must("Refused", "noise", lambda: r.clients[0].receive(r.inbox[0]))


def guard_two_organisations(lib: Any) -> None:
    r = Round(members=3, profile=lib.ORGANISATIONS, lib=lib)
    roster = r.roster[:2]
    plan = replace(r.plan, members=2, degree=1, threshold=2, survivors=2, roster=lib.policy.roster_hash(roster))
    must("Refused", "two", lambda: lib.policy.check_plan(plan, r.expected, roster))
    noisy = Round(members=2, profile=lib.ORGANISATIONS, lib=lib, noise=True)
    assert np.array_equal(noisy.run(), noisy.plain())


def guard_reused_round(lib: Any) -> None:
    memory = lib.RoundMemory()
    first, again, older = (Round(lib=lib, number=n) for n in (7, 7, 6))
    first.new_client(0, memory).receive(first.inbox[0])
    must("Refused", "round", lambda: again.new_client(0, memory).receive(again.inbox[0]))
    must("Refused", "round", lambda: older.new_client(0, memory).receive(older.inbox[0]))
    assert memory.last == 7


# the key list


def key_list(r: Round, entries: list[bytes]) -> bytes:
    m = r.lib.messages
    return bytes(m.from_server(m.Kind.KEY_LIST, r.plan.session, m.pack_rows(entries)))


def with_entry(lib: Any, k: int, make: Any) -> Any:
    """Client 0's answer to a key list whose entry ``k`` is made by ``make(round)``."""
    r = Round(lib=lib)
    r.answer()
    entries = [r.said[j] if j != k else make(r) for j in range(r.members)]
    return lambda: r.clients[0].receive(key_list(r, entries))


def guard_swapped_keys(lib: Any) -> None:
    def by_server(r: Round) -> bytes:
        return signed(lib, lib.Identity(bytes(32)), 2, r.plan.session, 2, r.said[2][HEADER : HEADER + 96])

    def of_another(r: Round) -> bytes:
        return signed(lib, r.ids[3], 2, r.plan.session, 2, r.said[3][HEADER : HEADER + 96])

    must("Refused", "keys", with_entry(lib, 2, by_server))
    must("Refused", "keys", with_entry(lib, 2, of_another))


def guard_own_keys_swapped(lib: Any) -> None:
    def twin(r: Round) -> bytes:  # signed by the client itself, but not what it sent now: a second device, a replay
        return signed(lib, r.ids[0], 2, r.plan.session, 0, bytes(range(96)))

    must("Refused", "keys", with_entry(lib, 0, twin))
    r = Round(lib=lib)
    r.answer()
    must("Refused", "keys", lambda: r.clients[0].receive(key_list(r, [r.said[k] for k in range(1, 8)])))


def guard_replayed_keys(lib: Any) -> None:
    old = Round(lib=lib, number=1)
    old.answer()
    r = Round(lib=lib, number=2)
    r.answer()
    entries = [r.said[k] if k != 4 else old.said[4] for k in range(8)]
    must("Refused", "keys", lambda: r.clients[0].receive(key_list(r, entries)))


def guard_one_key_for_two_clients(lib: Any) -> None:
    def copied(r: Round) -> bytes:
        return signed(lib, r.ids[3], 2, r.plan.session, 3, r.said[2][HEADER : HEADER + 96])

    must("Refused", "keys", with_entry(lib, 3, copied))


def guard_one_client_twice(lib: Any) -> None:
    r = Round(lib=lib)
    r.answer()
    other = signed(lib, r.ids[5], 2, r.plan.session, 5, bytes(range(96)))
    entries = [r.said[k] for k in range(6)] + [other, r.said[6], r.said[7]]
    must("Refused", "keys", lambda: r.clients[0].receive(key_list(r, entries)))


def guard_key_of_small_order(lib: Any) -> None:
    def zero(r: Round) -> bytes:
        return signed(lib, r.ids[2], 2, r.plan.session, 2, bytes(32) + r.said[2][HEADER + 32 : HEADER + 96])

    def zero_envelope(r: Round) -> bytes:
        return signed(lib, r.ids[2], 2, r.plan.session, 2, r.said[2][HEADER : HEADER + 32] + bytes(64))

    must("Refused", "keys", with_entry(lib, 2, zero))
    must("Refused", "keys", with_entry(lib, 2, zero_envelope))


def guard_short_key_list(lib: Any) -> None:
    for count in (1, 5):
        r = Round(lib=lib)
        r.answer()
        must("Refused", "cohort", lambda r=r, n=count: r.clients[0].receive(key_list(r, [r.said[k] for k in range(n)])))


# the envelopes


def inbox(r: Round, envelopes: list[bytes]) -> bytes:
    m = r.lib.messages
    return bytes(m.from_server(m.Kind.INBOX, r.clients[0]._session, m.pack_rows(envelopes)))


def opened(r: Round) -> list[bytes]:
    body, size = r.inbox[0][HEADER + 2 :], r.lib.messages.ENVELOPE.size
    return [body[k : k + size] for k in range(0, len(body), size)]


def guard_few_neighbours(lib: Any) -> None:
    r = Round(lib=lib).until("masked")
    must("Refused", "threshold", lambda: r.clients[0].receive(inbox(r, opened(r)[:4])))


def guard_forged_envelopes(lib: Any) -> None:
    r = Round(lib=lib).until("masked")
    e = opened(r)
    e[1] = e[1][:4] + e[2][4:]  # what client 3 sealed, said to be of client 2
    must("Refused", "share", lambda: r.clients[0].receive(inbox(r, e)))
    r = Round(lib=lib).until("masked")
    must("Refused", "share", lambda: r.clients[0].receive(inbox(r, [bytes(86), *opened(r)])))  # from client 0 itself


def guard_envelopes_of_another_key_list(lib: Any) -> None:
    one, two = Round(lib=lib), Round(lib=lib)
    one.step()
    two.step([7])  # the same clients and randomness, told another list: nothing fits together any more
    one.answer()
    two.answer()
    m = lib.messages
    forged = m.from_server(m.Kind.INBOX, one.clients[0]._session, two_box(two))
    must("Refused", "share", lambda: one.clients[0].receive(forged))


def two_box(r: Round) -> bytes:
    r.inbox = dict(r.server.advance())
    return bytes(r.inbox[0][HEADER:])


# the lists of survivors


def told(lib: Any, survivors: set[int], dropped: set[int], client: int = 0) -> Any:
    r = Round(lib=lib).until("echo")
    m = lib.messages
    body = m.pack_lists(survivors, dropped, 8)
    return lambda: r.clients[client].receive(m.from_server(m.Kind.SURVIVORS, r.clients[client]._session, body))


def guard_overlapping_lists(lib: Any) -> None:
    must("Refused", "overlap", told(lib, set(range(8)), {3}))


def guard_cohort_of_one(lib: Any) -> None:
    must("Refused", "cohort", told(lib, {0}, set(range(1, 8))))
    must("Refused", "cohort", told(lib, {0, 1, 2, 3, 4}, {5, 6, 7}))


def guard_client_left_out_of_the_survivors(lib: Any) -> None:
    must("Refused", "lists", told(lib, set(range(1, 8)), {0}))


def guard_neighbour_on_no_list(lib: Any) -> None:
    must("Refused", "lists", told(lib, set(range(7)), set()))


def guard_stranger_on_a_list(lib: Any) -> None:
    r = Round(lib=lib)
    r.step([7])
    r.step()
    r.step()
    m = lib.messages
    body = m.pack_lists(set(range(7)), {7}, 8)
    message = m.from_server(m.Kind.SURVIVORS, r.clients[0]._session, body)
    must("Refused", "lists", lambda: r.clients[0].receive(message))


def guard_survivors_around_the_client(lib: Any) -> None:
    r = Round(members=60, profile=small(lib), degree=6, lib=lib, length=1).until("echo")
    near = set(r.clients[0]._cohort.graph[0])
    m = lib.messages
    body = m.pack_lists(set(range(60)) - near, near, 60)
    message = m.from_server(m.Kind.SURVIVORS, r.clients[0]._session, body)
    must("Refused", "threshold", lambda: r.clients[0].receive(message))


# the echoes


def echoed(r: Round, echoes: list[bytes]) -> Any:
    m = r.lib.messages
    return lambda: r.clients[0].receive(m.from_server(m.Kind.ECHOES, r.clients[0]._session, m.pack_rows(echoes)))


def echoes_of(r: Round) -> list[bytes]:
    return [r.said[k] for k in range(1, 8)]


def guard_another_list_echoed(lib: Any) -> None:
    r = Round(lib=lib).until("unmask")
    other = signed(lib, r.ids[7], 8, r.clients[0]._session, 7, bytes(32))
    must("Refused", "echo", echoed(r, [*echoes_of(r)[:6], other]))


def guard_too_few_echoes(lib: Any) -> None:
    r = Round(lib=lib).until("unmask")
    must("Refused", "echo", echoed(r, echoes_of(r)[:4]))  # with its own 5, the threshold is 6
    r = Round(lib=lib).until("unmask")
    must("Refused", "echo", echoed(r, echoes_of(r)[:1] * 7))


def guard_forged_echo(lib: Any) -> None:
    r = Round(lib=lib).until("unmask")
    forged = signed(lib, lib.Identity(bytes(32)), 8, r.clients[0]._session, 7, r.said[7][HEADER : HEADER + 32])
    must("Refused", "echo", echoed(r, [*echoes_of(r)[:6], forged]))


def guard_echo_of_another_round(lib: Any) -> None:
    r = Round(lib=lib).until("unmask")
    old = signed(lib, r.ids[7], 8, bytes(32), 7, r.said[7][HEADER : HEADER + 32])
    must("Refused", "echo", echoed(r, [*echoes_of(r)[:6], old]))


# subtraction


def again(lib: Any, first: list[int], second: list[int], **expected: Any) -> None:
    """Two rounds of the same clients and statistic, with these lost before their vectors."""
    memories = [lib.RoundMemory() for _ in range(12)]
    for number, lost in ((1, first), (2, second)):
        r = Round(members=12, lib=lib, number=number, noise=expected.get("noise", False))
        r.expected = replace(r.expected, **expected)
        r.clients = [r.new_client(k, memories[k]) for k in range(12)]
        for stage in ("keys", "shares", "masked", "echo", "unmask"):
            r.step(lost if stage == "masked" else [])


def guard_sums_that_differ_by_few(lib: Any) -> None:
    must("Refused", "subtraction", lambda: again(lib, [], [3]))
    must("Refused", "subtraction", lambda: again(lib, [3], [4]))
    again(lib, [], [])
    again(lib, [3], [3])
    again(lib, [], [3, 4, 5])
    again(lib, [], [3], noise=True)
    must("Refused", "subtraction", lambda: again(lib, [], [3], statistic="counts"))


def guard_sums_in_parallel(lib: Any) -> None:
    """The second of two rounds is checked when it is unmasked, not only when its list is echoed."""
    memory = lib.RoundMemory()
    rounds = [Round(members=12, lib=lib, number=n) for n in (1, 2)]
    for r, lost in zip(rounds, ([], [3]), strict=True):
        r.clients[0] = r.new_client(0, memory)
        for stage in ("keys", "shares", "masked", "echo"):
            r.step(lost if stage == "masked" else [])
    rounds[0].clients[0].receive(rounds[0].inbox[0])
    must("Refused", "subtraction", lambda: rounds[1].clients[0].receive(rounds[1].inbox[0]))


# what is revealed


def revealed(r: Round, message: bytes) -> dict[int, list[int]]:
    """Client -> the kinds of its shares in an UNMASK message."""
    size, body = r.lib.messages.REVEAL.size, message[HEADER + 2 : -64]
    out: dict[int, list[int]] = {}
    for k in range(0, len(body), size):
        out.setdefault(int.from_bytes(body[k : k + 4], "little"), []).append(body[k + 4])
    return out


def guard_never_both_shares(lib: Any) -> None:
    r = Round(lib=lib)
    r.step()
    r.step()
    r.step([3])
    r.step()
    for k, question in r.inbox.items():
        message = r.clients[k].receive(question)
        assert revealed(r, message) == {peer: [int(peer == 3)] for peer in range(8)}
    must("MessageError", "stage", lambda: r.clients[0].receive(r.inbox[0]))


def guard_a_refusing_client_is_silent(lib: Any) -> None:
    r = Round(lib=lib).until("echo")
    m = lib.messages
    lie = m.from_server(m.Kind.SURVIVORS, r.clients[0]._session, m.pack_lists(set(range(8)), {3}, 8))
    must("Refused", "overlap", lambda: r.clients[0].receive(lie))
    must("MessageError", "stage", lambda: r.clients[0].receive(r.inbox[0]))
    assert r.clients[0]._held == {}
    assert r.clients[0]._seed == b""
    assert r.clients[0]._mask_key is None


def guard_late_vector_stays_hidden(lib: Any) -> None:
    """A vector that comes after its client was called dropped: its pair masks are known, its own mask is not."""
    r = Round(lib=lib).until("masked")
    _, without_pairs, bare = unmasked(lib, r, 3)
    assert not np.array_equal(without_pairs, r.vectors[3])
    assert np.array_equal(bare, r.vectors[3])  # the check itself works


def guard_pair_masks_hide_a_survivor(lib: Any) -> None:
    r = Round(lib=lib).until("masked")
    without_own, _, bare = unmasked(lib, r, 3)
    assert not np.array_equal(without_own, r.vectors[3])
    assert np.array_equal(bare, r.vectors[3])


def unmasked(lib: Any, r: Round, k: int) -> tuple[Any, Any, Any]:
    """What is left of a client's masked vector without its own mask, without the pair masks, and without both."""
    c = r.clients[k]
    pairs, own = dict(c._pairs), lib.client.self_mask_key(c._seed, c._session, k)
    sent = np.frombuffer(c.receive(r.inbox[k])[HEADER:-64], np.uint32)
    out = []
    for keys in ({None: own}, pairs, {None: own, **pairs}):
        left = sent.copy()
        for peer, key in keys.items():
            lib.masks.add_mask(left, key, -1 if peer is None else -lib.masks.sign_of(k, peer))
        out.append(left.view(np.int32))
    return out[0], out[1], out[2]


def guard_same_randomness_other_round_other_keys(lib: Any) -> None:
    """Round, model and key list are in every key: a client whose randomness repeats does not repeat its masks."""
    seen: list[bytes] = []
    for number, model in ((1, MODEL), (2, MODEL), (2, bytes(32))):
        r = Round(lib=lib, number=number)
        r.expected = replace(r.expected, model=model)
        r.plan = replace(r.plan, model=model)
        r.clients = [r.new_client(k, lib.RoundMemory()) for k in range(8)]
        for k, c in enumerate(r.clients):
            c._random = Counter(f"the same/{k}")
        r.server = lib.SecureSumServer(r.plan, r.roster)
        r.inbox = dict.fromkeys(range(8), r.server.announce())
        r.until("masked")
        c = r.clients[0]
        seen += [c._pairs[1], lib.client.self_mask_key(c._seed, c._session, 0)]
        seen += [c._envelope_key(c._cohort, 1, 0, 1), c._envelope_key(c._cohort, 1, 1, 0)]
    assert len(set(seen)) == 12


# the server


def guard_server_refuses_unsigned(lib: Any) -> None:
    for stage in ("keys", "shares", "masked", "echo", "unmask"):
        r = Round(lib=lib).until(stage)
        good = r.clients[2].receive(r.inbox[2])
        forged = good[:-64] + r.ids[3].sign(good[:-64])
        must("MessageError", "signature", lambda r=r, m=forged: r.server.receive(m))
        r.server.receive(good)
        must("MessageError", "duplicate", lambda r=r, m=good: r.server.receive(m))


def guard_server_asks_for_one_share_each(lib: Any) -> None:
    r = Round(lib=lib).until("unmask")
    both = [lib.messages.REVEAL.pack(k, 1, bytes(33)) for k in range(8)]
    body = lib.messages.pack_rows(both)
    must(
        "MessageError", "share",
        lambda: r.server.receive(signed(lib, r.ids[2], 10, r.clients[2]._session, 2, body)),
    )  # fmt: skip


def guard_false_share_is_noticed(lib: Any) -> None:
    for lost, fine in (((), True), ((6, 7), False)):  # 6 shares are needed; one false of 8, then one false of 6
        r = Round(lib=lib).until("unmask")
        said = {k: r.clients[k].receive(r.inbox[k]) for k in range(8) if k not in lost}
        body = lib.messages.pack_rows([lib.messages.REVEAL.pack(k, 0, bytes(33)) for k in range(8)])
        said[2] = signed(lib, r.ids[2], 10, said_session(said[2]), 2, body)
        for message in said.values():
            r.server.receive(message)
        if fine:
            r.server.advance()
            assert np.array_equal(r.server.total(), r.plain())
        else:
            must("RoundAborted", "share", r.server.advance)
            must("RoundAborted", "stage", r.server.total)


def said_session(message: bytes) -> bytes:
    return message[8:40]


GUARDS = {name[6:]: value for name, value in sorted(globals().items()) if name.startswith("guard_")}
