"""What a round is, and the minimums that a client insists on whatever the server says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fedrec.contract import ConfigError
from fedrec.privacy.secure.errors import MessageError, Refused
from fedrec.privacy.secure.messages import MAX_CLIENTS, MAX_LENGTH, PLAN, digest

COMPLETE_BELOW = 50  # rosters up to this size use the complete graph


@dataclass(frozen=True)
class Profile:
    """Minimums by kind of client.

    ``least`` and ``most``: members a roster may have; ``survivors``: fewest vectors a sum may be over; ``degree``:
    fewest neighbours in a roster of more than 50; ``apart``: fewest members by which the cohorts of two sums of one
    statistic must differ; ``notice``: to be shown wherever the profile is used.
    """

    name: str
    least: int
    most: int
    survivors: int
    degree: int
    apart: int = 3
    notice: str = ""


DEVICES = Profile("devices", 500, MAX_CLIENTS, 500, 40, apart=500)
ORGANISATIONS = Profile("organisations", 3, 1000, 3, 40)
DEMO = Profile(
    "demo", 8, 20, 6, 40, notice="DEMO PROFILE: a sum over 6 to 20 clients hides little; not for anybody's real data"
)
PROFILES = {p.name: p for p in (DEVICES, ORGANISATIONS, DEMO)}


@dataclass(frozen=True)
class Plan:
    """One round as announced; its hash goes into every key.

    ``degree``: neighbours of a client (members - 1: complete graph); ``threshold``: shares that give a secret back;
    ``survivors``: fewest vectors in the sum; ``noise``: every client adds its noise share before it masks.
    """

    round: int
    model: bytes
    bits: int
    length: int
    degree: int
    threshold: int
    survivors: int
    members: int
    roster: bytes
    noise: bool

    def body(self) -> bytes:
        """Return the body of ANNOUNCE."""
        return PLAN.pack(
            self.round, self.model, self.bits, int(self.noise), 0, self.length, self.degree, self.threshold,
            self.survivors, self.members, self.roster,
        )  # fmt: skip

    @property
    def session(self) -> bytes:
        """Hash of the protocol version and of everything announced."""
        return digest("plan", self.body())


def read_plan(body: memoryview) -> Plan:
    """Read the body of ANNOUNCE."""
    if len(body) != PLAN.size:
        raise MessageError("size", f"ANNOUNCE: {len(body)} bytes, expected {PLAN.size}")
    round_, model, bits, flags, reserved, length, degree, threshold, survivors, members, roster = PLAN.unpack(body)
    if flags > 1 or reserved:
        raise MessageError("flags", f"ANNOUNCE has unknown flags {flags:#x} (reserved field {reserved})")
    return Plan(round_, model, bits, length, degree, threshold, survivors, members, roster, bool(flags))


def roster_hash(roster: Sequence[bytes]) -> bytes:
    """Return the hash of the pinned identities, in order."""
    return digest("roster", *roster)


def least_threshold(holders: int) -> int:
    """Return the smallest threshold above 2/3 of the holders of a secret's shares (its owner and its neighbours).

    With less, two groups of holders told different lists could hand out both secrets of one client.
    """
    return 2 * holders // 3 + 1


@dataclass(frozen=True)
class Expected:
    """What a client knows of the round by itself: it computes ``model`` from the broadcast that it received.

    ``statistic``: a name for what is summed that stays the same as long as a person's vector does (without one, the
    model's hash): sums of one statistic without noise must not differ by a few members.
    """

    profile: Profile
    model: bytes
    length: int
    bits: int
    noise: bool = False
    statistic: str = ""

    @property
    def released_as(self) -> str:
        """The name under which a client remembers whose sums it helped to unmask."""
        return self.statistic or self.model.hex()


def plan_round(
    expected: Expected, roster: Sequence[bytes], round: int, degree: int = 50, survivors: int | None = None
) -> Plan:
    """Return the plan of a round with these members; refuses what its clients would refuse."""
    members = len(roster)
    if not 0 <= round < 2**64:
        raise ConfigError(f"round {round}, expected a number from 0 to 2^64 - 1")
    if members <= max(COMPLETE_BELOW, degree + 1):
        degree = members - 1
    try:
        plan = Plan(
            round, expected.model, expected.bits, expected.length, degree, least_threshold(degree + 1),
            least_survivors(expected) if survivors is None else survivors, members, roster_hash(roster), expected.noise,
        )  # fmt: skip
        check_plan(plan, expected, roster)
    except Refused as refusal:
        raise ConfigError(str(refusal)) from refusal
    return plan


def least_survivors(expected: Expected) -> int:
    """Return the fewest vectors a sum may be over: two organisations may add up once noise is on."""
    return 2 if expected.noise and expected.profile == ORGANISATIONS else expected.profile.survivors


def check_plan(plan: Plan, expected: Expected, roster: Sequence[bytes]) -> None:
    """Refuse a plan that is not the expected one or asks for less than the client's minimums."""
    profile = expected.profile
    if len(plan.model) != 32 or plan.model != expected.model:
        raise Refused("model", "the announced model hash is not that of the broadcast received: another model was sent")
    if (plan.length, plan.bits) != (expected.length, expected.bits) or plan.bits not in (32, 64):
        raise Refused(
            "shape",
            f"announced {plan.length} values of {plan.bits} bits, expected {expected.length} of {expected.bits}",
        )
    if not 1 <= plan.length <= MAX_LENGTH:
        raise Refused("shape", f"{plan.length} values, expected 1 to {MAX_LENGTH}")
    if plan.noise != expected.noise:
        raise Refused("noise", f"noise announced {plan.noise}, this client has {expected.noise}: both must agree")
    if plan.members != len(roster) or plan.roster != roster_hash(roster) or len(set(roster)) != len(roster):
        raise Refused("roster", "the announced members are not the pinned identities, each once")
    _check_minimums(plan, expected, profile)


def _check_minimums(plan: Plan, expected: Expected, profile: Profile) -> None:
    least = least_survivors(expected)
    if plan.members == 2 and profile == ORGANISATIONS and not expected.noise:
        raise Refused(
            "two", "a sum over two organisations hides nothing: each could subtract its own. Add a third one, "
            "or switch noise on"
        )  # fmt: skip
    fewest = min(profile.least, least) if profile == ORGANISATIONS else profile.least
    if not fewest <= plan.members <= profile.most:
        raise Refused("cohort", f"{plan.members} members, profile {profile.name!r} asks for {fewest} to {profile.most}")
    if not least <= plan.survivors <= plan.members:
        raise Refused(
            "cohort",
            f"the sum may be over {plan.survivors} clients, profile {profile.name!r} asks for {least} at least",
        )
    complete = plan.degree == plan.members - 1
    if plan.members <= COMPLETE_BELOW and not complete:
        raise Refused("degree", f"degree {plan.degree}, up to {COMPLETE_BELOW} members everybody masks with everybody")
    if not complete and (plan.degree < profile.degree or plan.degree % 2 or plan.degree >= plan.members):
        raise Refused("degree", f"degree {plan.degree}, expected an even number from {profile.degree} to members - 1")
    if not least_threshold(plan.degree + 1) <= plan.threshold <= plan.degree + 1:
        raise Refused(
            "threshold", f"threshold {plan.threshold}, expected {least_threshold(plan.degree + 1)} to "
            f"{plan.degree + 1}: more than 2/3 of {plan.degree} neighbours and the owner"
        )  # fmt: skip


class RoundMemory:
    """What a client remembers between rounds; keep it on disk, and write it before an answer leaves.

    ``last``: the highest round it took part in; ``released``: by statistic, the survivors (public keys) of each sum
    without noise that it helped to unmask.
    """

    def __init__(self, last: int = -1, released: Mapping[str, Iterable[frozenset[bytes]]] | None = None) -> None:
        self.last = last
        self.released = {name: list(sets) for name, sets in (released or {}).items()}

    def claim(self, round: int) -> None:
        """Mark the round as used, or refuse one that is not newer than the last."""
        if round <= self.last:
            raise Refused("round", f"round {round} is not newer than round {self.last}, in which this client took part")
        self.last = round

    def check_release(self, statistic: str, survivors: frozenset[bytes], apart: int) -> None:
        """Refuse a second sum of a statistic over nearly the same people: the difference would be that of a few."""
        for before in self.released.get(statistic, []):
            few = len(before ^ survivors)
            if 0 < few < apart:
                raise Refused(
                    "subtraction", f"an earlier sum of this statistic was over a cohort that differs by {few} members: "
                    f"their difference would tell about those few. Expected the same cohort, {apart} or more, or noise"
                )  # fmt: skip

    def release(self, statistic: str, survivors: frozenset[bytes]) -> None:
        """Remember that the sum over these survivors is about to be unmasked."""
        sets = self.released.setdefault(statistic, [])
        if survivors not in sets:
            sets.append(survivors)
