"""Proposing an emergency grant. Nothing here commits."""

from __future__ import annotations

from sqlalchemy.orm import Session

from service.approvals import officers
from service.approvals.actions import create_action
from service.approvals.domain import SigningDomain
from service.approvals.grants import GrantTerms
from service.approvals.models import ActionKind, Role
from service.clock import SYSTEM_CLOCK, Clock
from service.payouts.models import EmergencyGrant
from service.payouts.states import GrantState
from service.regions import Region


def require_granter(
    session: Session, officer_id: int, region: Region, *, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Refuse an officer who may not grant there.

    Raises
    ------
    NotFound
        When no officer has this number.
    PermissionDenied
        When the officer was removed, is not in force yet, is no emergency officer, or does not
        cover the region.
    """
    officers.require_officer(session, officer_id, Role.EMERGENCY, region, clock.now())


def propose_grant(
    session: Session,
    terms: GrantTerms,
    domain: SigningDomain,
    *,
    officer_id: int,
    valid_until_unix_s: int,
    actor: str,
    reason: str,
    clock: Clock = SYSTEM_CLOCK,
) -> EmergencyGrant:
    """Propose a grant for its officer to sign, as an action of the same id.

    Parameters
    ----------
    valid_until_unix_s
        The contract takes the grant until then, and no later; until a final block has passed it
        the case stays out of every batch.

    Raises
    ------
    InvalidInput
        When the time is not in the future or there is no reason.
    NotFound, PermissionDenied
        As :func:`require_granter`.
    """
    require_granter(session, officer_id, terms.region, clock=clock)
    action = create_action(
        session,
        ActionKind.EMERGENCY_GRANT,
        {
            "officer": officer_id,
            "payee": terms.payee,
            "amount": terms.amount_base_units,
            "regionCode": terms.region.code,
            "regionDigits": terms.region.digits,
            "caseCommitment": "0x" + terms.commitment,
        },
        domain,
        deadline_unix_s=valid_until_unix_s,
        actor=actor,
        reason=reason,
        clock=clock,
    )
    grant = EmergencyGrant(
        id=action.id,
        officer_id=officer_id,
        payee=terms.payee,
        amount_base_units=terms.amount_base_units,
        region_code=terms.region.code,
        region_digits=terms.region.digits,
        commitment=terms.commitment,
        valid_until_unix_s=valid_until_unix_s,
        case_id=terms.case_id,
        commitment_salt=terms.salt,
        reason=action.reason,
        state=GrantState.PROPOSED.value,
        created_by=actor,
        created_at=action.created_at,
    )
    session.add(grant)
    session.flush()
    return grant
