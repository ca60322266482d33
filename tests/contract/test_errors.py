"""One hierarchy, drawn in a docstring, with exit codes."""

import re

import pytest

from fedrec.contract import errors
from fedrec.contract.errors import ContractError, FedrecError, InputError, did_you_mean


def test_the_drawn_tree_is_the_tree() -> None:
    drawn = re.findall(r"\b([A-Z]\w*Error)\b", errors.__doc__ or "")
    classes = {n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, FedrecError)}
    assert set(drawn) == classes
    branch = {}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.search(r"\b([A-Z]\w*Error)\b", line):
            branch[found.group(1)] = found.start()
    for name in classes - {"FedrecError"}:
        parent = getattr(errors, name).__mro__[1].__name__
        assert branch[parent] < branch[name], f"{name} is drawn under another parent"


@pytest.mark.parametrize(
    "kind", [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, FedrecError)]
)
def test_exit_codes_say_whose_mistake_it_is(kind: type[FedrecError]) -> None:
    assert kind.exit_code == (2 if issubclass(kind, InputError) else 1)
    assert ContractError.exit_code == 1


def test_did_you_mean() -> None:
    assert did_you_mean("eas", ["ease", "slist"]) == " Did you mean 'ease'?"
    assert did_you_mean("zzz", ["ease", "slist"]) == ""
