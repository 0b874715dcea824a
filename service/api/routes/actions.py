"""Officers' actions: list, show, sign."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, STEP, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.pagination import PagingQuery
from service.api.schemas.actions import ActionPage, ActionShown, ActionStatusShown
from service.api.schemas.base import ACTION_ID
from service.api.schemas.batches import SignatureGiven, TypedDataShown
from service.api.values import read_signed_with
from service.application.approvals import (
    action_status_view,
    action_view,
    record_action_signature,
)
from service.approvals import actions
from service.approvals.states import ActionState
from service.errors import ChainRefused, IntegrityError, InvalidSignature, NotFound

router = APIRouter(tags=["actions"])

ActionIdPath = Annotated[
    str, Path(pattern=r"^0x[0-9a-f]{64}$", description="The action's id.", examples=[ACTION_ID])
]


@router.get("/actions", responses=reads())
def list_actions(
    call: CallDep,
    paging: PagingQuery,
    *,
    state: Annotated[ActionState | None, Query(examples=["collecting"])] = None,
) -> ActionPage:
    """List actions, by id: what officers sign other than batches."""
    now = call.application.chain_clock.now()
    with call.read() as session:
        page = actions.list_actions(session, state=state, limit=paging.limit, cursor=paging.key)
        items = [
            ActionShown.model_validate(action_view(session, row, now=now)) for row in page.items
        ]
    return ActionPage(items=items, next_cursor=paging.next_cursor(page.next_cursor))


@router.get("/actions/{action_id}", responses=reads(NotFound, *CHAIN))
def show_action(call: CallDep, action_id: ActionIdPath) -> ActionStatusShown:
    """Show an action, who signed it and how many must."""
    with call.read() as session:
        row = actions.get_action(session, action_id)
        return ActionStatusShown.model_validate(action_status_view(call.application, session, row))


@router.get("/actions/{action_id}/typed-data", responses=reads(NotFound, IntegrityError, *CHAIN))
def action_typed_data(call: CallDep, action_id: ActionIdPath) -> TypedDataShown:
    """Give the EIP-712 document that officers' wallets sign for an action."""
    domain = call.application.signing_domain
    with call.read() as session:
        return TypedDataShown.model_validate(actions.action_typed_data(session, action_id, domain))


@router.post(
    "/actions/{action_id}/signatures",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(*STEP, InvalidSignature, IntegrityError, ChainRefused, *CHAIN),
)
def sign_action(action_id: ActionIdPath, given: SignatureGiven, command: CommandDep) -> Response:
    """Hand in an officer's signature; with enough of them the worker sends the action."""

    def work(session: Session) -> Reply:
        status = record_action_signature(
            command.application,
            session,
            action_id,
            given.signature,
            actor=command.actor,
            signed_with=read_signed_with(command.application, given),
            officer_id=given.officer_id,
        )
        shown = action_status_view(command.application, session, status.action)
        headers = {"Location": f"/v1/actions/{action_id}"}
        return Reply(ActionStatusShown.model_validate(shown), 201, headers)

    return command.run(work)
