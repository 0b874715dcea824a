"""What Slither finds is accepted by name, with a reason, or fails."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from scripts.slither import ACCEPTED, complaints, place


def finding(detector: str, contract: str, function: str) -> dict[str, Any]:
    """A finding as Slither tells it: of a variable in a function."""
    parents: dict[str, Any] = {
        "type": "function",
        "name": function,
        "type_specific_fields": {"parent": {"type": "contract", "name": contract}},
    }
    element = {"type": "variable", "name": "sum", "type_specific_fields": {"parent": parents}}
    return {
        "check": detector,
        "impact": "High",
        "description": f"{contract}.{function} is weak",
        "elements": [element],
    }


def accepted(detector: str, *where: str) -> dict[str, Any]:
    return {"detector": detector, "reason": "looked at"} | ({"where": [*where]} if where else {})


def test_a_finding_stands_in_its_contract_and_function() -> None:
    (element,) = finding("tx-origin", "AllowanceVault", "withdraw")["elements"]
    assert place(element) == "AllowanceVault.withdraw"


@pytest.mark.parametrize(
    "entry",
    [
        accepted("tx-origin", "AllowanceVault.withdraw"),
        accepted("tx-origin"),
    ],
)
def test_an_accepted_finding_is_no_complaint(entry: dict[str, Any]) -> None:
    assert complaints([finding("tx-origin", "AllowanceVault", "withdraw")], [entry]) == []


@pytest.mark.parametrize(
    "other",
    [
        finding("tx-origin", "AllowanceVault", "withdrawChunk"),
        finding("tx-origin", "BenefitToken", "withdraw"),
        finding("suicidal", "AllowanceVault", "withdraw"),
    ],
)
def test_a_finding_elsewhere_or_of_another_kind_is(other: dict[str, Any]) -> None:
    found = [finding("tx-origin", "AllowanceVault", "withdraw"), other]
    (line,) = complaints(found, [accepted("tx-origin", "AllowanceVault.withdraw")])
    assert line.startswith(f"High: {other['check']} in {place(other['elements'][0])}\n")


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (accepted("tx-origin", "AllowanceVault.withdraw"), "AllowanceVault.withdraw"),
        (accepted("tx-origin"), "any place"),
    ],
)
def test_an_entry_that_is_no_longer_found_is_a_complaint(entry: dict[str, Any], told: str) -> None:
    assert complaints([], [entry]) == [f"slither.toml: tx-origin is no longer found in {told}"]


def test_each_accepted_finding_has_a_reason() -> None:
    for entry in tomllib.loads(ACCEPTED.read_text())["accepted"]:
        assert entry.keys() - {"where"} == {"detector", "reason"}
        assert len(entry["reason"].split()) > 1
