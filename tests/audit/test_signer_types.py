"""The audit proves signatures of every type of signer again, and says which it could not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from service.audit.findings import Code, Severity
from service.audit.keys import is_point, signed_by_key
from service.audit.replay import Options, replay
from service.audit.rpc import Node
from service.audit.signers import well_formed
from service.chain.devnode import DevNode, start_anvil
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from tests.audit.checking import Replayed, replayed_once
from tests.support.deployed import (
    BATCH_APPROVAL_TYPE,
    Deployed,
    account,
    deploy,
    deploy_wallet,
    record,
)
from tests.support.officer_keys import P256Key, Passkey, twin

ACTION = [("actionId", "bytes32"), ("deadline", "uint40")]
DAY_S = 86_400
OWNER = account("owner of a wallet")
P256, PASSKEY = P256Key("audit officer 20"), Passkey("audit officer 21")


@dataclass
class Chain:
    """A batch that a maker's account, a P-256 key, a passkey and a contract account signed."""

    deployed: Deployed
    signers: dict[int, tuple[int, bytes]]
    digest: bytes


def _governed(deployed: Deployed, function: str, name: str, members: Any, values: Any) -> None:
    """Have two governors sign an action of the registry, and send it."""
    message = dict(zip([member for member, _ in members], values, strict=True))
    action, deadline = keccak(text=f"{name} {values}"), deployed.now() + DAY_S
    full = {**message, "actionId": action, "deadline": deadline}
    signed = deployed.sign_action("registry", name, [*members, *ACTION], full, (2, 3))
    arguments = (tuple(values),) if function == "addOfficer" else tuple(values)
    sender = deployed.deployer
    deployed.send(sender, "registry", function, *arguments, action, deadline, signed)


OFFICER = [
    ("officerId", "uint32"),
    ("roles", "uint16"),
    ("regionCode", "uint24"),
    ("regionDigits", "uint8"),
    ("signerType", "uint8"),
    ("signer", "bytes"),
]
VERIFIER = [("verifier", "address")]


@pytest.fixture(scope="module")
def chain(anvil: DevNode) -> Iterator[Chain]:
    with start_anvil() as node:
        deployed = deploy(node)
        deployed.attest(10**12)
        deployed.create_programme(1, budget=10**12, payout_cap=10**9)
        contracts = deployed.content["contracts"]
        p256, passkeys = (
            bytes.fromhex(contracts[key]["address"][2:])
            for key in ("p256_verifier", "passkey_verifier")
        )
        wallet = bytes.fromhex(deploy_wallet(deployed, OWNER)[2:])
        signers = {
            20: (3, p256 + P256.point),
            21: (3, passkeys + PASSKEY.point),
            22: (2, wallet),
        }
        for number, (kind, signer) in signers.items():
            values = (number, 2, 0, 0, kind, signer)
            _governed(deployed, "addOfficer", "OfficerAddition", OFFICER, values)
        _governed(deployed, "addVerifier", "VerifierAddition", VERIFIER, (deployed.token,))
        deployed.advance(2 * DAY_S)

        batch_id, entries = keccak(text="audited"), pack_entries([(account("p").address, 5)])
        now = deployed.now()
        approval = {
            "programme": 1,
            "programmeVersion": 1,
            "batchId": batch_id,
            "maker": 1,
            "kind": 0,
            "regionCode": 51,
            "regionDigits": 2,
            "chunkSize": 500,
            "chunksRoot": chunks_root([chunk_leaf(batch_id, 0, entries)]),
            "manifestHash": bytes(31) + b"\1",
            "count": 1,
            "total": 5,
            "start": 0,
            "cliff": 0,
            "duration": 0,
            "cadence": 0,
            "executeBefore": now + DAY_S,
            "expiresAt": now + 100 * DAY_S,
        }
        digest = deployed.digest("vault", "BatchApproval", BATCH_APPROVAL_TYPE, approval)
        signed = {
            20: P256.sign(digest),
            21: PASSKEY.sign(digest),
            22: bytes(OWNER.unsafe_sign_hash(digest).signature),
        }
        packed = deployed.sign_batch(approval, maker=1, reviewers=[]) + b"".join(
            record(number, *signers[number], signature) for number, signature in signed.items()
        )
        sender = deployed.deployer
        deployed.send(sender, "vault", "approveBatch", deployed.approval_tuple(approval), packed)
        _governed(deployed, "removeVerifier", "VerifierRemoval", VERIFIER, (deployed.token,))
        yield Chain(deployed, signers, digest)
        deployed.rpc.close()


@pytest.fixture(scope="module")
def replayed(chain: Chain) -> Iterator[Replayed]:
    """The chain replayed once, and nothing found."""
    with Node(chain.deployed.node.rpc_url) as node:
        yield replayed_once(node, chain.deployed)


def test_a_batch_signed_by_every_type_of_signer_is_proven(chain: Chain) -> None:
    with Node(chain.deployed.node.rpc_url) as node:
        report = replay(node, Options(bytes.fromhex(chain.deployed.vault[2:])))
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
def test_a_changed_signature_is_found(chain: Chain, replayed: Replayed, officer: int) -> None:
    _, signer = chain.signers[officer]

    def edit(event: Any) -> Any:
        if event.name != "BatchApproved":
            return event
        packed = bytearray(event.args["signatures"])
        packed[packed.index(signer) + len(signer) + 5] ^= 1  # in r
        return replace(event, args={**event.args, "signatures": bytes(packed)})

    (finding,), _ = replayed.against_rules([edit(event) for event in replayed.events])
    assert finding.code == Code.SIGNATURE_INVALID
    assert f"officer {officer}" in finding.message


def test_a_key_whose_verifier_was_not_allowed_is_found(chain: Chain, replayed: Replayed) -> None:
    passkeys = bytes.fromhex(chain.deployed.content["contracts"]["passkey_verifier"]["address"][2:])

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
    assert well_formed(3, bytes(20) + P256.point)
    assert not well_formed(3, bytes(20) + P256.point[:63])
    assert not well_formed(4, bytes(19) + b"\1")
