"""What a run's privacy settings mean for its plan: noise, masks, ledger, and the words that are printed of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import floor
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fedrec.contract import Algorithm, Catalog, ConfigError
from fedrec.privacy.accountant import Cost, Release, cost
from fedrec.privacy.budget import Budget, BudgetLedger, yearly
from fedrec.privacy.mechanism import Mechanism, Target, calibrate
from fedrec.privacy.noise import NoiseKey
from fedrec.privacy.protection import Protection, nothing
from fedrec.privacy.secure import DEVICES, ORGANISATIONS, PROFILES, Expected, Profile
from fedrec.privacy.secure.policy import least_survivors

ACCOUNTANT = (
    "composed Gaussians in closed form (Balle, Wang 2018; Dong, Roth, Su 2022), charged for the integers that run: "
    "docs/privacy_mechanism.md"
)
ASSUMED = (
    "neighbours: one person's contribution is replaced by zeros; the number of people is public",
    "the item list, its filter, titles and features are public",
    "clients follow the protocol and add their noise share; the server sees the sum of a round and nothing before it",
    "no amplification by sampling: the server sees the cohort",
    "validation and test figures are computed on people's data and are not covered; leave them out of what you publish",
)


class PrivacyConfig(BaseModel):
    """User-level differential privacy of a training; there is no seed for the noise, on purpose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epsilon: float = Field(gt=0, le=100, description="what one training costs a person at most")
    delta: float = Field(1e-5, gt=0, lt=1, description="well below 1 / number of people")
    survivors: float = Field(0.9, gt=0, le=1, description="share of the cohort whose noise shares suffice")
    memberships: int = Field(1, ge=1, le=1000, description="organisations that may know the same person")
    ledger: str | None = Field(None, description="file that counts what is released on these people; default: in --out")
    budget: float | None = Field(None, gt=0, description="epsilon of the ledger; default: what this command releases")
    trainings: int = Field(12, ge=1, le=10_000, description="trainings a year, for the yearly figure of --dry-run")


@dataclass(frozen=True)
class Safeguards:
    """A run's protection, settled before anything runs; ``stages``: trainings that this command releases."""

    masks: str
    profile: Profile
    fewest: int
    expected: int
    stages: int
    mechanism: Mechanism | None = None
    config: PrivacyConfig | None = None

    def protection(self, stage: str, key: NoiseKey, ledger: BudgetLedger | None) -> Protection:
        """Return what a runtime is given for one stage."""

        def spend(name: str, releases: tuple[Release, ...]) -> None:
            assert ledger is not None
            for number, release in enumerate(releases):
                ledger.spend_once(release, f"{name} #{number}")

        return Protection(
            self.fewest, self.expected, self.mechanism, self.masks, self.profile, stage, key,
            nothing if ledger is None else spend,
        )  # fmt: skip

    def everything(self) -> list[Release]:
        """Return all that this command releases on the same people."""
        return [] if self.mechanism is None else _times(self.mechanism.training(), self.stages)

    @contextmanager
    def ledger(self, folder: Path | None, resume: bool) -> Iterator[BudgetLedger | None]:
        """Open the ledger of the run's people and check that the whole command fits into what is left.

        A run that goes on has spent a part of it already; each round is then checked when it comes.
        """
        path = self._path(folder)
        if path is None or self.config is None:
            yield None
            return
        whole = cost(self.everything(), self.config.delta, self.config.memberships).epsilon
        budget = self.config.budget or whole * (1 + 1e-9)
        with BudgetLedger(path, Budget(budget, self.config.delta, self.config.memberships)) as opened:
            if not resume:
                opened.check(self.everything(), "this command")
            yield opened

    def _path(self, folder: Path | None) -> Path | None:
        if self.config is not None and self.config.ledger is not None:
            return Path(self.config.ledger)
        return None if folder is None else folder / "private" / "budget.jsonl"

    def in_words(self) -> str:
        """Return what is on and what is off, for every screen."""
        masks = "all messages of the secure sum run" if self.masks == "full" else "masks left out, they cancel"
        noise = "noise off"
        if self.mechanism is not None:
            c = self.mechanism.target
            noise = f"noise on: epsilon {c.epsilon:g} at delta {c.delta:g} for each training"
        notice = f"; {self.profile.notice}" if self.profile.notice else ""
        return f"on one machine; secure sum ({self.profile.name}: {masks}); {noise}{notice}"

    def facts(self) -> dict[str, Any] | None:
        """Return the ``privacy`` of metrics.json; None where no epsilon is claimed."""
        m, c = self.mechanism, self.config
        if m is None or c is None:
            return None
        whole = cost(self.everything(), c.delta, c.memberships)
        return {
            "unit": "person" if c.memberships == 1 else f"person known to up to {c.memberships} organisations",
            "epsilon": m.cost.epsilon,
            "delta": c.delta,
            "epsilon_continuous": m.continuous,
            "epsilon_of_everything_released": whole.epsilon,
            "trainings_released": self.stages,
            "accountant": ACCOUNTANT,
            "assumptions": list(ASSUMED),
            "noise": noise_rows(m),
            "clip": clip_rows(m),
            "cohort_minimum": self.fewest,
            "masks": self.masks,
        }

    def forecast(self) -> dict[str, Any]:
        """Return what ``--dry-run`` says beside the plan: noise before anything runs, and what a year would cost."""
        facts, year = self.facts(), self.year()
        if facts is None or year is None or self.config is None:
            return {}
        return {
            "noise": facts["noise"],
            "epsilon": facts["epsilon"],
            "epsilon_continuous": facts["epsilon_continuous"],
            "epsilon_of_everything_released": facts["epsilon_of_everything_released"],
            "epsilon_a_year": {"trainings": self.config.trainings, "stages": self.stages, "epsilon": year.epsilon},
            "split": "c cohorts noised apart carry sqrt(c) times this noise in their sum (4 cohorts: twice)",
            "assumptions": facts["assumptions"],
        }

    def year(self) -> Cost | None:
        """Return what a year of retraining costs, each training with its validation stage."""
        if self.mechanism is None or self.config is None:
            return None
        return yearly(
            self.mechanism.training(),
            self.config.trainings,
            self.config.delta,
            self.config.memberships,
            tuning=self.stages - 1,
        )


def _times(releases: list[Release], times: int) -> list[Release]:
    return [replace(r, times=r.times * times) for r in releases]


def noise_rows(mechanism: Mechanism) -> list[dict[str, Any]]:
    """Return the noise of each statistic: standard deviation of a decoded entry, and in ring steps."""
    return [
        {
            "phase": phase,
            "statistic": name,
            "rounds": mechanism.rounds[phase],
            "law": "discrete Gaussian, one share a client",
            "sigma": mechanism.sigma(phase, name),
            "sigma_steps": noise.variance**0.5,
            "step": noise.quantum,
        }
        for phase, stats in mechanism.noise.items()
        for name, noise in stats.items()
    ]


def clip_rows(mechanism: Mechanism) -> list[dict[str, Any]]:
    """Return each statistic's L2 bound of one person, before and after rounding (in values, not steps)."""
    return [
        {"phase": phase, "statistic": name, "l2_rounded": noise.sensitivity * noise.quantum}
        for phase, stats in mechanism.noise.items()
        for name, noise in stats.items()
    ]


@dataclass(frozen=True)
class Federation:
    """Who takes part: ``clients`` in all, ``cohort`` expected a round (None: all), whether they are organisations."""

    clients: int
    people: int
    cohort: int | None = None
    organisations: bool = False
    stages: int = 1


def safeguards(
    algorithm: Algorithm,
    catalog: Catalog,
    who: Federation,
    secure_sum: str,
    privacy: PrivacyConfig | None,
    profile: str | None,
) -> Safeguards | None:
    """Return the run's protection, or None where neither masks nor noise are asked for; refuses what cannot be."""
    if secure_sum == "off" and privacy is None:
        if profile is not None:
            raise ConfigError("--profile goes with --secure-sum or --privacy.epsilon: add one of them")
        return None
    _refuse(algorithm, catalog, privacy)
    chosen = PROFILES[profile] if profile else (ORGANISATIONS if who.organisations else DEVICES)
    cohort = min(who.cohort or who.clients, who.clients)
    least = least_survivors(Expected(chosen, b"", 1, 32, privacy is not None))
    fewest = max(least, floor(privacy.survivors * cohort) if privacy is not None else 0)
    _members(chosen, who, cohort, privacy is not None)
    masks = "full" if secure_sum == "full" else "simulated"
    expected = max(round(who.people * cohort / max(who.clients, 1)), 1)
    if privacy is None:
        return Safeguards(masks, chosen, fewest, expected, who.stages)
    if privacy.delta * who.people >= 1:
        raise ConfigError(
            f"--privacy.delta {privacy.delta:g} for {who.people:,} people: expected well below 1 / people = "
            f"{1 / who.people:.1e}, or publishing one person's whole history would count as private"
        )
    target = Target(privacy.epsilon, privacy.delta, privacy.memberships)
    mechanism = calibrate(algorithm.plan(catalog), max(who.people, 1), target, fewest, who.clients)
    return Safeguards(masks, chosen, fewest, expected, who.stages, mechanism, privacy)


def _refuse(algorithm: Algorithm, catalog: Catalog, privacy: PrivacyConfig | None) -> None:
    from fedrec.algorithms import registry

    name = algorithm.name
    if algorithm.needs_individual_updates:
        raise ConfigError(
            f"{name} needs to see single updates (needs_individual_updates), and a secure sum or noise hides them: "
            "choose another algorithm, or leave --secure-sum and --privacy out"
        )
    if not algorithm.plan(catalog):
        raise ConfigError(f"{name} sends nothing, so there is nothing to protect: leave --secure-sum and --privacy out")
    if privacy is not None and algorithm.dp is None:
        able = [n for n in registry.BUILT_IN if registry.get(n).dp is not None]
        raise ConfigError(
            f"{name} has no form whose statistics are bounded tightly enough for noise: use one of {', '.join(able)}"
        )


def _members(profile: Profile, who: Federation, cohort: int, noise: bool) -> None:
    if who.organisations and cohort == 2 and not noise:
        raise ConfigError(
            "a secure sum over two organisations hides nothing: each could subtract its own. Add a third one, or noise "
            "(--privacy.epsilon)"
        )
    least = min(profile.least, 2) if noise and who.organisations else profile.least
    if least <= cohort and who.clients <= profile.most:
        return
    kind = "organisations" if who.organisations else "devices"
    demo = PROFILES["demo"]
    hint = f" ({demo.least} to {demo.most} clients: --profile demo, for demonstrations)" if who.clients <= 20 else ""
    raise ConfigError(
        f"a secure sum over {cohort:,} {kind}: profile {profile.name!r} asks for {least:,} to "
        f"{profile.most:,} clients a round, or a sum would tell about a few{hint}"
    )


def protection_in_words(safeguards: Safeguards | None) -> str:
    """Return what protects a run's sums."""
    return "on one machine; masks and noise off" if safeguards is None else safeguards.in_words()
