"""A run's protection while it runs: the noise key, what clients remember of secure sums, the budget ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fedrec.contract import StorageError
from fedrec.experiment.files import read_json, reading, write_bytes, write_json
from fedrec.experiment.folder import RunFolder
from fedrec.experiment.privacy import Safeguards
from fedrec.privacy.budget import BudgetLedger
from fedrec.privacy.noise import NoiseKey
from fedrec.privacy.protection import Protection
from fedrec.runtime.secure import Members


@dataclass
class Guard:
    """What both stages of a run share."""

    safeguards: Safeguards
    key: NoiseKey
    members: Members
    ledger: BudgetLedger | None

    def of(self, stage: str) -> tuple[Protection, Members]:
        """Return the protection of one stage, and the clients' memory."""
        return self.safeguards.protection(stage, self.key, self.ledger), self.members


@contextmanager
def guarded(safeguards: Safeguards | None, folder: RunFolder | None, resume: bool = False) -> Iterator[Guard | None]:
    """Hold the ledger, the noise key and the clients' memory while a run goes on.

    They lie in the run's private folder, so that a run that was killed goes on with the same noise. Unless it goes on
    (``resume``) the whole command must fit into what is left of the ledger's budget.
    """
    if safeguards is None:
        yield None
        return
    with safeguards.ledger(None if folder is None else folder.path, resume) as ledger:
        yield Guard(safeguards, noise_key(folder), members(safeguards, folder), ledger)


def noise_key(folder: RunFolder | None) -> NoiseKey:
    """Return the run's noise key: the one it began with, or a new one, written before it is used."""
    if folder is None:
        return NoiseKey.fresh()
    path = folder.noise_key_file
    if path.exists():
        with reading(path):
            return NoiseKey(path.read_bytes())
    key = NoiseKey.fresh()
    write_bytes(path, key.secret, secret=True)
    return key


def members(safeguards: Safeguards, folder: RunFolder | None) -> Members:
    """Return the clients with what they remember from before the run was stopped."""
    if folder is None:
        return Members(safeguards.profile)
    path = folder.memory_file
    found = Members(safeguards.profile, save=lambda known: write_json(path, known))
    if path.exists():
        known = read_json(path)
        try:
            found.round = int(known["round"])
            found.released = {k: [frozenset(map(int, g)) for g in v] for k, v in known["released"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StorageError(f"{path} is damaged ({error}): clients no longer know their rounds; train") from error
    return found
