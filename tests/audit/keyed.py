"""A chain on which a batch is signed by every type of signer, and paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from tests.audit.scenario import siblings_of
from tests.support.deployed import BATCH_APPROVAL_TYPE, Deployed, account, deploy_wallet, record
from tests.support.officer_keys import P256Key, Passkey

ACTION = [("actionId", "bytes32"), ("deadline", "uint40")]
DAY_S = 86_400
OWNER = account("owner of a wallet")
P256, PASSKEY = P256Key("audit officer 20"), Passkey("audit officer 21")


@dataclass
class Keyed:
    """A batch that a maker's account, a P-256 key, a passkey and a contract account signed."""

    deployed: Deployed
    signers: dict[int, tuple[int, bytes]]
    digest: bytes
    batch: bytes


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


def live_keyed(deployed: Deployed) -> Keyed:
    """Have them come, approve the batch, and its chunk run."""
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
    proof = siblings_of([chunk_leaf(batch_id, 0, entries)], 0)
    deployed.send(sender, "vault", "executeChunk", batch_id, 0, entries, proof)
    return Keyed(deployed, signers, digest, batch_id)
