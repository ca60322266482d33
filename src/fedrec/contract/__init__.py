"""The contract between an algorithm and everything else; the bottom layer."""

from fedrec.contract.algorithm import Algorithm, Card, Catalog, Egress, Scores, Settings, row_of, rows_of, stack
from fedrec.contract.errors import (
    ConfigError,
    ContractError,
    DataError,
    FedrecError,
    InputError,
    StorageError,
    UnknownIdError,
    UpdateError,
    did_you_mean,
)
from fedrec.contract.interactions import History, Interactions
from fedrec.contract.random import Key, Rng
from fedrec.contract.update import Arrays, Part, Phase, Stat, Total, Update, UpdateSum

__all__ = [
    "Algorithm",
    "Arrays",
    "Card",
    "Catalog",
    "ConfigError",
    "ContractError",
    "DataError",
    "Egress",
    "FedrecError",
    "History",
    "InputError",
    "Interactions",
    "Key",
    "Part",
    "Phase",
    "Rng",
    "Scores",
    "Settings",
    "Stat",
    "StorageError",
    "Total",
    "UnknownIdError",
    "Update",
    "UpdateError",
    "UpdateSum",
    "did_you_mean",
    "row_of",
    "rows_of",
    "stack",
]
