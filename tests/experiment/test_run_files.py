"""Files are whole or absent: a full disk, a read-only folder or a kill leaves what was there before."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.contract import StorageError
from fedrec.experiment.arrays import prefixed, read_arrays, unprefixed, write_arrays
from fedrec.experiment.files import read_json, sweep, write_bytes, write_json, write_text

FULL = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission to write there",
    errno.EIO: os.strerror(errno.EIO),
}


def failing(code: int) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", FULL)
@pytest.mark.parametrize("where", ["os.fsync", "builtins.open", "os.replace"])
def test_failed_write_is_one_sentence_and_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, where: str
) -> None:
    target = tmp_path / "state.bin"
    write_bytes(target, b"before")
    monkeypatch.setattr(where, failing(code))
    with pytest.raises(StorageError) as caught:
        write_bytes(target, b"after")
    monkeypatch.undo()
    said = str(caught.value)
    assert said.startswith(f"cannot write {target}: {FULL[code]}")
    assert said.endswith("what was saved before is intact")
    assert "\n" not in said
    assert target.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["state.bin"]


def test_failed_first_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", failing(errno.ENOSPC))
    with pytest.raises(StorageError):
        write_text(tmp_path / "a" / "new.txt", "x")
    monkeypatch.undo()
    assert list((tmp_path / "a").iterdir()) == []


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "state.bin"
    write_bytes(target, b"before")

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("os.fsync", die)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process tidies nothing up
    with pytest.raises(Killed):
        write_bytes(target, b"after")
    monkeypatch.undo()
    assert target.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 2
    sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["state.bin"]


def test_a_file_in_the_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*file"):
        write_text(tmp_path / "file" / "below" / "x", "x")


def test_json_has_no_nan_and_reads_back(tmp_path: Path) -> None:
    value = {"ndcg@10": 0.1, "名": [1, None, True, "💡"]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert read_json(tmp_path / "a.json") == value


def test_reading_back_says_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"x\.json is missing: the run folder is incomplete"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(StorageError, match=r"x\.json is damaged"):
        read_json(tmp_path / "x.json")
    with pytest.raises(StorageError, match=r"x\.safetensors is missing"):
        read_arrays(tmp_path / "x.safetensors")
    for damaged in (b"", b"PK\x03\x04", os.urandom(99)):
        (tmp_path / "x.safetensors").write_bytes(damaged)
        with pytest.raises(StorageError, match=r"x\.safetensors is damaged"):
            read_arrays(tmp_path / "x.safetensors")
    with pytest.raises(StorageError, match="cannot read"):
        read_arrays(tmp_path)


def test_arrays_read_back_the_same_whatever_their_shape_and_type(tmp_path: Path) -> None:
    arrays = {
        "b/step": np.array(3),
        "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "empty": np.zeros((0, 4), np.int64),
        "flags": np.array([True, False]),
        "keys": np.array([2**64 - 1], np.uint64),
    }
    write_arrays(tmp_path / "x", arrays, '{"é": 1}')
    found, text = read_arrays(tmp_path / "x")
    assert text == '{"é": 1}'
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)
    assert unprefixed("b", found) == {"step": 3}
    assert prefixed("b", {"step": found["a"]})["b/step"] is found["a"]


def test_same_arrays_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    a, b = np.arange(3), np.ones((2, 2), np.float32)
    write_arrays(tmp_path / "1", {"a": a, "b": b}, "text")
    write_arrays(tmp_path / "2", {"b": b, "a": a.copy()}, "text")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
