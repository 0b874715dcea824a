"""Rows of the earlier stages as the officers' commands would leave them, made directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from sqlalchemy.orm import Session

from service.approvals.models import ApprovalSignature, Officer, QuorumAction, QuorumSignature
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from service.payouts.models import Batch, ChainRequest, Chunk, Payout, Programme
from tests.support.deployed import BATCH_APPROVAL_TYPE, Deployed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY_S = 86_400


@dataclass(frozen=True)
class SignedBatch:
    """A batch that officers signed: its approval and its payouts."""

    id: str
    approval: dict[str, Any]
    payees: list[str]
    amounts: list[int]
    signatures: Mapping[int, bytes]


def wallet(number: int) -> str:
    """An address that nobody has the key of."""
    return str(to_checksum_address(keccak(text=f"wallet {number}")[:20]))


def add_programme(session: Session, number: int = 1) -> None:
    """A programme as its event leaves it."""
    if session.get(Programme, number) is not None:
        return
    session.add(
        Programme(
            id=number,
            code=f"P{number}",
            name="Relief",
            region_code=0,
            region_digits=0,
            budget_base_units=10**15,
            payout_cap_base_units=10**12,
            tiers=[],
            metadata_hash="0x" + "00" * 32,
            state="proposed",
            created_by="test",
            created_at=NOW,
        )
    )
    session.flush()


def add_officers(session: Session, deployed: Deployed) -> None:
    """Officers that signatures refer to."""
    for number in deployed.officers:
        if session.get(Officer, number) is None:
            session.add(
                Officer(
                    officer_id=number,
                    roles=0,
                    region_code=0,
                    region_digits=0,
                    active_from=NOW,
                )
            )
    session.flush()


def add_batch(
    session: Session,
    deployed: Deployed,
    amounts: Sequence[int],
    *,
    payees: Sequence[str] | None = None,
    kind: str = "one_off",
    chunk_size: int = 500,
    programme: int = 1,
    name: str = "batch",
    start: int | None = None,
    duration: int = 90 * DAY_S,
    reviewers: Sequence[int] = (2,),
    state: str = "released",
) -> SignedBatch:
    """A released batch with its chunks, payouts and officers' signatures."""
    add_programme(session, programme)
    add_officers(session, deployed)
    wallets = list(payees or [wallet(i) for i in range(len(amounts))])
    batch_id = keccak(text=name)
    pieces = [
        pack_entries(
            list(zip(wallets[at : at + chunk_size], amounts[at : at + chunk_size], strict=True))
        )
        for at in range(0, len(amounts), chunk_size)
    ]
    leaves = [chunk_leaf(batch_id, index, piece) for index, piece in enumerate(pieces)]
    now = deployed.now()
    stream = kind == "stream"
    begins = (now if start is None else start) if stream else 0
    execute_before = now + 7 * DAY_S
    expires_at = max(execute_before, begins + duration if stream else 0) + 90 * DAY_S
    approval: dict[str, Any] = {
        "programme": programme,
        "programmeVersion": 1,
        "batchId": batch_id,
        "maker": 1,
        "kind": int(stream),
        "regionCode": 51,
        "regionDigits": 2,
        "chunkSize": chunk_size,
        "chunksRoot": chunks_root(leaves),
        "manifestHash": bytes(32),
        "count": len(amounts),
        "total": sum(amounts),
        "start": begins,
        "cliff": 0,
        "duration": duration if stream else 0,
        "cadence": DAY_S if stream else 0,
        "executeBefore": execute_before,
        "expiresAt": expires_at,
    }
    key = "0x" + batch_id.hex()
    session.add(
        Batch(
            id=key,
            programme_id=programme,
            programme_version=1,
            kind=kind,
            region_code=51,
            region_digits=2,
            maker_officer_id=1,
            chunk_size=chunk_size,
            chunks_root="0x" + approval["chunksRoot"].hex(),
            manifest_hash="0x" + "00" * 32,
            count=len(amounts),
            total_base_units=sum(amounts),
            start_unix_s=approval["start"],
            cliff_s=0,
            duration_s=approval["duration"],
            cadence_s=approval["cadence"],
            execute_before_unix_s=execute_before,
            expires_at_unix_s=expires_at,
            state=state,
            created_by="test",
            created_at=NOW,
            released_at=NOW,
        )
    )
    session.flush()
    for index, (piece, leaf) in enumerate(zip(pieces, leaves, strict=True)):
        part = amounts[index * chunk_size : (index + 1) * chunk_size]
        session.add(
            Chunk(
                batch_id=key,
                chunk_index=index,
                entries=piece,
                leaf_hash="0x" + leaf.hex(),
                count=len(part),
                total_base_units=sum(part),
            )
        )
    session.flush()
    for index, (payee, amount) in enumerate(zip(wallets, amounts, strict=True)):
        session.add(
            Payout(
                batch_id=key,
                index=index,
                chunk_index=index // chunk_size,
                commitment=keccak(text=f"{name} {index}").hex(),
                programme_id=programme,
                payee=payee,
                amount_base_units=amount,
                kind=kind,
                own_state="queued",
                own_updated_at=NOW,
            )
        )
    signatures = {}
    digest = deployed.digest("vault", "BatchApproval", BATCH_APPROVAL_TYPE, approval)
    for officer in [1, *reviewers]:
        signature = deployed.sign(
            deployed.officers[officer],
            "vault",
            "BatchApproval",
            BATCH_APPROVAL_TYPE,
            approval,
        )
        signatures[officer] = signature
        session.add(
            ApprovalSignature(
                batch_id=key,
                officer_id=officer,
                signer_type=1,
                signer=deployed.officers[officer].address.lower(),
                signature="0x" + signature.hex(),
                digest="0x" + digest.hex(),
                created_at=NOW,
            )
        )
    return SignedBatch(key, approval, wallets, list(amounts), signatures)


def add_request(session: Session, kind: str, **args: Any) -> ChainRequest:
    """Something asked for."""
    row = ChainRequest(
        kind=kind,
        args=args,
        dedupe_key=f"{kind}:" + keccak(text=str(sorted(args.items()))).hex(),
        actor="test",
        created_at=NOW,
    )
    session.add(row)
    session.flush()
    return row


def add_action(
    session: Session,
    deployed: Deployed,
    *,
    kind: str,
    key: str,
    primary_type: str,
    members: Sequence[tuple[str, str]],
    message: Mapping[str, Any],
    role: int = 2,
    officers: Sequence[int] = (2, 3),
) -> QuorumAction:
    """A quorum action that enough officers signed."""
    add_officers(session, deployed)
    deadline = deployed.now() + DAY_S
    action_id = keccak(text=f"{kind} {sorted(map(str, message.items()))}")
    full = {**message, "actionId": action_id, "deadline": deadline}
    kinds = [*members, ("actionId", "bytes32"), ("deadline", "uint40")]
    row = QuorumAction(
        id="0x" + action_id.hex(),
        kind=kind,
        contract=key,
        message={
            name: "0x" + value.hex() if isinstance(value, bytes) else value
            for name, value in full.items()
        },
        digest="0x" + _digest(deployed, key, primary_type, kinds, full).hex(),
        deadline_unix_s=deadline,
        role=role,
        state="ready",
        created_by="test",
        created_at=NOW,
    )
    session.add(row)
    session.flush()
    for officer in officers:
        signature = deployed.sign(deployed.officers[officer], key, primary_type, kinds, full)
        session.add(
            QuorumSignature(
                action_id=row.id,
                officer_id=officer,
                signer_type=1,
                signer=deployed.officers[officer].address.lower(),
                signature="0x" + signature.hex(),
                created_at=NOW,
            )
        )
    return row


def add_batch_cancellation(session: Session, deployed: Deployed, batch_id: str) -> QuorumAction:
    """A batch's cancellation that enough reviewers signed."""
    return add_action(
        session,
        deployed,
        kind="batch_cancellation",
        key="vault",
        primary_type="BatchCancellation",
        members=[("batchId", "bytes32")],
        message={"batchId": bytes.fromhex(batch_id[2:])},
    )


def _digest(
    deployed: Deployed,
    key: str,
    primary_type: str,
    members: Sequence[tuple[str, str]],
    message: Mapping[str, Any],
) -> bytes:
    from eth_account.messages import encode_typed_data

    types = {primary_type: [{"name": name, "type": kind} for name, kind in members]}
    signable = encode_typed_data(deployed.domain(key), types, dict(message))
    return keccak(b"\x19\x01" + signable.header + signable.body)
