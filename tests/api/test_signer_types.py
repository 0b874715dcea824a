"""Officers' keys over HTTP: proposed, handed in with their signatures, refused by field."""

from __future__ import annotations

from typing import Any

import pytest

from service.approvals.typed_data import digest_of
from tests.api.conftest import Office
from tests.support.deployed import TWO_DAYS_S, account
from tests.support.officer_keys import P256Key, Passkey, twin

KEY, PASSKEY = P256Key("officer 21"), Passkey("officer 22")
POINTS = {"p256": "0x" + KEY.point.hex(), "passkey": "0x" + PASSKEY.point.hex()}


def addition(number: int, kind: str, signer: str) -> dict[str, Any]:
    return {
        "officer_id": number,
        "roles": ["reviewer"],
        "region": "0",
        "signer_type": kind,
        "signer": signer,
        "reason": "joins",
    }


def test_keys_and_passkeys_approve_a_batch(office: Office) -> None:
    for number, kind in ((21, "p256"), (22, "passkey")):
        proposed = office.api.ok("POST", "/v1/officers", json=addition(number, kind, POINTS[kind]))
        assert office.sign(f"/v1/actions/{proposed['id']}", 2, 3)["state"] == "ready"
    office.work()
    office.deployed.advance(TWO_DAYS_S)
    office.work()
    shown = {item["officer_id"]: item for item in office.api.ok("GET", "/v1/officers")["items"]}
    assert shown[21]["signers"][0]["signer_type"] == "key"
    assert shown[21]["signers"][0]["signer"].endswith(KEY.point.hex())

    path = f"/v1/batches/{office.build()}"
    digest = digest_of(office.api.ok("GET", f"{path}/typed-data"))
    for kind, signature, signed in (
        ("p256", twin(KEY.sign(digest)), [21]),
        ("passkey", PASSKEY.sign(digest), [21, 22]),
    ):
        given = {"signature": "0x" + signature.hex(), "signer_type": kind, "signer": POINTS[kind]}
        assert office.api.ok("POST", f"{path}/signatures", json=given)["reviewers"] == signed

    wrong = {
        "signature": "0x" + KEY.sign(bytes(32)).hex(),
        "signer_type": "p256",
        "signer": POINTS["p256"],
    }
    refused = office.api.post(f"{path}/signatures", json=wrong)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_signature")
    signatures = office.api.ok("GET", path)["signatures"]
    assert [item["signer_type"] for item in signatures] == ["key", "key"]


@pytest.mark.parametrize(
    ("kind", "signer", "words"),
    [
        ("p256", "0x" + "11" * 64, "no point of P-256"),
        ("contract", account("nobody's wallet").address, "no contract stands at"),
        ("passkey", account("officer 1").address, "64 bytes, not 20"),
    ],
)
def test_a_signer_that_the_registry_would_refuse_is_named_by_its_field(
    office: Office, kind: str, signer: str, words: str
) -> None:
    refused = office.api.post("/v1/officers", json=addition(21, kind, signer))
    assert refused.status_code == 400
    (problem,) = refused.json()["problems"]
    assert problem["field"] == "signer"
    assert words in problem["message"]


def test_a_keys_signature_without_its_signer_is_refused(office: Office) -> None:
    given = {"signature": "0x12", "signer_type": "p256"}
    refused = office.api.post(f"/v1/batches/{office.build()}/signatures", json=given)
    assert refused.status_code == 400
    assert refused.json()["problems"][0]["field"] == "signer"
