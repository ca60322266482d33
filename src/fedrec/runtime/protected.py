"""One round whose sum nobody sees without its noise and masks: what LocalRuntime does when it is given a Protection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Algorithm, Arrays, Key, Phase, UpdateError
from fedrec.privacy import RingSum, travel
from fedrec.privacy.protection import Protection, arrays_digest, round_name
from fedrec.runtime.secure import Ask, Members, Summed, secure_sum

#: some clients' plain sum, and {client: reason} of those whose updates were left out
SumOf = Callable[[NDArray[np.int64]], tuple[RingSum, dict[int, str]]]


@dataclass(frozen=True)
class Request:
    """One round: its phase and broadcast, who was asked and who answers (client numbers), its randomness.

    ``name``: of the release; ``statistic``: of what is summed, the same as long as a person's vector is.
    """

    phase: Phase
    model: bytes
    cohort: NDArray[np.int64]
    survivors: NDArray[np.int64]
    key: Key
    name: str
    statistic: str


def request(
    algorithm: Algorithm,
    protection: Protection,
    phase: Phase,
    broadcast: Arrays,
    clients: tuple[NDArray[np.int64], NDArray[np.int64]],
    key: Key,
    data: bytes,
) -> Request:
    """Return a round's request; its name covers everything that goes into the sum, ``data`` all that users hold."""
    cohort, survivors = clients
    model = arrays_digest(broadcast)
    config = algorithm.config.model_dump_json()
    about = {"algorithm": algorithm.name, "config": config, "phase": phase, "model": model}
    statistic = round_name(phase.name, key.round if broadcast else 0, about)
    noise = protection.key.fingerprint  # a lost key means other noise, so another release
    everything = about | {"seed": key.seed, "clients": survivors.tobytes(), "data": data, "noise": noise}
    name = round_name(protection.label, key.round, everything)
    return Request(phase, model, cohort, survivors, key, name, statistic)


def protected_sum(protection: Protection, members: Members, asked: Request, sum_of: SumOf) -> Summed:
    """Return the sum that the server may see, as it travels; ``sum_of`` gives some clients' plain sum."""
    if protection.masks == "full":
        return _every_message(protection, members, asked, sum_of)
    phase = asked.phase
    own, refused = sum_of(asked.survivors)
    survivors = [k for k in asked.survivors.tolist() if k not in refused]
    if len(survivors) < protection.fewest:
        return Summed(None, (), 0, 0, "too few updates could be added", refused)
    vector = own.vector()
    protection.add_share(phase, vector, len(survivors), asked.name.encode())
    if protection.mechanism is None:
        members.check_release(asked.statistic, survivors)
        members.release(asked.statistic, survivors)
    protection.announce(phase, asked.name)
    up = len(survivors) * travel.length(phase) * travel.bits(phase) // 8
    return Summed(vector, tuple(survivors), up, 0, refused=refused)


def _every_message(protection: Protection, members: Members, asked: Request, sum_of: SumOf) -> Summed:
    phase = asked.phase

    def vector(client: int) -> NDArray[np.signedinteger]:
        mine, refused = sum_of(np.array([client]))
        if client in refused:  # there is nothing it could mask: it drops out
            raise UpdateError(refused[client])
        own: NDArray[np.signedinteger] = mine.vector()
        protection.add_share(phase, own, 1, f"{asked.name} client {client}".encode())
        return own

    ask = Ask(
        asked.cohort.tolist(),
        frozenset(np.setdiff1d(asked.cohort, asked.survivors).tolist()),
        protection.fewest,
        travel.length(phase),
        travel.bits(phase),
        protection.mechanism is not None,
        asked.model,
        asked.statistic,
        replace(asked.key, purpose="drop-out"),
    )
    return secure_sum(members, ask, vector, lambda: protection.announce(phase, asked.name))
