"""Every lie of a server and every forged message is refused, for the reason it should be."""

import pytest

from fedrec.contract import ConfigError, ContractError
from fedrec.privacy import secure
from tests.privacy.secure_guards import GUARDS
from tests.privacy.secure_round import Round


@pytest.mark.parametrize("name", GUARDS)
def test_guard(name: str) -> None:
    GUARDS[name](secure)


def test_a_plan_that_clients_would_refuse_is_not_made() -> None:
    with pytest.raises(ConfigError, match="each could subtract its own"):
        Round(members=2, profile=secure.ORGANISATIONS)
    with pytest.raises(ConfigError, match="8 to 20"):
        Round(members=5)
    with pytest.raises(ConfigError, match="round -1"):
        Round(number=-1, members=8, label="x")


def test_vectors_of_another_shape_are_the_callers_mistake() -> None:
    r = Round()
    for vector in (r.vectors[0][:-1], r.vectors[0].astype("f4"), r.vectors[0].astype("i8")):
        with pytest.raises(ContractError, match="vector"):
            secure.SecureSumClient(r.ids[0], r.roster, r.expected, secure.RoundMemory(), vector)
    with pytest.raises(ContractError, match="enrol"):
        secure.SecureSumClient(secure.Identity.generate(), r.roster, r.expected, secure.RoundMemory(), r.vectors[0])


def test_profiles_have_the_minimums_of_the_design() -> None:
    assert secure.DEVICES.least == secure.DEVICES.survivors == 500
    assert secure.ORGANISATIONS.least == secure.ORGANISATIONS.survivors == 3
    assert secure.DEVICES.apart == 500
    assert secure.ORGANISATIONS.apart == 3
    expected = secure.Expected(secure.DEVICES, bytes(32), 10, 32)
    roster = [k.to_bytes(32, "big") for k in range(1000)]
    plan = secure.plan_round(expected, roster, 1)
    assert (plan.degree, plan.threshold, plan.survivors) == (50, 35, 500)
    assert secure.plan_round(expected, roster[:500], 1).survivors == 500
    assert secure.plan_round(secure.Expected(secure.ORGANISATIONS, bytes(32), 10, 32), roster[:50], 1).degree == 49
    assert (secure.DEMO.least, secure.DEMO.most) == (8, 20)
    assert "DEMO" in secure.DEMO.notice
