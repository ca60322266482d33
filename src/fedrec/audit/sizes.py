"""Do sizes tell how much a person did? Every message of short and long histories is measured."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.audit.line import Line, judged, skipped
from fedrec.audit.setup import Setup
from fedrec.privacy import travel
from fedrec.privacy.secure import DEMO, Expected, Identity, RoundMemory, SecureSumClient, SecureSumServer, plan_round

NAME = "sizes of requests and messages"
EXPERIMENT = "bytes of every message of the shortest and the longest histories"
EACH = 4  # clients of each kind; together the members of a demonstration round
STAGES = 5


def lines(setup: Setup) -> list[Line]:
    """Return the line of this set-up."""
    if not setup.plan:
        return [skipped(NAME, EXPERIMENT, f"{setup.algorithm.name} sends nothing")]
    lengths = setup.users.lengths()
    order = np.argsort(lengths, kind="stable")
    short, long = order[:EACH].astype(np.int64), order[::-1][:EACH].astype(np.int64)
    sizes: dict[str, set[int]] = {}
    for moment in setup.moments:
        for row in (*short, *long):
            vector = setup.plain_sum(moment, np.array([row])).vector()
            sizes.setdefault(f"vector of phase {moment.phase.name!r}", set()).add(vector.nbytes)
    for phase in setup.plan:
        sizes[f"what the plan declares for {phase.name!r}"] = {travel.length(phase) * travel.bits(phase) // 8}
    if setup.masked and find_spec("cryptography") is not None and DEMO.least <= 2 * EACH:
        moment = setup.moments[-1]
        vectors = [setup.plain_sum(moment, np.array([row])).vector() for row in (*short, *long)]
        for stage, found in enumerate(messages(vectors)):
            sizes[f"secure sum, client's message {stage + 1}"] = found
    different = [name for name, found in sizes.items() if len(found) > 1]
    rows = tuple({"message": name, "bytes": ", ".join(f"{n:,}" for n in sorted(s))} for name, s in sizes.items())
    told = (
        f"histories of {int(lengths[short].min()):,} to {int(lengths[long].max()):,} interactions; recommendations are "
        "computed where the history is, so there is no request to recommend. The time a device takes to compute is not "
        "hidden"
    )
    return [
        Line(
            NAME, judged(not different), EXPERIMENT, len(different), None, None, told,
            unit="messages whose size differs", target="0", rows=rows,
        )
    ]  # fmt: skip


def messages(vectors: list[NDArray[Any]]) -> list[set[int]]:
    """Run a secure sum among so many clients (profile demo) and return the sizes of their answers, stage by stage."""
    identities = [Identity.generate() for _ in vectors]
    roster = [identity.public for identity in identities]
    expected = Expected(DEMO, bytes(32), len(vectors[0]), 8 * vectors[0].itemsize)
    server = SecureSumServer(plan_round(expected, roster, 0), roster)
    clients = [
        SecureSumClient(identity, roster, expected, RoundMemory(), vector)
        for identity, vector in zip(identities, vectors, strict=True)
    ]
    inbox = dict.fromkeys(range(len(clients)), server.announce())
    out = []
    for _ in range(STAGES):
        answers = {k: clients[k].receive(message) for k, message in inbox.items()}
        out.append({len(answer) for answer in answers.values()})
        for answer in answers.values():
            server.receive(answer)
        inbox = dict(server.advance())
    return out
