"""Officers' signatures over batches and quorum actions, with what only the chain can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.context import Application
from service.approvals.actions import (
    ActionStatus,
    action_status,
    action_typed_data,
    create_action,
    submit_action_signature,
)
from service.approvals.models import ActionKind, QuorumAction, Role
from service.approvals.service import (
    ApprovalStatus,
    reviewers_for,
    submit_signature,
    typed_data,
)
from service.approvals.typed_data import digest_of
from service.chain.signers import Signer
from service.errors import InvalidInput
from service.payouts.models import Batch, Programme
from service.payouts.states import BatchState
from service.regions import Region

_SIGNED_ELSEWHERE = (BatchState.APPROVED.value, BatchState.RELEASED.value)


def required_reviewers(app: Application, session: Session, batch: Batch) -> int:
    """Return how many reviewers a batch needs by the vault's rolling sum.

    Counted with it are the other batches of its programme and region that are approved here and
    not on chain yet, since they may get there first. The contract decides finally.

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
    waiting = session.scalars(
        select(Batch.total_base_units).where(
            Batch.programme_id == batch.programme_id,
            Batch.region_code == batch.region_code,
            Batch.region_digits == batch.region_digits,
            Batch.state.in_(_SIGNED_ELSEWHERE),
            Batch.id != batch.id,
        )
    )
    programme = session.get_one(Programme, batch.programme_id)
    return reviewers_for(programme, rolling + sum(waiting) + batch.total_base_units)


def sign_batch(
    app: Application, session: Session, batch: Batch, signer: Signer, *, actor: str
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
        clock=app.chain_clock,
    )
    signature = "0x" + signer.sign_digest(digest_of(document)).hex()
    return record_batch_signature(app, session, batch, signature, actor=actor)


def record_batch_signature(
    app: Application,
    session: Session,
    batch: Batch,
    signature: str,
    *,
    actor: str,
    officer_id: int | None = None,
) -> ApprovalStatus:
    """Record a signature that an officer's wallet made.

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
        officer_id=officer_id,
        actor=actor,
        manifests_dir=app.settings.resolved_manifests_dir,
        clock=app.chain_clock,
    )


def approval_view(status: ApprovalStatus) -> dict[str, Any]:
    """Return how far an approval has come, for JSON."""
    return {
        "batch_id": status.batch.id,
        "state": status.batch.state,
        "maker_officer_id": status.batch.maker_officer_id,
        "maker_signed": status.maker_signed,
        "reviewers": list(status.reviewers),
        "required_reviewers": status.required_reviewers,
        "approved": status.approved,
    }


# ---- Quorum actions ----------------------------------------------------------------------------


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
    officer_id: int | None = None,
) -> ActionStatus:
    """Record a signature over an action that an officer's wallet made.

    Raises
    ------
    ReliefError
        As :func:`service.approvals.actions.submit_action_signature`.
    """
    return submit_action_signature(
        session,
        action_id,
        signature,
        app.signing_domain,
        quorum=quorum(app),
        officer_id=officer_id,
        actor=actor,
        clock=app.chain_clock,
    )


def action_view(app: Application, session: Session, action: QuorumAction) -> dict[str, Any]:
    """Return an action and who signed it, for JSON."""
    status = action_status(session, action.id, quorum=quorum(app), clock=app.chain_clock)
    return action_row(action) | {"officers": list(status.officers), "quorum": status.quorum}


def action_row(action: QuorumAction) -> dict[str, Any]:
    """Return an action's row for JSON."""
    return {
        "id": action.id,
        "kind": action.kind,
        "state": action.state,
        "contract": action.contract,
        "role": role_names(action.role),
        "region_code": action.region_code,
        "region_digits": action.region_digits,
        "deadline_unix_s": action.deadline_unix_s,
        "digest": action.digest,
        "message": action.message,
        "reason": action.reason,
        "last_error": action.last_error,
        "created_by": action.created_by,
        "created_at": action.created_at.isoformat(),
    }


def role_names(bits: int) -> str:
    """Return the names of roles: ``maker, governor``."""
    return ", ".join(role.name.lower() for role in Role(bits) if role.name)


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
