"""Every guard holds for the real pipeline, and each broken pipeline is caught by the guard made for it."""

import warnings

import pytest

from fedrec.contract import Part, Phase, Stat
from fedrec.privacy import RingSum
from tests.privacy.guards import GUARDS, Parts
from tests.privacy.mutants import load
from tests.privacy.mutations import MUTATIONS, PIPELINE


def mutant(file: str, text: str, replacement: str) -> Parts:
    """Return the parts with one line of their source changed."""
    module = load(file, text, replacement)
    if file == PIPELINE:
        return Parts(Stat, Phase, Part, module.RingSum)
    return Parts(module.Stat, module.Phase, module.Part, RingSum)


@pytest.mark.parametrize("guard", GUARDS)
def test_law_5_the_pipeline_keeps(guard: str) -> None:
    GUARDS[guard](Parts(Stat, Phase, Part, RingSum))


@pytest.mark.parametrize(("what", "file", "text", "replacement", "guard"), MUTATIONS, ids=[m[0] for m in MUTATIONS])
def test_a_broken_pipeline_is_noticed(what: str, file: str, text: str, replacement: str, guard: str) -> None:
    broken = mutant(file, text, replacement)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mutant may overflow loudly; it has to fail the guard, not the filter
        with pytest.raises(AssertionError):
            GUARDS[guard](broken)


def test_every_guard_has_a_mutation_or_says_why_not() -> None:
    tried = {m[4] for m in MUTATIONS}
    without = set(GUARDS) - tried
    # bounded by two other guards at once (finite check and clip): no single change breaks it
    assert without == {"guard_huge_values_are_bounded_too"}
