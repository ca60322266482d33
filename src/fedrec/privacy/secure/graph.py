"""Who masks with whom: a random k-regular graph that follows from the signed key list (Bell et al., CCS 2020).

The clients are put on a circle in the order of a hash seeded by the session, and each is joined to the k/2 before and
after it. Nobody chooses: every client computes the same circle.
"""

from __future__ import annotations

from collections.abc import Iterable

from fedrec.privacy.secure.messages import digest

Graph = dict[int, tuple[int, ...]]


def neighbours(cohort: Iterable[int], degree: int, session: bytes) -> Graph:
    """Return each client's neighbours in ascending order; complete where the cohort has at most degree + 1 clients."""
    members = sorted(cohort)
    if len(members) <= degree + 1:
        return {k: tuple(j for j in members if j != k) for k in members}
    circle = sorted(members, key=lambda k: digest("circle", session, k.to_bytes(4, "little")))
    reach = [step for step in range(-(degree // 2), degree // 2 + 1) if step]
    n = len(circle)
    return {k: tuple(sorted(circle[(at + step) % n] for step in reach)) for at, k in enumerate(circle)}
