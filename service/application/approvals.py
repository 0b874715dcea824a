"""Officers' signatures over batches and actions, with what only the chain can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.arguments import arguments_view, role_names
from service.application.context import Application
from service.application.requests import last_error
from service.approvals.actions import (
    ActionStatus,
    action_typed_data,
    create_action,
    officers_needed,
    own_members,
    packed_action,
    signed_by,
    submit_action_signature,
)
from service.approvals.models import (
    SIGNER_ACCOUNT,
    SIGNER_EOA,
    SIGNER_KEY,
    ActionKind,
    ApprovalSignature,
    Officer,
    OfficerSigner,
    QuorumAction,
    QuorumSignature,
    Role,
)
from service.approvals.officers import SignedWith, signer_text
from service.approvals.service import (
    ApprovalStatus,
    reviewers_for,
    submit_signature,
    typed_data,
)
from service.approvals.typed_data import digest_of
from service.chain.rpc import RpcError
from service.chain.signers import Signer
from service.clock import Clock
from service.confirmations.holds import refuse_second_hold
from service.errors import InvalidInput
from service.payouts.directory import region_of
from service.payouts.models import Batch, Programme
from service.payouts.states import BatchState
from service.regions import Region
from service.transactions.calls import quorum_action
from service.units import amounts, format_time, format_unix_s

SIGNER_TYPES = {SIGNER_EOA: "account", SIGNER_ACCOUNT: "contract", SIGNER_KEY: "key"}
"""The registry's types of signers, as they are shown; a key begins with its verifier's address."""

TRIED_WHEN_SIGNED = frozenset({ActionKind.EMERGENCY_GRANT, ActionKind.GRANT_COUNTERSIGNATURE})
"""Refused with the signature when the contract would refuse them: who signed can act at once."""

_SIGNED_ELSEWHERE = (BatchState.APPROVED.value, BatchState.RELEASED.value)


def required_reviewers(app: Application, session: Session, batch: Batch) -> int:
    """Return how many reviewers a batch needs by the vault's rolling sum.

    Counted with it are the other batches of its programme that are approved here and not on chain
    yet, in its region or inside it, since they may get there first. The contract decides finally.

    Raises
    ------
    Conflict
        When the sum lies above the programme's last tier.
    ChainUnavailable
        When the node does not answer.
    """
    rolling: int = app.contracts.read(
        app.rpc,
        "vault",
        "rollingSum",
        batch.programme_id,
        batch.region_code,
        batch.region_digits,
    )
    programme = session.get_one(Programme, batch.programme_id)
    total = rolling + waiting_total(session, batch) + batch.total_base_units
    return reviewers_for(programme, total)


def waiting_total(session: Session, batch: Batch) -> int:
    """Return what batches approved here and not on chain yet will add to a batch's rolling sum.

    The vault adds each to the sum of its own region and of every region above it.
    """
    region = region_of(batch.region_code, batch.region_digits)
    others = session.execute(
        select(Batch.region_code, Batch.region_digits, Batch.total_base_units).where(
            Batch.programme_id == batch.programme_id,
            Batch.state.in_(_SIGNED_ELSEWHERE),
            Batch.id != batch.id,
        )
    )
    return sum(total for code, digits, total in others if region.covers(region_of(code, digits)))


def sign_batch(
    app: Application, session: Session, batch: Batch, signer: Signer, *, actor: str, clock: Clock
) -> ApprovalStatus:
    """Sign a batch with a keystore here and record the signature.

    Raises
    ------
    ReliefError
        As :func:`service.approvals.service.submit_signature`.
    """
    document = typed_data(
        session,
        batch.id,
        app.signing_domain,
        manifests_dir=app.settings.resolved_manifests_dir,
        clock=clock,
    )
    signature = "0x" + signer.sign_digest(digest_of(document)).hex()
    return record_batch_signature(app, session, batch, signature, actor=actor, clock=clock)


def record_batch_signature(
    app: Application,
    session: Session,
    batch: Batch,
    signature: str,
    *,
    actor: str,
    clock: Clock,
    signed_with: SignedWith | None = None,
    officer_id: int | None = None,
) -> ApprovalStatus:
    """Record a signature that an officer's wallet or device made.

    Raises
    ------
    ReliefError
        As :func:`service.approvals.service.submit_signature`.
    """
    return submit_signature(
        session,
        batch.id,
        signature,
        app.signing_domain,
        required_reviewers=required_reviewers(app, session, batch),
        signed_with=signed_with,
        officer_id=officer_id,
        actor=actor,
        manifests_dir=app.settings.resolved_manifests_dir,
        clock=clock,
    )


def approval_view(status: ApprovalStatus) -> dict[str, Any]:
    """Return what is approved, and how far its approval has come, for JSON."""
    batch = status.batch
    return {
        "batch_id": batch.id,
        "state": batch.state,
        "programme": batch.programme_id,
        "region": str(region_of(batch.region_code, batch.region_digits)),
        "kind": batch.kind,
        "count": batch.count,
        **amounts(total=batch.total_base_units),
        "maker_officer_id": batch.maker_officer_id,
        "maker_signed": status.maker_signed,
        "reviewers": list(status.reviewers),
        "required_reviewers": status.required_reviewers,
        "approved": status.approved,
    }


def signature_view(row: ApprovalSignature | QuorumSignature) -> dict[str, Any]:
    """Return who signed, and with what, for JSON."""
    return {
        "officer_id": row.officer_id,
        "signer_type": SIGNER_TYPES[row.signer_type],
        "signer": signer_text(row.signer),
        "created_at": format_time(row.created_at),
    }


# ---- Actions -----------------------------------------------------------------------------------


def quorum(app: Application) -> int:
    """Return how many officers a quorum action needs, by the registry."""
    needed: int = app.contracts.read(app.rpc, "registry", "quorum")
    return needed


def propose(
    app: Application,
    session: Session,
    kind: ActionKind,
    message: Mapping[str, Any],
    *,
    deadline_unix_s: int,
    actor: str,
    reason: str,
) -> QuorumAction:
    """Propose an action for officers to sign.

    Raises
    ------
    ReliefError
        As :func:`service.approvals.actions.create_action`.
    """
    return create_action(
        session,
        kind,
        message,
        app.signing_domain,
        deadline_unix_s=deadline_unix_s,
        actor=actor,
        reason=reason,
        clock=app.chain_clock,
    )


def sign_action(
    app: Application, session: Session, action_id: str, signer: Signer, *, actor: str
) -> ActionStatus:
    """Sign an action with a keystore here and record the signature.

    Raises
    ------
    ReliefError
        As :func:`service.approvals.actions.submit_action_signature`.
    """
    document = action_typed_data(session, action_id, app.signing_domain)
    signature = "0x" + signer.sign_digest(digest_of(document)).hex()
    return record_action_signature(app, session, action_id, signature, actor=actor)


def record_action_signature(
    app: Application,
    session: Session,
    action_id: str,
    signature: str,
    *,
    actor: str,
    signed_with: SignedWith | None = None,
    officer_id: int | None = None,
) -> ActionStatus:
    """Record a signature over an action that an officer's wallet or device made.

    Raises
    ------
    ReliefError
        As :func:`service.approvals.actions.submit_action_signature`, and
        :func:`service.confirmations.holds.refuse_second_hold`.
    ContractRefusal
        Of :data:`TRIED_WHEN_SIGNED`, when the contract refuses it as things are.
    """
    status = submit_action_signature(
        session,
        action_id,
        signature,
        app.signing_domain,
        quorum=quorum(app),
        signed_with=signed_with,
        officer_id=officer_id,
        actor=actor,
        clock=app.chain_clock,
    )
    refuse_second_hold(session, status)
    if status.action.kind in TRIED_WHEN_SIGNED:
        _try(app, session, status.action)
    return status


def _try(app: Application, session: Session, action: QuorumAction) -> None:
    """Run an action without sending it: its officer hears at once what the contract refuses."""
    signatures = packed_action(session, action.id, app.chain_clock.now())
    call = quorum_action(app.contracts, action, signatures)
    try:
        app.rpc.eth_call(app.contracts.address(call.contract), call.calldata)
    except RpcError as error:
        raise app.contracts.refusal(error) or error from None


def action_view(session: Session, action: QuorumAction, *, now: datetime) -> dict[str, Any]:
    """Return an action and the officers in force who signed it, for JSON."""
    return {
        "id": action.id,
        "kind": action.kind,
        "state": action.state,
        "contract": action.contract,
        "roles": role_names(action.role),
        "region": str(region_of(action.region_code, action.region_digits)),
        "deadline": format_unix_s(action.deadline_unix_s),
        "digest": action.digest,
        "args": arguments_view(
            {
                name: value
                for name, value in action.message.items()
                if name not in own_members(action.kind)
            }
        ),
        "officers": signed_by(session, action, now),
        "reason": action.reason,
        **last_error(action.last_error),
        "created_by": action.created_by,
        "created_at": format_time(action.created_at),
    }


def action_status_view(app: Application, session: Session, action: QuorumAction) -> dict[str, Any]:
    """Return an action, who signed it, and how many must, for JSON.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    needed = officers_needed(action.kind, quorum(app))
    return action_view(session, action, now=app.chain_clock.now()) | {"quorum": needed}


def officer_view(officer: Officer, signers: Sequence[OfficerSigner]) -> dict[str, Any]:
    """Return an officer as the registry's events have them, for JSON."""
    return {
        "officer_id": officer.officer_id,
        "display_name": officer.display_name,
        "roles": role_names(officer.roles),
        "region": str(region_of(officer.region_code, officer.region_digits)),
        "active_from": format_time(officer.active_from),
        "removed": officer.removed,
        "signers": [
            {
                "signer_type": SIGNER_TYPES[signer.signer_type],
                "signer": signer_text(signer.signer),
                "active_from": format_time(signer.active_from),
                "removed": signer.removed,
            }
            for signer in signers
        ],
    }


def parse_roles(names: str) -> int:
    """Read role names, parted by commas, as the registry's bits.

    Raises
    ------
    InvalidInput
        When one is no role.
    """
    bits = 0
    for name in names.split(","):
        try:
            bits |= Role[name.strip().upper()]
        except KeyError:
            known = ", ".join(role.name.lower() for role in Role if role.name)
            raise InvalidInput(f"{name!r} is no role: {known}") from None
    return int(bits)


def region_members(region: Region | None) -> dict[str, int]:
    """Return an officer's region as the registry's members; None is the whole country."""
    if region is None:
        return {"regionCode": 0, "regionDigits": 0}
    return {"regionCode": region.code, "regionDigits": region.digits}
