"""The data-flow sheet: every array of the running set-up, who makes it, who sees it, and in what form."""

from __future__ import annotations

from typing import Any

from fedrec.audit.setup import Setup
from fedrec.experiment.ledger import ledger_rows


def rows(setup: Setup) -> list[dict[str, Any]]:
    """Return one row an array: what, where from, who sees it, in what form, bytes, how long it is kept."""
    return [
        *_stored(setup),
        *_model(setup),
        *(_array(setup, row) for row in ledger_rows(setup.algorithm, setup.catalog)),
    ]


def _array(setup: Setup, row: dict[str, Any]) -> dict[str, Any]:
    where = str(row["where"])
    seen = {"uploaded": _seen(setup), "shared": "everybody", "private": "nobody but its person"}[where]
    form = {"uploaded": _form(setup), "shared": "in clear", "private": "in clear on the device"}[where]
    kept = {
        "uploaded": "until the round's sum is complete",
        "shared": "as long as the model is served",
        "private": "on the device, until the person deletes it",
    }[where]
    phase = f"phase {row['phase']}, {row['rounds']} round(s)" if row["phase"] else ""
    return {
        "what": row["name"], "when": phase, "kind": where, "shape": row["shape"], "bytes": row["bytes"],
        "seen by": seen, "form": form, "kept": kept,
    }  # fmt: skip


def _model(setup: Setup) -> list[dict[str, Any]]:
    """Return what devices download to recommend; its size is known once it is trained."""
    if not setup.algorithm.model:
        return []
    form = "in clear, noise inside" if setup.noisy else "in clear, exact"
    size = sum(int(a.nbytes) for name, a in setup.released.items() if name in setup.algorithm.model)
    return [
        {
            "what": f"the model ({', '.join(setup.algorithm.model)})", "when": "after training", "kind": "shared",
            "shape": "", "bytes": size, "seen by": "everybody", "form": form, "kept": "as long as the model is served",
        }
    ]  # fmt: skip


def _seen(setup: Setup) -> str:
    return "server: the sum of a cohort" if setup.masked else "server: each client's, by client"


def _form(setup: Setup) -> str:
    if not setup.masked:
        return "in clear, dense: one length for everybody"
    return "masked integers, own noise share inside" if setup.noisy else "masked integers, no noise"


def _stored(setup: Setup) -> list[dict[str, Any]]:
    data = setup.prepared.data
    columns = "item ids" + (", timestamps" if setup.users.times is not None else "")
    history = {
        "what": f"histories ({columns})", "when": "", "kind": "private",
        "shape": f"{data.n_interactions:,} in all", "bytes": None, "seen by": "nobody but its person",
        "form": "in clear on the device", "kept": "on the device, until the person deletes it",
    }  # fmt: skip
    items = {
        "what": "item list, titles", "when": "before training", "kind": "shared", "shape": f"{data.n_items:,}",
        "bytes": None, "seen by": "everybody", "form": "in clear: taken as public", "kept": "as long as served",
    }  # fmt: skip
    return [history, items]
