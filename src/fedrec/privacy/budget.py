"""The budget ledger: every release is on the disk before it is made, so no crash makes the disk forget one.

Two files. The ledger has one JSON object a line: the budget, then the releases; each line carries the SHA-256 of the
line before it and itself. The witness says what the next line is going to be. To spend: write the witness (temporary
file, fsync, rename, fsync of the folder), append the line (fsync), only then return to the caller, who may release.

After a crash the witness finishes a line that is torn or missing, and its release counts as spent although it may
never have been made. A ledger that is shorter than its witness, or tells another history, was put back from an older
copy and is refused. An attacker who rewrites both files, or a backup that restores both, cannot be noticed here: put
the witness on another disk, or note ``head`` somewhere else.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

from fedrec.contract import ConfigError, FedrecError, StorageError
from fedrec.privacy.accountant import Cost, Release, cost, gaussian_epsilon, gaussian_mu

VERSION = 1


class BudgetSpentError(FedrecError):
    """A release would cost more than what is left of the budget; nothing was written or released."""


@dataclass(frozen=True)
class Budget:
    """What one person may lose in all releases of a ledger together.

    ``epsilon``, ``delta``: of the unit ``unit``; ``memberships``: organisations that may know the same person.
    """

    epsilon: float
    delta: float
    memberships: int = 1
    unit: str = "person"


@dataclass(frozen=True)
class Remaining:
    """What is left: ``mu`` of a Gaussian release that would just fit; ``epsilon`` of that release alone, at delta.

    Epsilons do not add: a release of this epsilon fits, although spent + this exceeds the budget as numbers.
    """

    mu: float
    epsilon: float


@dataclass(frozen=True)
class _Witness:
    """``lines`` are in the ledger and end in ``chain``; ``next`` is the line that follows, already counted."""

    lines: int
    chain: str
    next: str


class BudgetLedger:
    """The releases of one budget, held by one process at a time.

    ``path``: the ledger, created when neither it nor its witness exists; ``witness``: default ``path`` + ".witness".
    Raises StorageError when another process holds it, when it is damaged or older than its witness, or when the disk
    refuses; ConfigError when it was opened for another budget. ``recovered``: a crash had left a line unfinished.
    """

    def __init__(self, path: Path, budget: Budget, witness: Path | None = None) -> None:
        gaussian_mu(budget.epsilon, budget.delta)  # refuses an epsilon or a delta that is none
        self.path, self.budget = path, budget
        self.witness = witness or path.with_name(path.name + ".witness")
        self.recovered = False
        self._process, self._thread = os.getpid(), threading.Lock()
        self._releases: list[Release] = []
        self._names: set[str] = set()
        self._lines, self._chain, self._size = 0, "", 0
        self._usable = False
        with _disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.witness.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._open = True
        try:
            self._lock()
            self._load()
            self._usable = True
        finally:
            if not self._usable:
                self.close()

    def __enter__(self) -> BudgetLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ledger; another process may open it."""
        self._usable = False
        if self._open:
            self._open = False
            os.close(self._file)

    @property
    def releases(self) -> tuple[Release, ...]:
        """Releases counted so far, those that a crash may have prevented included."""
        return tuple(self._releases)

    @property
    def spent(self) -> Cost:
        """What the releases counted so far cost one person."""
        return cost(self._releases, self.budget.delta, self.budget.memberships)

    @property
    def remaining(self) -> Remaining:
        """What is left of the budget."""
        left = gaussian_mu(self.budget.epsilon, self.budget.delta) ** 2 - self.spent.mu**2
        mu = sqrt(max(left, 0.0))
        return Remaining(mu, gaussian_epsilon(mu, self.budget.delta) if mu else 0.0)

    @property
    def head(self) -> str:
        """Number of lines and checksum of the last one: noted elsewhere, it proves a later ledger to be shorter."""
        return f"{self._lines}:{self._chain}"

    def check(self, releases: Iterable[Release], name: str = "the plan") -> Cost:
        """Return what ``spent`` would be with these releases too; raise BudgetSpentError where it is too much."""
        new = list(releases)
        after = cost([*self._releases, *new], self.budget.delta, self.budget.memberships)
        if after.epsilon > self.budget.epsilon:
            raise BudgetSpentError(
                f"{name} would bring epsilon to {after.epsilon:.4g} at delta {self.budget.delta:g}, the budget of "
                f"{self.path} is {self.budget.epsilon:g} and {self.spent.epsilon:.4g} is spent: nothing was released; "
                "keep what the releases so far gave, or plan fewer releases or more noise"
            )
        return after

    def spend(self, release: Release, name: str) -> Cost:
        """Count a release; when this returns it is on the disk, and the caller may make it.

        ``name``: what is released, for the reader of the ledger. Returns ``spent``. Raises BudgetSpentError before
        anything is written, StorageError when the disk refuses: the release may then count, but must not be made.
        """
        with self._thread:
            self._still_ours()
            after = self.check([release], f"release {name!r}")
            self._write({"kind": "release", "name": name, **asdict(release)})
            self._releases.append(release)
            self._names.add(name)
            return after

    def spend_once(self, release: Release, name: str) -> Cost:
        """Count a release unless one of this name is counted: the same integers may be sent again after a crash.

        The caller vouches that a name stands for one set of integers, noise included.
        """
        return self.spent if name in self._names else self.spend(release, name)

    def _write(self, body: dict[str, Any]) -> None:
        line, chain = _sealed({"n": self._lines, **body}, self._chain)
        self._usable = (
            False  # until both files are safe: after an error nothing is known, and only opening it again helps
        )
        with _disk(self.path):
            self._announce(_Witness(self._lines, self._chain, line))
            self._append(line)
        self._usable = True
        self._lines, self._chain, self._size = self._lines + 1, chain, self._size + len(line) + 1

    def _announce(self, witness: _Witness) -> None:
        temporary = self.witness.with_name(f".{self.witness.name}.tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write_all(handle, json.dumps(asdict(witness)).encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, self.witness)
        _sync_folder(self.witness.parent)

    def _append(self, line: str) -> None:
        _write_all(self._file, line.encode() + b"\n")
        os.fsync(self._file)
        _sync_folder(self.path.parent)  # the file itself may be new

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"the ledger {self.path} is held by another process: two runs cannot spend one budget at the same "
                "time; wait for the other to end, or stop it"
            ) from error

    def _still_ours(self) -> None:
        if os.getpid() != self._process:
            raise StorageError(f"the ledger {self.path} was opened by another process: open it in this one")
        if not self._usable:
            raise StorageError(f"the ledger {self.path} is closed, or could not be written before: open it again")
        with _disk(self.path):
            here = os.fstat(self._file)
            there = os.stat(self.path) if self.path.exists() else None
        if there is None or (here.st_dev, here.st_ino, here.st_size) != (there.st_dev, there.st_ino, self._size):
            raise StorageError(
                f"the ledger {self.path} was changed or replaced by somebody else while this run held it: nothing was "
                "released; find out who, then run again"
            )

    def _load(self) -> None:
        with _disk(self.path):
            text = _read_all(self._file)
        lines, torn = _split(text)
        chains = _verified(lines, self.path)
        witness = self._read_witness()
        self._lines, self._chain, self._size = len(lines), chains[-1], len(text) - len(torn)
        if witness is None and not text:
            self._write_budget()
            return
        if witness is None:
            raise StorageError(
                f"the ledger {self.path} has lost its witness {self.witness}: without it nobody can tell whether "
                "releases are missing; put it back, or treat the budget as spent"
            )
        if witness.lines > len(lines) or chains[witness.lines] != witness.chain:
            raise StorageError(
                f"the ledger {self.path} has {len(lines)} lines and its witness saw {witness.lines + 1}, or another "
                "history: an older copy was put back; restore the latest one, or treat the budget as spent"
            )
        self._finish(lines, torn, witness)
        self._use(lines)

    def _finish(self, lines: list[str], torn: bytes, witness: _Witness) -> None:
        """Complete the line that the witness announced, where it is torn or missing; add it to ``lines``."""
        if len(lines) == witness.lines:
            with _disk(self.path):
                os.ftruncate(self._file, self._size)
                self._append(witness.next)
            lines.append(witness.next)
            self._chain = _verified(lines, self.path)[-1]
            self._lines, self._size = len(lines), self._size + len(witness.next) + 1
            self.recovered = True
        elif torn or lines[witness.lines] != witness.next:
            raise StorageError(
                f"the last line of the ledger {self.path} is not the one its witness announced: the files do not "
                "belong together; restore the latest copies of both, or treat the budget as spent"
            )

    def _use(self, lines: list[str]) -> None:
        """Take over what the lines say; the budget must be the one this run was given."""
        bodies = [json.loads(line) for line in lines]
        first = {key: bodies[0].get(key) for key in asdict(self.budget)}
        if bodies[0].get("kind") != "budget" or bodies[0].get("version") != VERSION:
            raise StorageError(f"{self.path} is no budget ledger of version {VERSION}: give the path of one")
        if first != asdict(self.budget):
            raise ConfigError(
                f"the ledger {self.path} was opened for {first}, this run asks for {asdict(self.budget)}: a budget "
                "does not change while it is spent; use the same figures"
            )
        fields = Release.__dataclass_fields__
        self._releases = [Release(**{key: body[key] for key in fields}) for body in bodies[1:]]
        self._names = {str(body["name"]) for body in bodies[1:]}

    def _write_budget(self) -> None:
        body = {"kind": "budget", "version": VERSION, "id": os.urandom(16).hex(), **asdict(self.budget)}
        self._write(body)

    def _read_witness(self) -> _Witness | None:
        try:
            with _disk(self.witness):
                data = self.witness.read_bytes() if self.witness.exists() else None
            return None if data is None else _Witness(**json.loads(data))
        except (ValueError, TypeError) as error:
            raise StorageError(
                f"the witness {self.witness} is damaged ({error}): put back the latest copy, or treat the budget as "
                "spent"
            ) from error


def yearly(training: Iterable[Release], trainings: int, delta: float, memberships: int = 1, tuning: int = 0) -> Cost:
    """Return the cost of a year of retraining: ``trainings`` times one training and ``tuning`` trial runs of its size.

    Trials on the same people are releases like any other, so they are counted, whether or not they are kept.
    """
    times = trainings * (1 + tuning)
    if trainings < 1 or tuning < 0:
        raise ConfigError(f"trainings={trainings}, tuning={tuning}: expected at least 1 training and 0 trials")
    return cost([replace(r, times=r.times * times) for r in training], delta, memberships)


def _sealed(body: dict[str, Any], before: str) -> tuple[str, str]:
    """Return (line, checksum): the checksum of the line before and of this one's content ends the line."""
    chain = hashlib.sha256((before + json.dumps(body, sort_keys=True)).encode()).hexdigest()
    return json.dumps({**body, "chain": chain}), chain


def _split(text: bytes) -> tuple[list[str], bytes]:
    """Return (whole lines, what follows the last newline)."""
    *whole, torn = text.split(b"\n")
    return [line.decode("utf-8", "replace") for line in whole], torn


def _verified(lines: list[str], path: Path) -> list[str]:
    """Return the checksums before line 0, 1, ... and after the last; raise StorageError at the first wrong one."""
    chains = [""]
    for n, line in enumerate(lines):
        try:
            body = json.loads(line)
            stated = body.pop("chain")
            right = body["n"] == n and _sealed(body, chains[-1]) == (line, stated)
        except (ValueError, AttributeError, KeyError, TypeError):
            right = False
        if not right:
            raise StorageError(
                f"line {n + 1} of the ledger {path} is damaged or was changed: what was spent is no longer known; "
                "restore the latest copy, or treat the budget as spent"
            )
        chains.append(stated)
    return chains


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the budget ledger {path} cannot be read or written ({error.strerror or error}): nothing was released; "
            "make room or give access, then run again"
        ) from error


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _read_all(handle: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    parts = []
    while part := os.read(handle, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
