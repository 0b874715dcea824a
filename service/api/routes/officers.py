"""Officers: list them, and propose to add or remove one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import Command, CommandDep, Reply
from service.api.pagination import PagingQuery, by_number
from service.api.schemas.actions import (
    ActionStatusShown,
    OfficerAdditionGiven,
    OfficerPage,
    OfficerRemovalGiven,
    OfficerShown,
    Proposal,
)
from service.api.values import read_region, read_signer, unix_s
from service.application.approvals import (
    action_status_view,
    officer_view,
    parse_roles,
    propose,
)
from service.approvals.models import ActionKind, QuorumAction
from service.approvals.officers import get_officer, list_officers, signers_of
from service.errors import AlreadyExists, NotFound

router = APIRouter(tags=["officers"])

DEFAULT_DEADLINE = timedelta(days=7)


@router.get("/officers", responses=reads())
def list_all_officers(call: CallDep, paging: PagingQuery) -> OfficerPage:
    """List the officers as the registry has them, removed ones too, by number."""
    with call.read() as session:
        page, key = by_number(list_officers(session), lambda row: row.officer_id, paging)
        items = [
            OfficerShown.model_validate(officer_view(row, signers_of(session, row.officer_id)))
            for row in page
        ]
    return OfficerPage(items=items, next_cursor=paging.next_cursor(key))


@router.post(
    "/officers",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(AlreadyExists, *CHAIN),
)
def add_officer(given: OfficerAdditionGiven, command: CommandDep) -> Response:
    """Propose an officer. Governors sign the action; two days after its block they may sign."""
    scope = read_region(given.region)
    signer_type, signer = read_signer(command.application, given.signer_type, given.signer)
    message = {
        "officerId": given.officer_id,
        "roles": parse_roles(",".join(given.roles)),
        "regionCode": scope.code,
        "regionDigits": scope.digits,
        "signerType": signer_type,
        "signer": signer,
    }
    return command.run(
        lambda session: proposed(command, session, ActionKind.OFFICER_ADDITION, message, given)
    )


@router.post(
    "/officers/{officer_id}/remove",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(NotFound, *CHAIN),
)
def remove_officer(
    officer_id: Annotated[int, Path(ge=1, le=2**32 - 1, examples=[4])],
    given: OfficerRemovalGiven,
    command: CommandDep,
) -> Response:
    """Propose to remove an officer. What they approved stays approved."""

    def work(session: Session) -> Reply:
        get_officer(session, officer_id)
        message = {"officerId": officer_id}
        return proposed(command, session, ActionKind.OFFICER_REMOVAL, message, given)

    return command.run(work)


def proposed(
    command: Command,
    session: Session,
    kind: ActionKind,
    message: dict[str, Any],
    given: Proposal,
) -> Reply:
    """Propose an action and return the reply that names it."""
    action = propose_action(command, session, kind, message, given)
    shown = action_status_view(command.application, session, action)
    headers = {"Location": f"/v1/actions/{action.id}"}
    return Reply(ActionStatusShown.model_validate(shown), 201, headers)


def propose_action(
    command: Command,
    session: Session,
    kind: ActionKind,
    message: dict[str, Any],
    given: Proposal,
) -> QuorumAction:
    """Propose an action for officers to sign, with the deadline given or seven days."""
    app = command.application
    deadline: datetime = given.deadline or app.chain_clock.now() + DEFAULT_DEADLINE
    return propose(
        app,
        session,
        kind,
        message,
        deadline_unix_s=unix_s(deadline),
        actor=command.actor,
        reason=given.reason,
    )
