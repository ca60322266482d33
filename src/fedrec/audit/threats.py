"""The threat table: who attacks, what this set-up does about it, and what it does not."""

from __future__ import annotations

from typing import Any, Literal

from fedrec.audit.setup import Setup

Cover = Literal["protected", "partly", "not"]


def rows(setup: Setup) -> list[dict[str, Any]]:
    """Return one row a threat: who, protected / partly / not, why, what would help."""
    return [
        _honest(setup), _lying(setup), _colluding(setup), _malicious(setup), _disk(setup), _network(setup),
    ]  # fmt: skip


def _row(who: str, cover: Cover, why: str, helps: str = "") -> dict[str, Any]:
    return {"threat": who, "cover": cover, "why": why, "what helps": helps}


def _honest(setup: Setup) -> dict[str, Any]:
    who = "honest-but-curious server (follows the protocol, keeps all it sees)"
    if not setup.masked:
        return _row(who, "not", "it sees single updates and reads the lists off them", "--secure-sum, --privacy")
    if not setup.noisy:
        why = "it sees exact sums only; an item that few have, and rows of one contributor, show through"
        return _row(who, "partly", why, "--privacy.epsilon")
    return _row(who, "protected", "it sees noisy sums only, within the declared epsilon")


def _lying(setup: Setup) -> dict[str, Any]:
    who = "lying server (false lists, thresholds, cohorts, keys)"
    if not setup.masked:
        return _row(who, "not", "nothing is masked, so there is no need to lie", "--secure-sum")
    why = (
        "clients refuse small cohorts, low thresholds, two lists, old rounds and sums that differ by a few; devices "
        "trust whoever enrolled the members, and a roster full of invented members leaves one victim alone"
    )
    return _row(who, "partly", why, "an enrolment authority that is not the server; a public key log")


def _colluding(setup: Setup) -> dict[str, Any]:
    who = "colluding clients (help the server, pool what they know)"
    if not setup.masked:
        return _row(who, "not", "the server needs no help", "--secure-sum")
    why = "masks hold below a third of the holders around a person; each colluder's noise share is known and lost"
    return _row(who, "partly", why, "a lower --privacy.survivors than the honest share")


def _malicious(setup: Setup) -> dict[str, Any]:
    why = "each honest client clips its own update; behind a mask nobody can check that another one did"
    if not setup.masked:
        why = "updates are clipped by the client's own code; nothing checks them at the server"
    return _row(
        "malicious client (poisons the model, breaks rounds)", "partly", why, "enrolment; proofs of bounds (not built)"
    )


def _disk(setup: Setup) -> dict[str, Any]:
    why = "histories and private state lie unencrypted on their device; the server's disk holds the model and no person"
    return _row("stolen disk", "partly", why, "disk encryption of the device")


def _network(setup: Setup) -> dict[str, Any]:
    why = "sizes are the same for everybody, so they tell nothing; contents need the transport's TLS"
    if not setup.masked:
        why += ", and updates travel in clear without it"
        return _row("network observer", "not" if not setup.masked else "partly", why, "TLS")
    return _row("network observer", "protected", why + " only for who takes part: contents are masked")
