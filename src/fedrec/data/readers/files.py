"""Opening what the user named: missing files, gzip, and polars errors turned into one sentence."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from fedrec.contract import DataError, InputError, did_you_mean

GZIP, PARQUET, ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"


@contextmanager
def one_sentence(where: str, expected: str) -> Iterator[None]:
    """Turn whatever a reader raises into a DataError that names the file.

    polars' PanicException derives from BaseException; it is caught by name so that Ctrl-C still works.
    """
    try:
        yield
    except InputError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        lines = str(error).strip().splitlines()
        raise DataError(
            f"{where}: cannot be read as {expected}: {lines[0] if lines else type(error).__name__}"
        ) from None
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror or error}") from None


def existing(path: Path) -> Path:
    """Return the path if there is a file with something in it."""
    if not path.exists():
        known = [x.name for x in path.parent.iterdir()] if path.parent.is_dir() else []
        near = did_you_mean(path.name, ["quickstart", *known])
        raise DataError(f"{path}: no such file or folder; give a file, a folder, quickstart or synthetic:...{near}")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes); expected a header line user_id,item_id,... and rows")
    return path


def start_of(path: Path, size: int = 4) -> bytes:
    """Return the first bytes of a file, which tell its format whatever its name says."""
    with one_sentence(str(path), "a file"), path.open("rb") as file:
        return file.read(size)


def unzipped(path: Path) -> bytes:
    """Return the content of a gzip file; a file cut short is an error."""
    try:
        with gzip.open(path, "rb") as file:
            return file.read()
    except EOFError:
        raise DataError(
            f"{path}: the gzip file ends before its end mark (truncated: an incomplete download or copy?); "
            "fetch it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
