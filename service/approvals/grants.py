"""Emergency grants: what one pays, of a case or without one, who may sign it, those there are.

A grant is an action (:mod:`service.approvals.actions`) that one officer signs; its row says whom it
pays and keeps its case out of every batch. Nothing here commits.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from service.approvals.models import ActionKind, Officer, QuorumAction, Role
from service.approvals.states import ActionState, move_actions
from service.cases import get_case
from service.cases.filters import covered_by
from service.cases.models import Case
from service.cases.states import CaseState
from service.clock import SYSTEM_CLOCK, Clock
from service.db import lock
from service.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
)
from service.payouts import journal
from service.payouts.building import granted
from service.payouts.directory import region_of
from service.payouts.models import IS_LIVE, EmergencyGrant, Payout
from service.payouts.paging import Page, check_limit
from service.payouts.states import LIVE_GRANT_STATES, GrantState, move
from service.privacy.commitments import SALT_BYTES, ad_hoc_commitment
from service.regions import Region
from service.units import MAX_ENTRY_BASE_UNITS, format_amount

ENDINGS = (ActionKind.GRANT_COUNTERSIGNATURE, ActionKind.GRANT_WRITE_OFF)
"""Actions that end a grant on chain."""

OVERDUE = "overdue"
"""How an outstanding grant is shown past its time."""

_CURSOR = re.compile(r"0x[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What a grant pays, before an officer is named.

    Attributes
    ----------
    payee
        EIP-55 address.
    region
        Of the case; not the whole country.
    commitment
        Case commitment, 64 hexadecimal digits.
    case_id
        None without a case of ours.
    salt
        Opens the commitment where there is no case, 0x-hex; else None.
    """

    payee: str
    amount_base_units: int
    region: Region
    commitment: str
    case_id: str | None = None
    salt: str | None = None


def terms_of_case(session: Session, case: str) -> GrantTerms:
    """Return what a grant for a case pays; locks the case until the transaction ends.

    Parameters
    ----------
    case
        Its id or reference.

    Raises
    ------
    NotFound
        When there is no such case.
    Conflict
        When it is not approved, is a stream, or stands in a batch.
    AlreadyExists
        When it was granted, or may still be.
    """
    # No batch takes the case while it is locked (service/payouts/building.py).
    found = lock(session, get_case(session, case))
    if found.state != CaseState.APPROVED:
        raise Conflict(f"case {found.case_ref} is {found.state}: only an approved one is granted")
    if found.kind != "one_off":
        raise Conflict(f"case {found.case_ref} is a stream: a grant pays all at once")
    batch_id = session.scalar(
        select(Payout.batch_id).where(Payout.commitment == found.commitment, IS_LIVE)
    )
    if batch_id is not None:
        raise Conflict(f"case {found.case_ref} stands in batch {batch_id}: it would be paid twice")
    _refuse_granted(session, found.commitment, f"case {found.case_ref}")
    return GrantTerms(
        payee=found.wallet_address,
        amount_base_units=found.amount_base_units,
        region=found.region,
        commitment=found.commitment,
        case_id=found.id,
    )


def terms_without_case(
    payee: str, amount_base_units: int, region: Region, reason: str
) -> GrantTerms:
    """Return what a grant pays for which no case was filed; it commits to the reason alone.

    Parameters
    ----------
    payee
        EIP-55 address.

    Raises
    ------
    InvalidInput
        When the amount is out of range, the region is the whole country, or there is no reason.
    """
    why = journal.required_reason(reason)
    if not 1 <= amount_base_units <= MAX_ENTRY_BASE_UNITS:
        most = format_amount(MAX_ENTRY_BASE_UNITS)
        raise InvalidInput(f"a grant is {format_amount(1)} to {most}")
    if region.digits == 0:
        raise InvalidInput("a grant is for a province, a city or a county, not the whole country")
    salt = secrets.token_bytes(SALT_BYTES)
    return GrantTerms(
        payee=payee,
        amount_base_units=amount_base_units,
        region=region,
        commitment=ad_hoc_commitment(salt, why).hex(),
        salt="0x" + salt.hex(),
    )


def _refuse_granted(session: Session, commitment: str, name: str) -> None:
    grant = session.scalar(
        select(EmergencyGrant).where(
            EmergencyGrant.commitment == commitment, EmergencyGrant.state.in_(LIVE_GRANT_STATES)
        )
    )
    if grant is not None:
        raise AlreadyExists(f"{name} has the emergency grant {grant.id}, which is {grant.state}")


def require_outstanding(session: Session, grant_id: str) -> EmergencyGrant:
    """Return a grant that may be countersigned or written off.

    Raises
    ------
    NotFound
        When there is none with this id.
    Conflict
        When it is not on chain, or has ended.
    """
    grant = get_grant(session, grant_id)
    if grant.state != GrantState.OUTSTANDING:
        raise Conflict(f"grant {grant.id} is {grant.state}, not outstanding")
    return grant


def check_granter(
    session: Session, kind: ActionKind, message: Mapping[str, Any], officer_id: int
) -> None:
    """Refuse an officer's signature over a grant that names another, or under an own grant.

    Parameters
    ----------
    message
        Of the action's typed data.

    Raises
    ------
    PermissionDenied
        When the officer is not who grants, or countersigns what they granted.
    """
    if kind is ActionKind.EMERGENCY_GRANT and officer_id != message["officer"]:
        raise PermissionDenied(
            f"the grant names officer {message['officer']}, and officer {officer_id} signed it"
        )
    if kind is ActionKind.GRANT_COUNTERSIGNATURE:
        granter = get_grant(session, message["grantId"]).officer_id
        if officer_id == granter:
            raise PermissionDenied(f"officer {granter} granted it, so another must countersign")


def free_expired(session: Session, final_block_unix_s: int) -> int:
    """Free the cases of grants that no block can take any more; returns how many.

    Parameters
    ----------
    final_block_unix_s
        Timestamp of the newest block that is final and whose events were read.
    """
    late = session.scalars(
        select(EmergencyGrant)
        .where(
            EmergencyGrant.state == GrantState.PROPOSED.value,
            EmergencyGrant.valid_until_unix_s < final_block_unix_s,
        )
        .with_for_update()
    ).all()
    for grant in late:
        grant.state = move(grant.state, GrantState.EXPIRED).value
        this = (QuorumAction.id == grant.id, QuorumAction.state == ActionState.COLLECTING)
        move_actions(session, ActionState.EXPIRED, *this)
    session.flush()
    return len(late)


# ---- Looking -----------------------------------------------------------------------------------


def get_grant(session: Session, grant_id: str) -> EmergencyGrant:
    """Return a grant.

    Raises
    ------
    NotFound
        When there is none with this id.
    """
    found = session.get(EmergencyGrant, grant_id.lower())
    if found is None:
        raise NotFound(f"there is no emergency grant {grant_id}")
    return found


def list_grants(
    session: Session,
    *,
    state: str | None = None,
    officer_id: int | None = None,
    region: Region | None = None,
    limit: int = 50,
    cursor: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Page[EmergencyGrant]:
    """Return one page of grants, by id.

    Parameters
    ----------
    state
        As a grant is shown: one of :class:`GrantState`, or ``overdue``.
    region
        Grants of this region and of those inside it.

    Raises
    ------
    InvalidInput
        When the state is none, the limit is out of range or the cursor is none of ours.
    """
    statement = select(EmergencyGrant).order_by(EmergencyGrant.id).limit(check_limit(limit) + 1)
    if state is not None:
        statement = statement.where(_shown_as(state, int(clock.now().timestamp())))
    if officer_id is not None:
        statement = statement.where(EmergencyGrant.officer_id == officer_id)
    if region is not None:
        statement = statement.where(
            covered_by(region, EmergencyGrant.region_code, EmergencyGrant.region_digits)
        )
    if cursor is not None:
        if _CURSOR.fullmatch(cursor) is None:
            raise InvalidInput("the cursor is not one that a page of grants gave")
        statement = statement.where(EmergencyGrant.id > cursor)
    found = session.scalars(statement).all()
    items = found[:limit]
    return Page(items, items[-1].id if len(found) > limit else None)


def _shown_as(state: str, now_unix_s: int) -> ColumnElement[bool]:
    known = (*GrantState, OVERDUE)
    if state not in known:
        raise InvalidInput(f"{state!r} is not one of {', '.join(known)}")
    if state not in (GrantState.OUTSTANDING, OVERDUE):
        return EmergencyGrant.state == state
    due = EmergencyGrant.overdue_from_unix_s
    return (EmergencyGrant.state == GrantState.OUTSTANDING) & (
        due <= now_unix_s if state == OVERDUE else due > now_unix_s
    )


def waiting_cases(session: Session, grant: EmergencyGrant) -> list[str]:
    """Return the references of other cases of the same wallet that a batch may still pay.

    A grant without a case may have met the need that one of them is for.
    """
    return list(
        session.scalars(
            select(Case.case_ref)
            .where(
                Case.wallet_address == grant.payee,
                Case.state != CaseState.REJECTED.value,
                ~exists().where(Payout.case_id == Case.id, IS_LIVE).correlate(Case),
                ~granted(),
            )
            .order_by(Case.case_ref)
        )
    )


def may_countersign(
    session: Session, grant: EmergencyGrant, *, clock: Clock = SYSTEM_CLOCK
) -> list[int]:
    """Return the numbers of the officers who may countersign a grant, ascending.

    Reviewers in force whose region covers the grant's, other than who granted.
    """
    region = region_of(grant.region_code, grant.region_digits)
    now = clock.now()
    return [
        officer.officer_id
        for officer in session.scalars(select(Officer).order_by(Officer.officer_id))
        if officer.officer_id != grant.officer_id
        and officer.roles & Role.REVIEWER
        and not officer.removed
        and officer.active_from <= now
        and region_of(officer.region_code, officer.region_digits).covers(region)
    ]
