"""What a payment proof says of each kind of payout, and what it owns not to prove."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from eth_utils.crypto import keccak

from service.audit.findings import Code, Severity
from service.audit.proofs.document import read
from service.audit.proofs.verify import Verification, verify
from service.errors import InvalidInput
from tests.audit.keyed import Keyed
from tests.audit.proofs.conftest import KINDS, Document
from tests.audit.scenario import UNIT, Scenario, payee

Documents = Callable[[str], Document]


@pytest.fixture
def check(proofs: dict[str, bytes]) -> Callable[[str], Verification]:
    return lambda kind: verify(read(proofs[kind]), {})


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_proven_is_what_the_file_claims(
    document: Documents, check: Callable[[str], Verification], kind: str
) -> None:
    verification = check(kind)
    assert verification.holds
    assert verification.claims == document(kind)["payout"]
    assert verification.as_json()["proven"] is True


def address(number: int) -> str:
    return payee(number).address.lower()


def test_a_one_off_payout_is_proven_with_who_signed_it(
    scenario: Scenario, document: Documents, check: Callable[[str], Verification]
) -> None:
    claims = document("paid")["payout"]
    plain = scenario.batches["plain"]
    (payment,) = claims.pop("payments")
    assert payment["payee"] == address(1)
    assert payment["amount_base_units"] == "601000001"
    approval = scenario.deployed.approval_tuple(plain.approval)
    digest = scenario.deployed.read("vault", "approvalDigest", approval)
    approved = claims.pop("approved")
    assert claims == {
        "kind": "one_off",
        "programme": "1",
        "number": "2",
        "batch": plain.hex,
        "index": "1",
        "payee": address(1),
        "amount_base_units": "601000001",
        "paid_base_units": "601000001",
        "digest": "0x" + digest.hex(),
        "officers": ["1", "2", "3"],
        "changes": [],
    }
    transaction = scenario.deployed.rpc.call("eth_getTransactionByHash", approved["transaction"])
    assert int(transaction["blockNumber"], 16) == int(approved["block"])
    assert transaction["to"] == scenario.deployed.vault.lower()
    sentences = check("paid").sentences
    assert "601.000001 to " + payee(1).address in sentences[0]
    assert "officer 1 (who made the batch), officer 2 and officer 3" in sentences[1]


def test_by_number_it_is_the_same_as_by_index(document: Documents) -> None:
    claims = document("number")["payout"]
    assert (claims["number"], claims["index"]) == ("6", "0")
    assert (claims["payee"], claims["amount_base_units"]) == (address(10), "700000000")


def test_a_retry_is_paid_by_the_retry(document: Documents) -> None:
    claims = document("retried")["payout"]
    (payment,) = claims["payments"]
    assert (payment["payee"], payment["amount_base_units"]) == (address(3), "603000003")
    assert int(payment["block"]) > int(claims["approved"]["block"])


def test_a_streams_withdrawals_are_summed(document: Documents) -> None:
    total = 90 * UNIT + 7 * 2
    claims = document("stream")["payout"]
    amounts = [int(each["amount_base_units"]) for each in claims["payments"]]
    days = (0, 10, 15, 18, 20)
    assert amounts == [
        total * later // 90 - total * before // 90 for before, later in pairwise(days)
    ]
    assert claims["amount_base_units"] == str(total)
    assert claims["paid_base_units"] == str(total * 20 // 90)


def test_a_cut_stream_shows_the_cut_and_nothing_after_it(
    scenario: Scenario, document: Documents
) -> None:
    claims = document("cut stream")["payout"]
    (change,) = claims["changes"]
    assert change["event"] == "StreamsCancelled"
    header = scenario.deployed.rpc.header(int(change["block"]))
    assert header is not None
    accrued_s = int(header["timestamp"], 16) - scenario.batches["streams"].approval["start"]
    assert claims["paid_base_units"] == str((90 * UNIT + 21) * accrued_s // (90 * 86_400))


def test_a_stream_passed_by_is_paid_for_all_the_time_later(document: Documents) -> None:
    claims = document("passed-by stream")["payout"]
    total = 90 * UNIT + 35
    days = (0, 10, 15, 20)
    assert [int(each["amount_base_units"]) for each in claims["payments"]] == [
        total * later // 90 - total * before // 90 for before, later in pairwise(days)
    ]


def test_a_grant_is_proven_with_the_officer_who_made_it(document: Documents) -> None:
    claims = document("grant")["payout"]
    assert claims["grant"] == "0x" + keccak(text="grant spoilt").hex()
    assert (claims["officers"], claims["payee"]) == (["5"], address(61))
    assert claims["paid_base_units"] == claims["amount_base_units"] == "200000001"
    assert set(document("grant")["contracts"]) == {"lane", "registry", "token"}


def test_another_wallet_is_named_with_the_one_that_was_signed(
    document: Documents, check: Callable[[str], Verification]
) -> None:
    claims = document("changed wallet")["payout"]
    assert claims["payee"] == address(60)
    assert [each["payee"] for each in claims["payments"]] == [address(62)]
    assert [each["event"] for each in claims["changes"]] == ["WalletChanged"]
    assert any(
        f"{payee(62).address} paid in place of {payee(60).address}" in sentence
        for sentence in check("changed wallet").sentences
    )
    stream = document("changed stream")["payout"]
    assert {each["payee"] for each in stream["payments"]} == {address(65)}
    assert len(stream["payments"]) > 1


def test_keys_and_passkeys_are_proven_and_a_contracts_signature_is_not(
    keyed: Keyed, document: Documents, check: Callable[[str], Verification]
) -> None:
    verification = check("keys")
    (finding,) = verification.findings
    assert (finding.code, finding.severity) == (Code.SIGNATURE_UNPROVEN, Severity.WARNING)
    assert "officer 22" in finding.message
    assert finding.message[1:] in verification.unproven[-1]
    assert document("keys")["payout"]["officers"] == ["1", "20", "21", "22"]
    assert document("keys")["payout"]["digest"] == "0x" + keyed.digest.hex()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_proven_is_said(check: Callable[[str], Verification], kind: str) -> None:
    said = " ".join(check(kind).unproven)
    for words in ("on the chain everybody follows", "had been removed", "a freeze", "Whose wallet"):
        assert words in said
    assert ("a second officer countersigned" in said) == (kind == "grant")


def test_blocks_whose_hashes_are_given_are_compared(proofs: dict[str, bytes]) -> None:
    proof = read(proofs["paid"])
    all_of_them = {block.number: block.hash for block in proof.blocks}
    verification = verify(proof, all_of_them)
    assert verification.holds
    assert verification.compared == all_of_them.keys()
    assert not any("everybody follows" in each for each in verification.unproven)
    with pytest.raises(InvalidInput, match="does not rest on block 7777"):
        verify(proof, {7777: bytes(32)})
