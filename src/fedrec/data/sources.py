"""``load``: one call for whatever ``--data`` may be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from fedrec.contract import ConfigError, DataError
from fedrec.data.build import build
from fedrec.data.dataset import Dataset
from fedrec.data.raw import Raw
from fedrec.data.readers.files import one_sentence
from fedrec.data.readers.folder import WITHOUT_HEADER, read_folder
from fedrec.data.readers.frame import read_frame
from fedrec.data.readers.table import read_side, read_table
from fedrec.data.side import attach_items, attach_users
from fedrec.data.synthetic import synthetic

QUICKSTART = Path(__file__).parent / "quickstart"


def load(
    spec: object,
    *,
    items: str | Path | None = None,
    users: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    order: str | None = None,
    duplicates: str = "first",
    min_users: int = 2,
    min_items: int = 2,
) -> Dataset:
    """Read a data set.

    ``spec``: "quickstart", "synthetic:users=N,items=M,per_user=K,seed=S", a file (CSV, TSV, RecBole .inter, Parquet;
    gzip too), a folder (MovieLens, LightGCN, RecBole, or interactions + items + users), or a data frame (polars,
    pandas, or a dict of columns). ``items`` / ``users``: side tables with an item_id / user_id column. ``columns``:
    {fedrec's name: the file's name}. ``order``: the name of an integer order column where there are no times.
    ``duplicates``: see ``fedrec.data.build.build``. Raises DataError or ConfigError.
    """
    if isinstance(spec, str) and (spec == "synthetic" or spec.startswith("synthetic:")):
        if columns or order:
            raise ConfigError(f"{spec}: --columns and --order do not apply to made-up data; leave them out")
        data = synthetic(spec)
        raw = None
    else:
        raw = _read(spec, columns, order)
        with one_sentence(raw.where, "interactions"):
            data = build(raw, duplicates, min_users, min_items)
    for path, key, attach, found in (
        (items, "item_id", attach_items, raw.items if raw else None),
        (users, "user_id", attach_users, raw.users if raw else None),
    ):
        table = read_side(Path(path), key) if path is not None else found
        if table is not None:
            where = str(path) if path is not None else f"the {key[:4]}s table of {data.name}"
            with one_sentence(where, "a side table"):
                attach(data, table, where)
    return data


def _read(spec: object, columns: Mapping[str, str] | None, order: str | None) -> Raw:
    if isinstance(spec, str) and spec == "quickstart":
        raw = read_folder(QUICKSTART, columns, order)
        raw.name = "quickstart"
        return raw
    if isinstance(spec, str | Path):
        path = Path(spec)
        with one_sentence(str(path), "a file or a folder of interactions"):
            if path.is_dir() or (path.name in WITHOUT_HEADER and path.is_file()):
                return read_folder(path if path.is_dir() else path.parent, columns, order)
            return read_table(path, columns, order)
    if isinstance(spec, pl.LazyFrame):
        with one_sentence("the lazy frame", "a data frame"):
            spec = spec.collect()
    if hasattr(spec, "columns") or isinstance(spec, Mapping):
        return read_frame(spec, columns, order)
    raise DataError(f"data: got {type(spec).__name__}, expected a path, a name or a data frame")
