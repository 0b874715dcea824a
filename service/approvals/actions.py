"""Actions: everything but a batch's approval that officers must sign, a quorum of them or one.

Each has its own type, an action id used once for ever, and a deadline. Nothing here commits.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.approvals import officers
from service.approvals.corrections import OF_A_BATCH, check_correction
from service.approvals.domain import ContractKey, SigningDomain
from service.approvals.grants import ENDINGS, check_granter, require_outstanding
from service.approvals.models import (
    ActionKind,
    Officer,
    OfficerSigner,
    QuorumAction,
    QuorumSignature,
    Role,
)
from service.approvals.officers import SignedWith, signer_text
from service.approvals.signatures import pack_signatures
from service.approvals.states import ActionState, move_actions
from service.approvals.typed_data import TYPES, digest_of, make_typed_data, member_names
from service.clock import SYSTEM_CLOCK, Clock
from service.db import lock
from service.errors import AlreadyExists, Conflict, IntegrityError, InvalidInput, NotFound
from service.payouts import journal
from service.payouts.directory import region_of
from service.payouts.paging import Page, check_limit
from service.regions import WHOLE_COUNTRY, known_on

PRIMARY_TYPES: dict[ActionKind, str] = {
    ActionKind.BATCH_CANCELLATION: "BatchCancellation",
    ActionKind.STREAM_CANCELLATION: "StreamCancellation",
    ActionKind.BATCH_HOLD: "BatchHold",
    ActionKind.ENTRY_HOLD: "EntryHold",
    ActionKind.WALLET_CHANGE: "WalletChange",
    ActionKind.SUNSET: "Sunset",
    ActionKind.VAULT_UNPAUSE: "Unpause",
    ActionKind.OFFICER_ADDITION: "OfficerAddition",
    ActionKind.OFFICER_REMOVAL: "OfficerRemoval",
    ActionKind.SIGNER_ADDITION: "SignerAddition",
    ActionKind.SIGNER_REMOVAL: "SignerRemoval",
    ActionKind.VERIFIER_ADDITION: "VerifierAddition",
    ActionKind.VERIFIER_REMOVAL: "VerifierRemoval",
    ActionKind.MANAGER_CALL: "ManagerCall",
    ActionKind.TOKEN_UNPAUSE: "UnpauseTransfers",
    ActionKind.CAP_INCREASE: "CapIncrease",
    ActionKind.MINTER_ADDITION: "MinterAddition",
    ActionKind.MINTER_REMOVAL: "MinterRemoval",
    ActionKind.EMERGENCY_GRANT: "EmergencyGrant",
    ActionKind.GRANT_COUNTERSIGNATURE: "GrantCountersignature",
    ActionKind.GRANT_WRITE_OFF: "GrantWriteOff",
    ActionKind.LIMITS_RAISE: "LimitsRaise",
    ActionKind.REGION_CAP_RAISE: "RegionCapRaise",
    ActionKind.GRANTS_UNPAUSE: "UnpauseGrants",
}

ONE_OFFICER = frozenset(
    {
        ActionKind.BATCH_HOLD,
        ActionKind.ENTRY_HOLD,
        ActionKind.EMERGENCY_GRANT,
        ActionKind.GRANT_COUNTERSIGNATURE,
    }
)
"""One officer signs these, and no more than one (``OfficerRegistry.requireOne``)."""

_OWN_MEMBERS = {ActionKind.EMERGENCY_GRANT: ("grantId", "validUntil")}
_MAX_UINT40 = 2**40 - 1
_CURSOR = re.compile(r"0x[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ActionStatus:
    """How far an action has come.

    Attributes
    ----------
    officers
        Numbers of the officers who signed and are in force, ascending.
    quorum
        How many are needed: the registry's quorum, or one.
    """

    action: QuorumAction
    officers: tuple[int, ...]
    quorum: int


def own_members(kind: ActionKind | str) -> tuple[str, str]:
    """Return the names that an action's id and deadline have in its type, where it has them."""
    return _OWN_MEMBERS.get(ActionKind(kind), ("actionId", "deadline"))


def officers_needed(kind: ActionKind | str, quorum: int) -> int:
    """Return how many officers must sign an action, where the registry's quorum is so many."""
    return 1 if kind in ONE_OFFICER else quorum


def create_action(
    session: Session,
    kind: ActionKind,
    message: Mapping[str, Any],
    domain: SigningDomain,
    *,
    deadline_unix_s: int,
    actor: str,
    reason: str,
    clock: Clock = SYSTEM_CLOCK,
) -> QuorumAction:
    """Propose an action for officers to sign.

    Parameters
    ----------
    message
        Members of its type without those of ``actionId`` and ``deadline``: ``{"batchId": …}``,
        or ``{"batchId", "chunkIndex", "maskLow", "maskHigh"}``
        (:func:`service.payouts.streams.cancellation_masks`).
    deadline_unix_s
        The contract refuses the action after this time.

    Raises
    ------
    InvalidInput
        When the message does not fit the type, the deadline is not in the future, or there is no
        reason.
    NotFound
        When it names a batch or payout that is none.
    AlreadyExists
        When an officer's number, or a signer, is or was one.
    Conflict
        As :func:`service.approvals.corrections.check_correction`.
    """
    why = journal.required_reason(reason)
    now = clock.now()
    if not now.timestamp() < deadline_unix_s <= _MAX_UINT40:
        raise InvalidInput("the deadline is not in the future")
    action_id = "0x" + secrets.token_hex(32)
    primary_type = PRIMARY_TYPES[kind]
    contract: ContractKey = TYPES[primary_type][0]
    ours = dict(zip(own_members(kind), (action_id, deadline_unix_s), strict=True))
    members = {name: ours[name] for name in member_names(primary_type) if name in ours}
    try:
        data = make_typed_data(domain, primary_type, {**message, **members})
        digest = digest_of(data)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"the message does not fit {primary_type}: {error}") from None
    if kind in (ActionKind.OFFICER_ADDITION, ActionKind.SIGNER_ADDITION):
        _check_addition(session, kind, data["message"], now)
    role, region_code, region_digits = Role.GOVERNOR, 0, 0
    if kind in OF_A_BATCH:
        batch = check_correction(session, kind, data["message"], now)
        role, region_code, region_digits = Role.REVIEWER, batch.region_code, batch.region_digits
    elif kind is ActionKind.EMERGENCY_GRANT:
        role, region_code, region_digits = (
            Role.EMERGENCY,
            message["regionCode"],
            message["regionDigits"],
        )
    elif kind in ENDINGS:
        grant = require_outstanding(session, data["message"]["grantId"])
        if kind is ActionKind.GRANT_COUNTERSIGNATURE:
            role, region_code, region_digits = Role.REVIEWER, grant.region_code, grant.region_digits
    action = QuorumAction(
        id=action_id,
        kind=kind.value,
        contract=contract,
        message=data["message"],
        digest="0x" + digest.hex(),
        deadline_unix_s=deadline_unix_s,
        role=int(role),
        region_code=region_code,
        region_digits=region_digits,
        state=ActionState.COLLECTING.value,
        reason=why,
        created_by=actor,
        created_at=now,
    )
    session.add(action)
    _record(session, action, f"propose_{kind.value}", actor, clock, reason=why)
    session.flush()
    return action


def _check_addition(
    session: Session, kind: ActionKind, message: Mapping[str, Any], now: datetime
) -> None:
    """Refuse an addition that the registry would refuse once officers have signed it."""
    number, signer = message["officerId"], message["signer"]
    known = session.get(OfficerSigner, (message["signerType"], signer))
    if known is not None:
        raise AlreadyExists(
            f"{signer_text(signer)} is or was officer {known.officer_id}'s: take another"
        )
    if kind is ActionKind.SIGNER_ADDITION:
        return
    if session.get(Officer, number) is not None:
        raise AlreadyExists(
            f"the number {number} is or was an officer's: numbers are not used again"
        )
    region = region_of(message["regionCode"], message["regionDigits"])
    if region != WHOLE_COUNTRY and not known_on(region, now.date()):
        raise InvalidInput(f"GB/T 2260 has no code {region} in force")


def get_action(session: Session, action_id: str) -> QuorumAction:
    """Return an action.

    Raises
    ------
    NotFound
        When there is none with this id.
    """
    found = session.get(QuorumAction, action_id.lower())
    if found is None:
        raise NotFound(f"there is no action {action_id}")
    return found


def list_actions(
    session: Session,
    *,
    state: ActionState | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[QuorumAction]:
    """Return one page of actions, by id.

    Raises
    ------
    InvalidInput
        When the limit is out of range or the cursor is none of ours.
    """
    statement = select(QuorumAction).order_by(QuorumAction.id).limit(check_limit(limit) + 1)
    if state is not None:
        statement = statement.where(QuorumAction.state == state.value)
    if cursor is not None:
        if _CURSOR.fullmatch(cursor) is None:
            raise InvalidInput("the cursor is not one that a page of actions gave")
        statement = statement.where(QuorumAction.id > cursor)
    found = session.scalars(statement).all()
    items = found[:limit]
    return Page(items, items[-1].id if len(found) > limit else None)


def action_typed_data(session: Session, action_id: str, domain: SigningDomain) -> dict[str, Any]:
    """Return the JSON that a wallet signs for an action.

    Raises
    ------
    NotFound
        When there is no such action.
    IntegrityError
        When its message is not the one that was proposed, or it was proposed for other contracts.
    """
    action = get_action(session, action_id)
    data = make_typed_data(domain, PRIMARY_TYPES[ActionKind(action.kind)], action.message)
    if "0x" + digest_of(data).hex() != action.digest:
        raise IntegrityError(f"action {action.id} is not what was proposed for these contracts")
    return data


def submit_action_signature(
    session: Session,
    action_id: str,
    signature: str,
    domain: SigningDomain,
    *,
    quorum: int,
    signed_with: SignedWith | None = None,
    officer_id: int | None = None,
    actor: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ActionStatus:
    """Record an officer's signature over an action; with enough of them it is ready to send.

    Parameters
    ----------
    quorum
        How many officers the registry asks for (``OfficerRegistry.quorum``).
    signed_with
        The signer, where the signature does not tell; None recovers an account.

    Raises
    ------
    NotFound
        When there is no such action.
    Conflict
        When it was sent, is done, its deadline has passed, or the one officer needed has signed.
    InvalidSignature
        When the signature is not canonical, or not an officer's over this action.
    PermissionDenied
        When the officer or signer is not in force, lacks the role, or the region is not theirs.
    AlreadyExists
        When this officer signed before.
    IntegrityError
        As :func:`action_typed_data`.
    """
    action = lock(session, get_action(session, action_id))
    now = clock.now()
    if action.state not in (ActionState.COLLECTING, ActionState.READY):
        raise Conflict(f"action {action.id} is {action.state}: no more signatures")
    if action.deadline_unix_s < now.timestamp():
        raise Conflict(f"the deadline of action {action.id} has passed")
    needed = officers_needed(action.kind, quorum)
    if needed == 1 and (before := signed_by(session, action, now)):
        raise Conflict(f"officer {before[0]} signed action {action.id}: one officer is enough")
    digest = digest_of(action_typed_data(session, action.id, domain))
    signed = officers.identify(
        session, digest, signature, signed_with=signed_with, officer_id=officer_id, now=now
    )
    person = signed.officer
    officers.require_role(person, Role(action.role))
    officers.require_region(person, action.region_code, action.region_digits)
    check_granter(session, ActionKind(action.kind), action.message, person.officer_id)
    if session.get(QuorumSignature, (action.id, person.officer_id)) is not None:
        raise AlreadyExists(f"officer {person.officer_id} signed action {action.id} before")
    session.add(
        QuorumSignature(
            action_id=action.id,
            officer_id=person.officer_id,
            signer_type=signed.signer_type,
            signer=signed.signer,
            signature=signed.signature,
            created_at=now,
        )
    )
    named = actor or f"officer {person.officer_id}"
    reason = f"officer {person.officer_id}"
    _record(session, action, "sign_action", named, clock, reason=reason)
    session.flush()
    status = action_status(session, action.id, quorum=quorum, clock=clock)
    if action.state == ActionState.COLLECTING and len(status.officers) >= needed:
        # Officers may have sent it themselves meanwhile: what is done stays done.
        this = (QuorumAction.id == action.id, QuorumAction.state == ActionState.COLLECTING)
        move_actions(session, ActionState.READY, *this)
        session.refresh(action)
    return status


def action_status(
    session: Session, action_id: str, *, quorum: int, clock: Clock = SYSTEM_CLOCK
) -> ActionStatus:
    """Return how far an action has come, where the registry's quorum is so many.

    Raises
    ------
    NotFound
        When there is no such action.
    """
    action = get_action(session, action_id)
    signed = tuple(signed_by(session, action, clock.now()))
    return ActionStatus(action, signed, officers_needed(action.kind, quorum))


def signed_by(session: Session, action: QuorumAction, now: datetime) -> list[int]:
    """Return the numbers of the officers who signed an action and are in force, ascending."""
    rows = officers.in_force(session, action_signatures(session, action.id), now)
    return sorted(row.officer_id for row in rows)


def action_signatures(session: Session, action_id: str) -> Sequence[QuorumSignature]:
    """Return the signatures over an action, by officer number."""
    return session.scalars(
        select(QuorumSignature)
        .where(QuorumSignature.action_id == action_id)
        .order_by(QuorumSignature.officer_id)
    ).all()


def packed_action(session: Session, action_id: str, now: datetime) -> bytes:
    """Return the signatures in force over an action, packed for its contract.

    Raises
    ------
    ValueError
        When a stored signature does not fit its field.
    """
    rows = action_signatures(session, action_id)
    return pack_signatures(officers.in_force(session, rows, now))


def _record(
    session: Session,
    action: QuorumAction,
    name: str,
    actor: str,
    clock: Clock,
    *,
    reason: str,
) -> None:
    journal.record(
        session,
        at=clock.now(),
        actor=actor,
        action=name,
        object_type="quorum_action",
        object_id=action.id,
        reason=reason,
    )
