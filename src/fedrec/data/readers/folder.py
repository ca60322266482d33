"""A folder: which of the known layouts it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fedrec.contract import ConfigError, DataError
from fedrec.data.raw import Raw
from fedrec.data.readers.lightgcn import read_lightgcn
from fedrec.data.readers.movielens import read_movielens
from fedrec.data.readers.table import read_side, read_table

_ENDINGS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
WITHOUT_HEADER = ("u.data", "ratings.dat")  # named as a file, they stand for their folder
KNOWN = (
    "u.data, ratings.dat or ratings.parquet (MovieLens), train.txt and test.txt (LightGCN), NAME.inter (RecBole), "
    "or interactions / ratings in .parquet, .csv or .csv.gz"
)


def read_folder(folder: Path, columns: Mapping[str, str] | None = None, order: str | None = None) -> Raw:
    """Read a folder of interactions, with its side tables where they lie beside them under known names."""
    raw = read_movielens(folder, columns, order)
    if raw is not None:
        return raw
    if (folder / "train.txt").is_file() and (folder / "test.txt").is_file():
        if columns or order:
            raise ConfigError(f"{folder}: --columns and --order do not apply to a LightGCN folder; leave them out")
        return read_lightgcn(folder)
    path = _named(folder, "interactions") or _named(folder, "ratings")
    inters = sorted(folder.glob("*.inter"))
    if path is None and len(inters) == 1:
        path = inters[0]
    if path is None:
        names = sorted(x.name for x in folder.iterdir())
        found = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        raise DataError(f"{folder}: nothing known in this folder; expected {KNOWN}; found: {found or 'nothing'}")
    raw = read_table(path, columns, order)
    raw.name = folder.resolve().name
    items = _named(folder, "items") or _beside(path, ".item")
    users = _named(folder, "users") or _beside(path, ".user")
    raw.items = read_side(items, "item_id") if items else None
    raw.users = read_side(users, "user_id") if users else None
    return raw


def _named(folder: Path, name: str) -> Path | None:
    return next((folder / f"{name}{end}" for end in _ENDINGS if (folder / f"{name}{end}").is_file()), None)


def _beside(path: Path, ending: str) -> Path | None:
    other = path.with_suffix(ending)
    return other if path.suffix == ".inter" and other.is_file() else None
