"""The document: one plain dict between whoever measures and whoever shows."""

from __future__ import annotations

import json

import pytest

from fedrec.contract import ContractError
from fedrec.report.document import Document
from tests.report.sample import sample


def test_a_document_survives_the_way_through_json() -> None:
    document = Document.from_dict(sample())
    assert Document.from_dict(json.loads(json.dumps(document.to_dict(), allow_nan=False))) == document


def test_a_bare_number_is_an_estimate_without_an_interval() -> None:
    result = {
        "algorithm": "a",
        "role": "federated",
        "data": "d",
        "protocol": "p",
        "metrics": {"hr@10": 0.25, "x@1": None},
    }
    read = Document.from_dict({"kind": "runs", "title": "t", "results": [result]}).results[0].metrics
    assert (read["hr@10"].value, read["hr@10"].low, read["x@1"].value) == (0.25, None, None)


def test_nan_and_infinity_become_null_so_that_the_page_embeds_valid_json() -> None:
    row = {"algorithm": "a", "metric": "m", "worst": float("nan"), "p90": float("inf"), "p10": 0.1}
    spread = Document.from_dict({"kind": "runs", "title": "t", "spread": [row]}).to_dict()["spread"][0]
    assert (spread["worst"], spread["p90"], spread["p10"]) == (None, None, 0.1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"titel": "x"}, "titel: unknown key"),
        ({"data": [{"users": 3}]}, "data.0.name: Field required"),
        ({"kind": "poster"}, "kind"),
        (
            {"groups": [{"by": "b", "metric": "m", "names": ["x", "y"], "values": {"a": [1.0]}}]},
            "one for each of 2 names",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        Document.from_dict({"kind": "bench", "title": "t"} | wrong)
