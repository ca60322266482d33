"""What is exported exists, is sorted, and is all there is to a public package."""

import importlib
import pkgutil

import pytest

import fedrec

MODULES = sorted(m.name for m in pkgutil.walk_packages(fedrec.__path__, "fedrec."))
WITH_ALL = [m for m in ["fedrec", *MODULES] if hasattr(importlib.import_module(m), "__all__")]
PUBLIC = ("fedrec", "fedrec.contract", "fedrec.testing", "fedrec.privacy")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported_and_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    assert module.__doc__.strip()


@pytest.mark.parametrize("name", WITH_ALL)
def test_exported_members_exist_and_are_sorted(name: str) -> None:
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    for member in module.__all__:
        assert getattr(module, member) is not None


def test_the_public_packages_say_what_they_export() -> None:
    assert set(PUBLIC) <= set(WITH_ALL)


def test_what_an_author_imports_is_in_the_contract() -> None:
    contract = importlib.import_module("fedrec.contract")
    for submodule in ("algorithm", "interactions", "random", "errors"):
        module = importlib.import_module(f"fedrec.contract.{submodule}")
        defined = {
            n for n, v in vars(module).items()
            if isinstance(v, type) and v.__module__ == module.__name__ and not n.startswith("_")
        }  # fmt: skip
        assert defined <= set(contract.__all__), f"not exported: {sorted(defined - set(contract.__all__))}"


def test_importing_fedrec_costs_nothing() -> None:
    import subprocess
    import sys

    code = "import sys, fedrec; print([m for m in ('numpy', 'polars', 'numba', 'torch', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
