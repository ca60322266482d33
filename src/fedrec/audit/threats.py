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
    who, does = "honest-but-curious server", "it follows the protocol and keeps what it sees: "
    if not setup.masked:
        return _row(who, "not", does + "single updates, from which it reads lists", "--secure-sum, --privacy.epsilon")
    if not setup.noisy:
        why = does + "exact sums; an item that few have, and rows of one contributor, show through"
        return _row(who, "partly", why, "--privacy.epsilon")
    return _row(who, "protected", does + "noisy sums, within the declared epsilon")


def _lying(setup: Setup) -> dict[str, Any]:
    who, does = "lying server", "it announces what it likes: "
    if not setup.masked:
        return _row(who, "not", does + "but nothing is masked, so it need not lie", "--secure-sum")
    why = (
        "clients refuse small cohorts, low thresholds, two lists, old rounds and sums that differ by a few; devices "
        "trust whoever enrolled the members, and a roster full of invented members leaves one victim alone"
    )
    return _row(who, "partly", does + why, "an enrolment authority that is not the server; a public key log")


def _colluding(setup: Setup) -> dict[str, Any]:
    who, does = "colluding clients", "they help the server and pool what they know: "
    if not setup.masked:
        return _row(who, "not", does + "it needs no help", "--secure-sum")
    why = "masks hold below a third of the holders around a person; each colluder's noise share is known and lost"
    return _row(who, "partly", does + why, "a lower --privacy.survivors than the honest share")


def _malicious(setup: Setup) -> dict[str, Any]:
    who, does = "malicious client", "it poisons the model or breaks rounds: "
    why = "each honest client clips its own update; nobody can check behind a mask that another one did"
    if not setup.masked:
        why = "updates are clipped by the client's own code; nothing checks them at the server"
    return _row(who, "partly", does + why, "enrolment; proofs of bounds (not built)")


def _disk(setup: Setup) -> dict[str, Any]:
    why = "histories and private state lie unencrypted on their device; the server's disk holds the model and no person"
    return _row("stolen disk", "partly", why, "disk encryption of the device")


def _network(setup: Setup) -> dict[str, Any]:
    if not setup.masked:
        why = "sizes are the same for everybody; updates travel in clear unless the transport has TLS"
        return _row("network observer", "not", why, "TLS")
    why = "vectors are masked and sizes the same for everybody; who takes part, and the server's messages, need TLS"
    return _row("network observer", "partly", why, "TLS")
