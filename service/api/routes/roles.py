"""Housekeeping roles: who pauses, freezes, attests and plans; none of them can pay."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import Command, CommandDep, Reply
from service.api.routes.officers import proposed
from service.api.schemas.actions import ActionStatusShown, RoleChangeGiven
from service.api.schemas.contracts import RoleShown, RolesShown
from service.application.roles import role_change, roles_view
from service.approvals.models import ActionKind
from service.errors import ChainRefused, Conflict, NotFound

router = APIRouter(tags=["roles"])

RolePath = Annotated[
    str, Path(max_length=32, description="Name of the role.", examples=["guardian"])
]


@router.get("/roles", responses=reads(*CHAIN))
def list_roles(call: CallDep) -> RolesShown:
    """List the roles and who holds each, by the chain now."""
    items = roles_view(call.application)
    return RolesShown(items=[RoleShown.model_validate(item) for item in items])


@router.post(
    "/roles/{role}/grant",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(NotFound, Conflict, ChainRefused, *CHAIN),
)
def grant_role(role: RolePath, given: RoleChangeGiven, command: CommandDep) -> Response:
    """Propose to give an account a role. A quorum of governors signs."""
    return command.run(lambda session: _changed(command, session, role, given, grant=True))


@router.post(
    "/roles/{role}/revoke",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(NotFound, Conflict, ChainRefused, *CHAIN),
)
def revoke_role(role: RolePath, given: RoleChangeGiven, command: CommandDep) -> Response:
    """Propose to take a role from an account. A quorum of governors signs."""
    return command.run(lambda session: _changed(command, session, role, given, grant=False))


def _changed(
    command: Command, session: Session, role: str, given: RoleChangeGiven, *, grant: bool
) -> Reply:
    message = role_change(command.application, role, given.account, grant=grant)
    return proposed(command, session, ActionKind.MANAGER_CALL, message, given)
