"""The audit proves signatures of every type of signer again, and says which it could not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from service.audit.findings import Code, Severity
from service.audit.keys import is_point, signed_by_key
from service.audit.replay import Options, replay
from service.audit.rpc import Node
from service.audit.signers import well_formed
from tests.audit.checking import Replayed, replayed_once
from tests.audit.keyed import P256, PASSKEY, Keyed
from tests.support.officer_keys import twin


@pytest.fixture(scope="module")
def replayed(keyed: Keyed) -> Iterator[Replayed]:
    """The chain replayed once, and nothing found."""
    with Node(keyed.deployed.node.rpc_url) as node:
        yield replayed_once(node, keyed.deployed)


def test_a_batch_signed_by_every_type_of_signer_is_proven(keyed: Keyed) -> None:
    with Node(keyed.deployed.node.rpc_url) as node:
        report = replay(node, Options(bytes.fromhex(keyed.deployed.vault[2:])))
    assert report.findings == []
    assert report.events["vault"]["BatchApproved"] == 1


def test_a_contract_account_that_cannot_be_asked_is_a_warning_of_its_own(
    replayed: Replayed,
) -> None:
    (finding,), _ = replayed.against_rules(replayed.events, ask=lambda *_: None)
    assert (finding.code, finding.severity) == (Code.SIGNATURE_UNPROVEN, Severity.WARNING)
    assert "officer 22" in finding.message


def test_a_contract_account_that_says_no_is_a_difference(replayed: Replayed) -> None:
    (finding,), _ = replayed.against_rules(replayed.events, ask=lambda *_: bytes(32))
    assert (finding.code, finding.severity) == (Code.SIGNATURE_INVALID, Severity.ERROR)


@pytest.mark.parametrize("officer", [20, 21, 22])
def test_a_changed_signature_is_found(keyed: Keyed, replayed: Replayed, officer: int) -> None:
    _, signer = keyed.signers[officer]

    def edit(event: Any) -> Any:
        if event.name != "BatchApproved":
            return event
        packed = bytearray(event.args["signatures"])
        packed[packed.index(signer) + len(signer) + 5] ^= 1  # in r
        return replace(event, args={**event.args, "signatures": bytes(packed)})

    (finding,), _ = replayed.against_rules([edit(event) for event in replayed.events])
    assert finding.code == Code.SIGNATURE_INVALID
    assert f"officer {officer}" in finding.message


def test_a_key_whose_verifier_was_not_allowed_is_found(keyed: Keyed, replayed: Replayed) -> None:
    passkeys = bytes.fromhex(keyed.deployed.content["contracts"]["passkey_verifier"]["address"][2:])

    def edit(event: Any) -> Any:
        if event.name == "VerifierAdded" and event.args["verifier"] == passkeys:
            other = bytes(19) + b"\x77"
            return replace(event, args={**event.args, "verifier": other})
        return event

    found, _ = replayed.against_rules([edit(event) for event in replayed.events])
    codes = {finding.code for finding in found}
    assert codes == {Code.OFFICER_RULE_BROKEN, Code.VERIFIER_NOT_IN_FORCE}


# ---- keys, without a chain -----------------------------------------------------------------------

DIGEST = bytes(range(32))


def test_a_mirrored_signature_is_none() -> None:
    assert signed_by_key(P256.point, DIGEST, P256.sign(DIGEST))
    assert not signed_by_key(P256.point, DIGEST, twin(P256.sign(DIGEST)))
    assert not signed_by_key(P256.point, DIGEST, P256.sign(DIGEST)[:63])
    assert not signed_by_key(PASSKEY.point, DIGEST, P256.sign(DIGEST))


@pytest.mark.parametrize("flags", [0, 1, 4, 1 | 4 | 16])
def test_an_assertion_without_a_verified_user_is_none(flags: int) -> None:
    assert signed_by_key(PASSKEY.point, DIGEST, PASSKEY.sign(DIGEST, flags=1 | 4))
    assert not signed_by_key(PASSKEY.point, DIGEST, PASSKEY.sign(DIGEST, flags=flags))


def test_an_assertion_of_another_kind_challenge_or_length_is_none() -> None:
    good = PASSKEY.sign(DIGEST)
    assert not signed_by_key(PASSKEY.point, DIGEST, PASSKEY.sign(DIGEST, kind="webauthn.create"))
    assert not signed_by_key(PASSKEY.point, DIGEST, PASSKEY.sign(bytes(32)))
    for length in range(0, len(good), 32):
        assert not signed_by_key(PASSKEY.point, DIGEST, good[:length])
    # Documents that would begin beyond the end.
    for at in (0x80, 0xA0):
        assert not signed_by_key(PASSKEY.point, DIGEST, good[:at] + b"\xff" * 32 + good[at + 32 :])


def test_a_point_off_the_curve_is_no_key() -> None:
    assert is_point(P256.point)
    assert not is_point(P256.point[:63] + bytes([P256.point[63] ^ 1]))
    assert not is_point(bytes(64))


def test_a_point_with_a_coordinate_not_below_the_prime_is_none() -> None:
    """P256.isValidPublicKey refuses it: one key would have two spellings."""
    prime = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    x = 5
    y = pow(x**3 - 3 * x + b, (prime + 1) // 4, prime)
    assert is_point(x.to_bytes(32, "big") + y.to_bytes(32, "big"))
    assert not is_point((x + prime).to_bytes(32, "big") + y.to_bytes(32, "big"))
    assert well_formed(3, bytes(20) + P256.point)
    assert not well_formed(3, bytes(20) + P256.point[:63])
    assert not well_formed(4, bytes(19) + b"\1")
