"""Emergency grants as officers ask for them, and the lane's limits as governors change them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.lane import current_limits, refuse_grant
from service.application.requests import ask_once, last_error
from service.approvals.granting import propose_grant, require_granter
from service.approvals.grants import (
    OVERDUE,
    GrantTerms,
    may_countersign,
    terms_of_case,
    terms_without_case,
    waiting_cases,
)
from service.approvals.models import SIGNER_EOA, OfficerSigner, QuorumAction
from service.approvals.states import ActionState
from service.cases.models import Case
from service.clock import Clock
from service.confirmations.finality import FINAL_CURSOR
from service.confirmations.models import Cursor
from service.errors import Conflict, InvalidInput, NotFound
from service.payouts import journal
from service.payouts.directory import region_of
from service.payouts.models import ChainRequest, EmergencyGrant, RequestKind
from service.payouts.states import GrantState
from service.regions import Region
from service.units import amounts, format_amount, format_time, format_unix_s

DEFAULT_VALIDITY = timedelta(days=1)
"""A grant that is not on chain within a day is void, and its case free again."""

MIN_WINDOW_S, MAX_WINDOW_S = 86_400, 14 * 86_400
"""``EmergencyLane.MIN_COUNTERSIGN_WINDOW``, ``MAX_COUNTERSIGN_WINDOW``."""

_WINDOW = "countersignWindow"
_PREFIX = re.compile(r"0x[0-9a-f]{4,64}")


def find_grant(session: Session, text: str) -> EmergencyGrant:
    """Return a grant by its id or by so much of its beginning as names no other.

    Raises
    ------
    InvalidInput
        When the text is no beginning of an id: ``0x`` and at least four hexadecimal digits.
    NotFound, Conflict
        When no grant, or several, begin so.
    """
    prefix = text.lower()
    if _PREFIX.fullmatch(prefix) is None:
        raise InvalidInput(f"{text!r} is no grant id: 0x and at least four hexadecimal digits")
    wanted = select(EmergencyGrant).where(EmergencyGrant.id.startswith(prefix)).limit(2)
    found = list(session.scalars(wanted))
    if not found:
        raise NotFound(f"there is no emergency grant {text}")
    if len(found) > 1:
        raise Conflict(f"several grants begin with {text}: give more of the id")
    return found[0]


def officer_of(session: Session, address: str) -> int:
    """Return the number of the officer whose account an address is.

    Raises
    ------
    NotFound
        When it is no officer's.
    """
    signer = session.get(OfficerSigner, (SIGNER_EOA, address.lower()))
    if signer is None:
        raise NotFound(f"{address} is no officer's account: say which --officer is to sign")
    return signer.officer_id


def grant_terms(
    session: Session,
    *,
    case: str | None,
    payee: str | None,
    amount_base_units: int | None,
    region: Region | None,
    reason: str,
) -> GrantTerms:
    """Return what a grant pays: of a case, or without one as given.

    Raises
    ------
    InvalidInput
        When both are given or neither in full, or as
        :func:`service.approvals.grants.terms_without_case`.
    ReliefError
        As :func:`service.approvals.grants.terms_of_case`.
    """
    if case is not None:
        if payee is not None or amount_base_units is not None or region is not None:
            raise InvalidInput("payee, amount and region are the case's: leave them out")
        return terms_of_case(session, case)
    if payee is None or amount_base_units is None or region is None:
        raise InvalidInput("give a case, or payee, amount and region")
    return terms_without_case(payee, amount_base_units, region, reason)


def grant(
    app: Application,
    session: Session,
    terms: GrantTerms,
    *,
    officer_id: int,
    valid_until: datetime | None = None,
    actor: str,
    reason: str,
) -> EmergencyGrant:
    """Propose a grant for its officer to sign, unless the lane would refuse it as things are.

    Parameters
    ----------
    valid_until
        A day from now when None.

    Raises
    ------
    ReliefError
        As :func:`service.approvals.granting.propose_grant` and
        :func:`service.application.lane.refuse_grant`.
    """
    clock = app.chain_clock
    require_granter(session, officer_id, terms.region, clock=clock)
    refuse_grant(app, terms, officer_id)
    return propose_grant(
        session,
        terms,
        app.signing_domain,
        officer_id=officer_id,
        valid_until_unix_s=int((valid_until or clock.now() + DEFAULT_VALIDITY).timestamp()),
        actor=actor,
        reason=reason,
        clock=clock,
    )


def countersignature_message(grant: EmergencyGrant) -> dict[str, Any]:
    """Return what a reviewer signs of a grant, without the deadline."""
    return {"grantId": grant.id, "payee": grant.payee, "amount": grant.amount_base_units}


# ---- Looking -----------------------------------------------------------------------------------


def grant_view(session: Session, row: EmergencyGrant, *, clock: Clock) -> dict[str, Any]:
    """Return a grant, how far it has come, and what it waits for, for JSON."""
    now_unix_s = clock.now().timestamp()
    outstanding, due = row.state == GrantState.OUTSTANDING, row.overdue_from_unix_s
    overdue = outstanding and due is not None and due <= now_unix_s
    action = session.get(QuorumAction, row.id)
    case = row.case_id and session.get(Case, row.case_id)
    block = row.included_block_number
    return {
        "id": row.id,
        "state": OVERDUE if overdue else row.state,
        "signed": block is not None
        or (action is not None and action.state != ActionState.COLLECTING),
        "officer_id": row.officer_id,
        "payee": row.payee,
        **amounts(amount=row.amount_base_units),
        "region": str(region_of(row.region_code, row.region_digits)),
        "case_id": row.case_id,
        "case_ref": case.case_ref if case else None,
        "waiting_cases": waiting_cases(session, row),
        "commitment": "0x" + row.commitment,
        "commitment_salt": row.commitment_salt,
        "reason": row.reason,
        "valid_until": format_unix_s(row.valid_until_unix_s),
        "overdue_from": format_unix_s(due) if due else None,
        "may_countersign": may_countersign(session, row, clock=clock) if outstanding else [],
        "countersigned_by": row.countersigned_by,
        **last_error(action.last_error if action is not None else None),
        "tx_hash": row.tx_hash,
        "block_number": block,
        "final": block is not None and block <= _final_block(session),
        "created_by": row.created_by,
        "created_at": format_time(row.created_at),
    }


def _final_block(session: Session) -> int:
    found = session.scalar(select(Cursor.block_number).where(Cursor.name == FINAL_CURSOR).limit(1))
    return -1 if found is None else found


# ---- Limits ------------------------------------------------------------------------------------


def changed_limits(
    app: Application, changes: Mapping[str, int]
) -> tuple[dict[str, int | str], bool]:
    """Return the lane's limits with some of them changed, and whether governors must sign that.

    Parameters
    ----------
    changes
        New value by the contract's name; base units, and seconds of ``countersignWindow``.

    Returns
    -------
    tuple
        All limits as a message has them; True when one is higher than now, which only governors
        may do. Lower ones alone are the treasurer's, at once.

    Raises
    ------
    InvalidInput
        When nothing changes, or the time for countersigning is out of range.
    ChainUnavailable
        When the node does not answer.
    """
    now = current_limits(app)
    if all(value == now[name] for name, value in changes.items()):
        raise InvalidInput("these limits are in force: give one that changes")
    if not MIN_WINDOW_S <= changes.get(_WINDOW, MIN_WINDOW_S) <= MAX_WINDOW_S:
        raise InvalidInput("the time for countersigning is 1 to 14 days")
    limits = {
        name: value if name == _WINDOW else str(value) for name, value in {**now, **changes}.items()
    }
    return limits, any(value > now[name] for name, value in changes.items())


def ask_to_lower_limits(
    session: Session, limits: Mapping[str, int | str], *, actor: str, reason: str
) -> ChainRequest:
    """Ask for lower limits, sent with the treasurer's keystore by the worker that has it.

    A planned raise is dropped by it.

    Parameters
    ----------
    limits
        As :func:`changed_limits` gives them.

    Raises
    ------
    InvalidInput
        When there is no reason.
    AlreadyExists
        When a request with other limits waits to be sent.
    """
    return ask_once(
        session,
        RequestKind.LOWER_LANE_LIMITS,
        {"lowered": dict(limits)},
        dedupe_key="lower_lane_limits",
        actor=actor,
        reason=journal.required_reason(reason),
    )


def ask_to_apply_limits(app: Application, session: Session, *, actor: str) -> ChainRequest:
    """Ask that planned limits be applied.

    Raises
    ------
    Conflict
        When none are planned, or their two days are not over.
    ChainUnavailable
        When the node does not answer.
    """
    _, from_unix_s = app.contracts.read(app.rpc, "lane", "pendingLimits")
    _require_due(app, from_unix_s, "no higher limits are planned")
    return ask_once(
        session,
        RequestKind.APPLY_LANE_LIMITS,
        {},
        dedupe_key="apply_lane_limits",
        actor=actor,
    )


def raises_region_cap(app: Application, region: Region, cap_base_units: int) -> bool:
    """Tell whether a region's own cap is higher than the one in force, so that governors sign it.

    Raises
    ------
    InvalidInput
        When the region is the whole country, whose cap is one of the limits, or that is its cap.
    ChainUnavailable
        When the node does not answer.
    """
    require_region(region)
    now: int = app.contracts.read(app.rpc, "lane", "regionCap", region.code, region.digits)
    if cap_base_units == now:
        raise InvalidInput(f"{format_amount(now)} is the cap of region {region} in force")
    return cap_base_units > now


def region_cap_message(region: Region, cap_base_units: int) -> dict[str, Any]:
    """Return a region's own cap by the contract's names."""
    return {
        "regionCode": region.code,
        "regionDigits": region.digits,
        "cap": str(cap_base_units),
    }


def ask_to_lower_region_cap(
    session: Session, region: Region, cap_base_units: int, *, actor: str, reason: str
) -> ChainRequest:
    """Ask for a lower cap of a region, sent with the treasurer's keystore.

    Raises
    ------
    InvalidInput
        When there is no reason.
    AlreadyExists
        When a request with another cap waits to be sent.
    """
    return ask_once(
        session,
        RequestKind.LOWER_REGION_CAP,
        region_cap_message(region, cap_base_units),
        dedupe_key=f"lower_region_cap:{region}",
        actor=actor,
        reason=journal.required_reason(reason),
    )


def ask_to_apply_region_cap(
    app: Application, session: Session, region: Region, *, actor: str
) -> ChainRequest:
    """Ask that a region's planned cap be applied.

    Raises
    ------
    InvalidInput
        When the region is the whole country.
    Conflict
        When none is planned, or its two days are not over.
    ChainUnavailable
        When the node does not answer.
    """
    require_region(region)
    pair = (region.code, region.digits)
    _, from_unix_s = app.contracts.read(app.rpc, "lane", "pendingRegionCap", *pair)
    _require_due(app, from_unix_s, f"no higher cap of region {region} is planned")
    return ask_once(
        session,
        RequestKind.APPLY_REGION_CAP,
        {"regionCode": region.code, "regionDigits": region.digits},
        dedupe_key=f"apply_region_cap:{region}",
        actor=actor,
    )


def require_region(region: Region) -> None:
    """Refuse the whole country where a region's own cap is meant.

    Raises
    ------
    InvalidInput
        When it is.
    """
    if region.digits == 0:
        raise InvalidInput("the whole country's cap is one of the limits, country")


def _require_due(app: Application, from_unix_s: int, none: str) -> None:
    if not from_unix_s:
        raise Conflict(none)
    if app.chain_clock.now().timestamp() < from_unix_s:
        raise Conflict(f"it can be applied from {format_unix_s(from_unix_s)} on")
