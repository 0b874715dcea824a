"""Pauses of the contracts, and the vault's sunset."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.routes.officers import propose_action, proposed
from service.api.schemas.actions import (
    ActionsShown,
    ActionStatusShown,
    PauseLiftingGiven,
    SunsetGiven,
)
from service.api.schemas.contracts import PausesShown
from service.application.approvals import action_status_view
from service.application.pauses import lifting, pauses_view, refuse_second_sunset
from service.approvals.models import ActionKind
from service.errors import Conflict

router = APIRouter(tags=["pauses"])


@router.get("/pauses", responses=reads(*CHAIN))
def show_pauses(call: CallDep) -> PausesShown:
    """Show what is paused. A guardian pauses with a keystore of their own: `relief pause start`."""
    with call.read() as session:
        return PausesShown.model_validate(pauses_view(call.application, session))


@router.post(
    "/pauses/lift",
    status_code=201,
    response_model=ActionsShown,
    responses=writes(Conflict, *CHAIN),
)
def lift_pauses(given: PauseLiftingGiven, command: CommandDep) -> Response:
    """Propose to lift pauses, one action a contract. A quorum of governors signs each."""

    def work(session: Session) -> Reply:
        app = command.application
        actions = [
            propose_action(command, session, kind, message, given)
            for kind, message in lifting(app, session, given.operations)
        ]
        items = [
            ActionStatusShown.model_validate(action_status_view(app, session, action))
            for action in actions
        ]
        return Reply(ActionsShown(items=items), 201)

    return command.run(work)


@router.post(
    "/sunset",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(Conflict, *CHAIN),
)
def begin_sunset(given: SunsetGiven, command: CommandDep) -> Response:
    """Propose the vault's end: nothing more is approved, what was is paid on. Governors sign."""

    def work(session: Session) -> Reply:
        refuse_second_sunset(command.application)
        return proposed(command, session, ActionKind.SUNSET, {}, given)

    return command.run(work)
