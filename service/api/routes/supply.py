"""The cap on supply and commitments, and who may commit money to payouts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.routes.officers import proposed
from service.api.routes.payouts import accepted
from service.api.schemas.actions import (
    ActionStatusShown,
    CapRaiseGiven,
    MinterGiven,
    MinterRemovalGiven,
)
from service.api.schemas.base import Address
from service.api.schemas.contracts import CapLoweringGiven, CapShown, MinterShown, MintersShown
from service.api.schemas.requests import ChainRequestShown
from service.application import supply
from service.approvals.models import ActionKind
from service.errors import AlreadyExists, Conflict, NotFound

router = APIRouter(tags=["supply"])

MinterPath = Annotated[Address, Path(description="EIP-55 address of the minter.")]


@router.get("/cap", responses=reads(*CHAIN))
def show_cap(call: CallDep) -> CapShown:
    """Show the cap, what is left under it, and a higher one that is planned."""
    return CapShown.model_validate(supply.cap_view(call.application))


@router.post(
    "/cap/raise", status_code=201, response_model=ActionStatusShown, responses=writes(*CHAIN)
)
def raise_cap(given: CapRaiseGiven, command: CommandDep) -> Response:
    """Propose a higher cap. Governors sign; two days after its block it may be applied."""

    def work(session: Session) -> Reply:
        message = supply.cap_raise(command.application, int(given.cap_base_units))
        return proposed(command, session, ActionKind.CAP_INCREASE, message, given)

    return command.run(work)


@router.post(
    "/cap/apply",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(Conflict, *CHAIN),
)
def apply_cap(command: CommandDep) -> Response:
    """Bring the planned higher cap into force, now that its two days are over."""
    return command.run(
        lambda session: accepted(
            supply.apply_cap(command.application, session, actor=command.actor)
        )
    )


@router.post(
    "/cap/lower",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(AlreadyExists, *CHAIN),
)
def lower_cap(given: CapLoweringGiven, command: CommandDep) -> Response:
    """Lower the cap at once; the worker sends it where the treasurer's keystore is."""
    return command.run(
        lambda session: accepted(
            supply.lower_cap(
                command.application,
                session,
                int(given.cap_base_units),
                actor=command.actor,
                reason=given.reason,
            )
        )
    )


@router.get("/minters", responses=reads(*CHAIN))
def list_minters(call: CallDep) -> MintersShown:
    """List the minters, those planned or removed too."""
    with call.read() as session:
        items = supply.minters_view(call.application, session)
    return MintersShown(items=[MinterShown.model_validate(item) for item in items])


@router.post(
    "/minters",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(Conflict, *CHAIN),
)
def add_minter(given: MinterGiven, command: CommandDep) -> Response:
    """Propose a minter, or a higher cap of one. Governors sign; 14 days later it may be activated.

    It is the largest power there is: whoever may mint decides who is paid.
    """

    def work(session: Session) -> Reply:
        app, cap = command.application, int(given.cap_base_units)
        message = supply.minter_addition(app, given.address, cap)
        return proposed(command, session, ActionKind.MINTER_ADDITION, message, given)

    return command.run(work)


@router.post(
    "/minters/{address}/activate",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def activate_minter(address: MinterPath, command: CommandDep) -> Response:
    """Bring a planned minter, or its higher cap, into force, now that its 14 days are over."""
    return command.run(
        lambda session: accepted(
            supply.activate_minter(command.application, session, address, actor=command.actor)
        )
    )


@router.post(
    "/minters/{address}/remove",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def remove_minter(address: MinterPath, given: MinterRemovalGiven, command: CommandDep) -> Response:
    """Propose that a minter commit nothing more, for good; what it committed it still pays."""

    def work(session: Session) -> Reply:
        message = supply.minter_removal(command.application, address)
        return proposed(command, session, ActionKind.MINTER_REMOVAL, message, given)

    return command.run(work)
