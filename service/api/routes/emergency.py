"""Emergency grants: propose, list, show, countersign, write off; the lane's limits."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, STEP, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import Command, CommandDep, Reply
from service.api.pagination import PagingQuery
from service.api.routes.officers import propose_action, proposed
from service.api.routes.payouts import accepted
from service.api.schemas.actions import ActionStatusShown, Proposal
from service.api.schemas.base import HASH
from service.api.schemas.emergency import (
    CountersignatureGiven,
    GrantGiven,
    GrantPage,
    GrantShown,
    LaneShown,
    LimitsChangeShown,
    LimitsGiven,
    PlannedCapGiven,
    RegionCapGiven,
    WriteOffGiven,
)
from service.api.schemas.requests import ChainRequestShown
from service.api.values import read_region
from service.application import emergency
from service.application.approvals import action_status_view
from service.application.lane import lane_view
from service.application.requests import request_view
from service.approvals import grants
from service.approvals.models import ActionKind
from service.errors import AlreadyExists, ChainRefused, Conflict, NotFound
from service.payouts.models import ChainRequest

router = APIRouter(prefix="/emergency", tags=["emergency"])

GrantIdPath = Annotated[
    str, Path(pattern=r"^0x[0-9a-f]{64}$", description="The grant's id.", examples=[HASH])
]
RegionQuery = Annotated[str | None, Query(max_length=6, examples=["510722"])]
OfficerQuery = Annotated[int | None, Query(ge=1, le=2**32 - 1, examples=[3])]

_NAMES = {
    "per_grant_base_units": "perGrant",
    "per_officer_base_units": "perOfficer",
    "outstanding_base_units": "outstanding",
    "countersign_window_s": "countersignWindow",
    "per_county_base_units": "perCounty",
    "per_city_base_units": "perCity",
    "per_province_base_units": "perProvince",
    "country_base_units": "country",
    "county_overdue_base_units": "countyOverdue",
    "city_overdue_base_units": "cityOverdue",
    "province_overdue_base_units": "provinceOverdue",
}
"""The contract's names of the limits, by ours."""


@router.post(
    "/grants",
    status_code=201,
    response_model=GrantShown,
    responses=writes(NotFound, Conflict, AlreadyExists, ChainRefused, *CHAIN),
)
def propose_grant(given: GrantGiven, command: CommandDep) -> Response:
    """Propose a grant; its officer signs the action of the same id, and the worker sends it.

    Refused in words when the lane would refuse it as things are.
    """
    app = command.application

    def work(session: Session) -> Reply:
        amount = given.amount_base_units
        terms = emergency.grant_terms(
            session,
            case=given.case,
            payee=given.payee,
            amount_base_units=None if amount is None else int(amount),
            region=None if given.region is None else read_region(given.region),
            reason=given.reason,
        )
        row = emergency.grant(
            app,
            session,
            terms,
            officer_id=given.officer_id,
            valid_until=given.valid_until,
            actor=command.actor,
            reason=given.reason,
        )
        shown = GrantShown.model_validate(emergency.grant_view(session, row, clock=app.chain_clock))
        return Reply(shown, 201, {"Location": f"/v1/emergency/grants/{row.id}"})

    return command.run(work)


@router.get("/grants", responses=reads())
def list_grants(
    call: CallDep,
    paging: PagingQuery,
    *,
    state: Annotated[
        str | None,
        Query(
            max_length=20,
            description="`proposed`, `outstanding`, `overdue`, `countersigned`, `written_off` or "
            "`expired`.",
            examples=["overdue"],
        ),
    ] = None,
    officer_id: OfficerQuery = None,
    region: RegionQuery = None,
) -> GrantPage:
    """List emergency grants, by id."""
    clock = call.application.chain_clock
    with call.read() as session:
        page = grants.list_grants(
            session,
            state=state,
            officer_id=officer_id,
            region=None if region is None else read_region(region),
            limit=paging.limit,
            cursor=paging.key,
            clock=clock,
        )
        items = [
            GrantShown.model_validate(emergency.grant_view(session, row, clock=clock))
            for row in page.items
        ]
    return GrantPage(items=items, next_cursor=paging.next_cursor(page.next_cursor))


@router.get("/grants/{grant_id}", responses=reads(NotFound))
def show_grant(call: CallDep, grant_id: GrantIdPath) -> GrantShown:
    """Show a grant: where it stands, until when it must be countersigned, and by whom."""
    clock = call.application.chain_clock
    with call.read() as session:
        row = grants.get_grant(session, grant_id)
        return GrantShown.model_validate(emergency.grant_view(session, row, clock=clock))


@router.post(
    "/grants/{grant_id}/countersign",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(*STEP, *CHAIN),
)
def countersign_grant(
    grant_id: GrantIdPath, given: CountersignatureGiven, command: CommandDep
) -> Response:
    """Propose to countersign a grant: one reviewer of its region signs, not who granted."""

    def work(session: Session) -> Reply:
        message = emergency.countersignature_message(grants.get_grant(session, grant_id))
        return proposed(command, session, ActionKind.GRANT_COUNTERSIGNATURE, message, given)

    return command.run(work)


@router.post(
    "/grants/{grant_id}/write-off",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(*STEP, *CHAIN),
)
def write_off_grant(grant_id: GrantIdPath, given: WriteOffGiven, command: CommandDep) -> Response:
    """Propose to write off a grant that nobody will countersign; governors sign."""
    message = {"grantId": grant_id}
    return command.run(
        lambda session: proposed(command, session, ActionKind.GRANT_WRITE_OFF, message, given)
    )


# ---- Limits ------------------------------------------------------------------------------------


@router.get("/limits", responses=reads(*CHAIN))
def show_limits(
    call: CallDep, *, region: RegionQuery = None, officer_id: OfficerQuery = None
) -> LaneShown:
    """Show the lane's limits and what is left of each now, also of a region and an officer."""
    place = None if region is None else read_region(region)
    return LaneShown.model_validate(
        lane_view(call.application, region=place, officer_id=officer_id)
    )


@router.post(
    "/limits",
    status_code=202,
    response_model=LimitsChangeShown,
    responses=writes(AlreadyExists, *CHAIN),
)
def change_limits(given: LimitsGiven, command: CommandDep) -> Response:
    """Lower limits at once by the treasurer's key, or plan higher ones for governors to sign."""
    changes = {
        name: int(value)
        for ours, name in _NAMES.items()
        if (value := getattr(given, ours)) is not None
    }

    def work(session: Session) -> Reply:
        message, raising = emergency.changed_limits(command.application, changes)
        if raising:
            return _to_sign(command, session, ActionKind.LIMITS_RAISE, message, given)
        return _to_send(
            emergency.ask_to_lower_limits(
                session, message, actor=command.actor, reason=given.reason
            )
        )

    return command.run(work)


@router.post(
    "/limits/apply",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(Conflict, *CHAIN),
)
def apply_limits(command: CommandDep) -> Response:
    """Ask that planned limits be applied, two days after governors signed them."""
    return command.run(
        lambda session: accepted(
            emergency.ask_to_apply_limits(command.application, session, actor=command.actor)
        )
    )


@router.post(
    "/region-caps",
    status_code=202,
    response_model=LimitsChangeShown,
    responses=writes(AlreadyExists, *CHAIN),
)
def change_region_cap(given: RegionCapGiven, command: CommandDep) -> Response:
    """Give a region a cap of its own: lower at once, higher by governors."""
    place, cap = read_region(given.region), int(given.cap_base_units)

    def work(session: Session) -> Reply:
        if emergency.raises_region_cap(command.application, place, cap):
            message = emergency.region_cap_message(place, cap)
            return _to_sign(command, session, ActionKind.REGION_CAP_RAISE, message, given)
        return _to_send(
            emergency.ask_to_lower_region_cap(
                session, place, cap, actor=command.actor, reason=given.reason
            )
        )

    return command.run(work)


@router.post(
    "/region-caps/apply",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(Conflict, *CHAIN),
)
def apply_region_cap(given: PlannedCapGiven, command: CommandDep) -> Response:
    """Ask that a region's planned cap be applied, two days after governors signed it."""
    place = read_region(given.region)
    return command.run(
        lambda session: accepted(
            emergency.ask_to_apply_region_cap(
                command.application, session, place, actor=command.actor
            )
        )
    )


def _to_sign(
    command: Command, session: Session, kind: ActionKind, message: dict[str, Any], given: Proposal
) -> Reply:
    action = propose_action(command, session, kind, message, given)
    shown = action_status_view(command.application, session, action)
    return Reply(
        LimitsChangeShown.model_validate({"action": shown, "request": None}),
        202,
        {"Location": f"/v1/actions/{action.id}"},
    )


def _to_send(request: ChainRequest) -> Reply:
    return Reply(
        LimitsChangeShown.model_validate({"action": None, "request": request_view(request)}),
        202,
        {"Location": f"/v1/requests/{request.id}"},
    )
