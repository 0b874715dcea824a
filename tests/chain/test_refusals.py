"""Each error of the contracts has a sentence, which says amounts and times as people do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from service.chain.contracts import ARTIFACTS, LIBRARY_ARTIFACTS, load_abi
from service.chain.refusals import SENTENCES, explain
from service.config import PROJECT_ROOT

WITHDRAWALS_REST = (
    "withdrawals were paused lately and can be again only after second 999999999999 since 1970"
)
FROM_THE_LANGUAGE = {"Revert", "Panic", "Unknown"}
EXAMPLES = {"address": "0x52908400098527886E0F7030069857D2E4169EE7", "bytes": "0x12", "string": "x"}


def _errors() -> dict[str, list[dict[str, Any]]]:
    folder = PROJECT_ROOT / "build" / "contracts"
    return {
        entry["name"]: entry["inputs"]
        for name in (*ARTIFACTS.values(), *LIBRARY_ARTIFACTS)
        for entry in load_abi(folder, name)
        if entry["type"] == "error"
    }


def _example(parameter: dict[str, Any]) -> str:
    kind = re.sub(r"[0-9]+$", "", parameter["type"])
    return f"{parameter['name']}={EXAMPLES.get(kind, '1')}"


def test_the_sentences_are_those_of_the_contracts_errors() -> None:
    assert set(SENTENCES) - FROM_THE_LANGUAGE == set(_errors())


def test_every_error_is_told_in_a_sentence() -> None:
    for name, inputs in _errors().items():
        sentence = explain(f"{name}({', '.join(map(_example, inputs))})")
        assert sentence is not None, name
        assert name not in sentence
        assert "{" not in sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "BudgetExceeded(requested=600000000, budget=5500000)",
            (
                "with this batch the programme would hold 600.00, more than its budget of 5.50: "
                "raise the budget or cancel another batch"
            ),
        ),
        (
            "Unpayable(payee=0x52908400098527886E0F7030069857D2E4169EE7, reason=4)",
            (
                "the wallet 0x52908400098527886E0F7030069857D2E4169EE7 cannot be paid: it is "
                "frozen. Nothing is lost: try again when the wallet can be paid"
            ),
        ),
        (
            "ReserveStale(asOf=1793491200, maxAge=3024000)",
            (
                "the reserve was attested as of 2026-11-01T00:00:00Z, and an attestation is good "
                "for 35 days: attest it anew"
            ),
        ),
        ("OperationPaused(operation=2)", "a guardian paused running chunks: a quorum can lift it"),
        ("OfficerLacksRole(officerId=3, role=2)", "officer 3 is no reviewer"),
        ("Revert(message=no, x=1)", "the contract refuses: no"),
        ("PauseCoolingDown(until=999999999999)", WITHDRAWALS_REST),
    ],
)
def test_a_sentence_says_amounts_and_times_as_people_do(words: str, sentence: str) -> None:
    assert explain(words) == sentence


@pytest.mark.parametrize(
    "words",
    [
        "this worker has no key of a programme manager",
        "Unpayable(reason)",
        "Other(x=1)",
    ],
)
def test_what_is_no_known_error_keeps_its_words(words: str) -> None:
    assert explain(words) is None
