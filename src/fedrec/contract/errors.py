"""The exception tree.

    FedrecError                 anything fedrec raises on purpose
    |-- InputError              the user's input is wrong: the command line exits with 2
    |   |-- DataError           a file or a row of it
    |   |-- ConfigError         a setting: unknown name, value out of range
    |   `-- UnknownIdError      a user or an item that the model or the data does not know
    |-- ContractError           an algorithm breaks the contract (its author's mistake)
    |   `-- UpdateError       one client's update cannot be added: that client fails, the round goes on
    `-- StorageError            the disk: full, read-only, a file that cannot be read back

Every message says what was got, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class FedrecError(Exception):
    """Base of everything fedrec raises on purpose."""

    exit_code = 1


class InputError(FedrecError):
    """The user's input is wrong."""

    exit_code = 2


class DataError(InputError):
    """A data file, a column or a row cannot be used."""


class ConfigError(InputError):
    """A setting is unknown or out of range."""


class UnknownIdError(InputError):
    """A user or an item id is not known."""


class ContractError(FedrecError):
    """An algorithm breaks the contract."""


class UpdateError(ContractError):
    """One client's update cannot be added; nothing of it is in the sum."""


class StorageError(FedrecError):
    """A file cannot be written or read back."""


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, else an empty string."""
    near = get_close_matches(got, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
