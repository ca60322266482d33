"""Files that are whole or absent: write to a temporary name beside the target, fsync, rename."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedrec.contract import StorageError

REASONS = {
    errno.ENOSPC: "the disk is full: free some space, then run the same command again (fedrec train: with --resume)",
    errno.EDQUOT: "the disk quota is used up: free some space, then run the same command again",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.EACCES: "no permission to write there: choose another place",
    errno.EPERM: "no permission to write there: choose another place",
    errno.ENOTDIR: "a part of the path is a file: choose another place",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the disk's complaints about writing ``path`` into one plain sentence, a StorageError."""
    try:
        yield
    except OSError as error:
        why = REASONS.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"cannot write {path}: {why}; what was saved before is intact") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the disk's complaints about reading a run's file back into one plain sentence, a StorageError."""
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"{path} is missing: the run folder is incomplete; train again with a new --out") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def write_bytes(path: Path, data: bytes, secret: bool = False) -> None:
    """Replace ``path`` by ``data`` in one step; ``secret``: readable by its owner alone, from the first byte on."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                if secret:
                    os.chmod(temporary, 0o600)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete the temporary files that a killed run left in a folder."""
    with writing(folder):
        for path in folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in one step."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by a JSON document in one step."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return a JSON document that was written here."""
    with reading(path):
        data = path.read_bytes()
    try:
        return json.loads(data)
    except ValueError as error:
        raise StorageError(f"{path} is damaged ({error}): it is not what fedrec wrote; train again") from error
