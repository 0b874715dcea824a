"""What can never be paid: what is due to return to the budget, and asking for it."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import Command, CommandDep, Reply
from service.api.routes.batches import BatchIdPath
from service.api.schemas.contracts import DueShown, DuesShown
from service.api.schemas.requests import ChainRequestShown, ChainRequestsShown
from service.application.corrections import due_to_expire, due_view, expire
from service.application.requests import request_view
from service.errors import Conflict, NotFound

router = APIRouter(tags=["expiry"])


@router.get("/expiry", responses=reads(*CHAIN))
def list_due(call: CallDep) -> DuesShown:
    """List what can never be paid and may return to its programme's budget now."""
    with call.read() as session:
        items = [due_view(due) for due in due_to_expire(call.application, session)]
    return DuesShown(items=[DueShown.model_validate(item) for item in items])


@router.post(
    "/expiry", status_code=202, response_model=ChainRequestsShown, responses=writes(*CHAIN)
)
def expire_all_due(command: CommandDep) -> Response:
    """Ask that everything due return to the budgets; the worker asks once by itself."""
    return command.run(lambda session: _asked(command, session, None))


@router.post(
    "/batches/{batch_id}/expire",
    status_code=202,
    response_model=ChainRequestsShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def expire_batch(batch_id: BatchIdPath, command: CommandDep) -> Response:
    """Ask that what is due of a batch return to the budget; a frozen wallet's payout never is."""
    return command.run(lambda session: _asked(command, session, batch_id))


def _asked(command: Command, session: Session, batch_id: str | None) -> Reply:
    asked = expire(command.application, session, batch_id, actor=command.actor)
    items = [ChainRequestShown.model_validate(request_view(row)) for row in asked]
    return Reply(ChainRequestsShown(items=items), 202)
