"""Is every release counted? The run's ledger is read as it lies, on a copy, and then a copy that was put back."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from fedrec.audit.line import Line, skipped
from fedrec.audit.setup import Setup
from fedrec.contract import FedrecError
from fedrec.privacy.budget import Budget, BudgetLedger

NAME = "the ledger of releases"
EXPERIMENT = "what was released, as the ledger counts it; then an older copy of it is put back"


def lines(setup: Setup) -> list[Line]:
    """Return the ledger's line."""
    guard = setup.safeguards
    if guard is None or guard.mechanism is None or guard.config is None:
        return [skipped(NAME, EXPERIMENT, "noise is off: releases are exact and nobody counts them")]
    path = _path(setup)
    if path is None:
        return [skipped(NAME, EXPERIMENT, "only a config was given; a run's folder has the ledger")]
    if not path.exists():
        return [
            Line(NAME, "FAIL", EXPERIMENT, detail=f"noise is on and {path} is missing: nobody knows what was released")
        ]
    with tempfile.TemporaryDirectory() as folder:
        return [_read(setup, path, Path(folder))]


def _path(setup: Setup) -> Path | None:
    assert setup.safeguards is not None
    assert setup.safeguards.config is not None
    if setup.safeguards.config.ledger is not None:
        return Path(setup.safeguards.config.ledger)
    return None if setup.folder is None else setup.folder / "private" / "budget.jsonl"


def _read(setup: Setup, path: Path, folder: Path) -> Line:
    copy, witness = folder / "ledger", folder / "ledger.witness"
    shutil.copyfile(path, copy)
    beside = path.with_name(path.name + ".witness")
    if beside.exists():
        shutil.copyfile(beside, witness)
    try:
        budget = _budget(copy)
        with BudgetLedger(copy, budget) as ledger:
            spent, releases = ledger.spent.epsilon, len(ledger.releases)
    except (FedrecError, ValueError, KeyError) as error:
        return Line(NAME, "FAIL", EXPERIMENT, detail=f"the ledger cannot be relied on: {error}")
    noticed = _older_copy_is_noticed(copy, budget)
    assert setup.safeguards is not None
    mechanism = setup.safeguards.mechanism
    assert mechanism is not None
    least = sum(len(r) * mechanism.rounds[p] for p, r in mechanism.releases.items()) * setup.safeguards.stages
    good = spent <= budget.epsilon and releases >= least and noticed
    told = (
        f"{releases} releases of budget epsilon {budget.epsilon:.3g}, at least {least} were made by this run; an older "
        f"copy put back is {'refused' if noticed else 'NOT noticed'}. Both files put back together are not noticed: "
        "KNOWN LIMIT, docs/privacy_mechanism.md"
    )
    return Line(
        NAME, "PASS" if good else "FAIL", EXPERIMENT, spent, None, None, told, unit="epsilon spent",
        target="no more than the budget, every release counted, an older copy refused",
    )  # fmt: skip


def _budget(path: Path) -> Budget:
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    return Budget(first["epsilon"], first["delta"], first["memberships"], first["unit"])


def _older_copy_is_noticed(path: Path, budget: Budget) -> bool:
    """Take the last two lines off the ledger, as a backup would, and see whether it is refused."""
    kept = path.read_text(encoding="utf-8").splitlines()[:-2]
    path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    try:
        with BudgetLedger(path, budget):
            return False
    except FedrecError:
        return True
