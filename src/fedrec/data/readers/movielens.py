"""MovieLens folders: ``u.data`` (100K), ``ratings.dat`` (1M, 10M), ``ratings.csv`` (later), ``ratings.parquet``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from fedrec.contract import DataError
from fedrec.data.raw import Raw
from fedrec.data.readers.files import one_sentence
from fedrec.data.readers.table import from_text, read_table
from fedrec.data.readers.text import open_text, read_text

_HEADER = ["user_id", "item_id", "rating", "timestamp"]
_GENRES = (  # the order of the flags in u.item
    *("unknown", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


def read_movielens(folder: Path, columns: Mapping[str, str] | None = None, order: str | None = None) -> Raw | None:
    """Read a MovieLens folder, or return None where it is none."""
    raw = None
    if (folder / "u.data").is_file():
        raw = from_text(open_text(folder / "u.data", _HEADER), columns, order)
    elif (folder / "ratings.dat").is_file():
        raw = from_text(open_text(folder / "ratings.dat", _HEADER), columns, order)
    elif (folder / "ratings.parquet").is_file():
        raw = read_table(folder / "ratings.parquet", columns, order)
    elif (folder / "ratings.csv").is_file() and (folder / "movies.csv").is_file():
        raw = read_table(folder / "ratings.csv", {"user_id": "userId", "item_id": "movieId", **(columns or {})}, order)
    if raw is not None:
        raw.name = folder.resolve().name
        raw.items, raw.users = _movies(folder), _people(folder)
    return raw


def _movies(folder: Path) -> pl.DataFrame | None:
    if (folder / "u.item").is_file():
        rows = _lines(folder / "u.item", "|", 24)
        genres = [" ".join(g for g, flag in zip(_GENRES, row[5:], strict=True) if flag == "1") for row in rows]
        return pl.DataFrame(
            {"item_id": [r[0] for r in rows], "title": [r[1] for r in rows], "released": [r[2] for r in rows]}
        ).with_columns(pl.Series("genres", genres, dtype=pl.String))
    if (folder / "movies.dat").is_file():
        rows = _lines(folder / "movies.dat", "::", 3)
        genres = [row[2].replace("|", " ") for row in rows]
        return pl.DataFrame({"item_id": [r[0] for r in rows], "title": [r[1] for r in rows], "genres": genres})
    if (folder / "movies.csv").is_file():
        file = open_text(folder / "movies.csv")
        if "movieId" in file.header:
            names = {("item_id" if name == "movieId" else name): name for name in file.header}
            return read_text(file, names, {}).select("item_id", pl.exclude("item_id"))
    return None


def _people(folder: Path) -> pl.DataFrame | None:
    if (folder / "u.user").is_file():
        rows, names = _lines(folder / "u.user", "|", 5), ["user_id", "age", "gender", "occupation", "zip"]
    elif (folder / "users.dat").is_file():
        rows, names = _lines(folder / "users.dat", "::", 5), ["user_id", "gender", "age", "occupation", "zip"]
    else:
        return None
    return pl.DataFrame({name: [row[k] for row in rows] for k, name in enumerate(names)})


def _lines(path: Path, separator: str, size: int) -> list[list[str]]:
    """Return the fields of each line; UTF-8 where it is (10M), else latin-1 (100K, 1M)."""
    with one_sentence(str(path), "text"):
        content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        fields = line.rstrip("\r").split(separator)
        if len(fields) != size:
            raise DataError(
                f"{path}, line {number:,}: {len(fields)} fields, expected {size} separated by {separator!r}"
            )
        rows.append(fields)
    return rows
