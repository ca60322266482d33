"""Arrays on disk: safetensors, never pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fedrec.contract import Arrays, StorageError
from fedrec.experiment.files import reading, write_bytes

META = "__json__"


def write_arrays(path: Path, arrays: Arrays, text: str = "") -> None:
    """Write named arrays and a JSON text in one atomic file; the same input gives the same bytes."""
    ordered = {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    if text:
        ordered[META] = np.frombuffer(text.encode(), np.uint8)
    write_bytes(path, save(ordered))


def read_arrays(path: Path) -> tuple[Arrays, str]:
    """Return (arrays, JSON text) of a file written by ``write_arrays``."""
    with reading(path):
        data = path.read_bytes()
    try:
        arrays: Arrays = dict(load(data))
        text = arrays.pop(META, np.zeros(0, np.uint8)).tobytes().decode()
    except (SafetensorError, ValueError) as error:
        raise StorageError(f"{path} is damaged ({error}): it is not what fedrec wrote; train again") from error
    return arrays, text


def prefixed(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays under ``prefix/name``."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def unprefixed(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays whose names start with ``prefix/``, without it."""
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(prefix + "/")}
