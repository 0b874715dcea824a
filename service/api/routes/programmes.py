"""Programmes: propose, list, show."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from service.api.answers import reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.pagination import PagingQuery, by_number
from service.api.schemas.programmes import ProgrammeGiven, ProgrammePage, ProgrammeShown
from service.api.values import named_programme, read_region
from service.application.programmes import programme_view
from service.errors import AlreadyExists, NotFound
from service.payouts.programmes import Tier, create_programme, list_programmes

router = APIRouter(tags=["programmes"])


@router.post(
    "/programmes",
    status_code=201,
    response_model=ProgrammeShown,
    responses=writes(AlreadyExists),
)
def propose_programme(given: ProgrammeGiven, command: CommandDep) -> Response:
    """Propose a programme; the worker sends it, and it is in force two days later."""

    def work(session: Session) -> Reply:
        scope = read_region(given.region)
        row = create_programme(
            session,
            code=given.code,
            name=given.name,
            region_code=scope.code,
            region_digits=scope.digits,
            budget_base_units=int(given.budget_base_units),
            payout_cap_base_units=int(given.payout_cap_base_units),
            tiers=[
                Tier(int(tier.up_to_base_units), tier.reviewers, tier.challenge_delay_s)
                for tier in given.tiers
            ],
            actor=command.actor,
            programme_id=given.number,
            metadata_hash=given.metadata_hash,
        )
        shown = ProgrammeShown.model_validate(programme_view(row))
        return Reply(shown, 201, {"Location": f"/v1/programmes/{row.id}"})

    return command.run(work)


@router.get("/programmes", responses=reads())
def list_all_programmes(call: CallDep, paging: PagingQuery) -> ProgrammePage:
    """List the programmes, by number."""
    with call.read() as session:
        page, key = by_number(list_programmes(session), lambda row: row.id, paging)
        items = [ProgrammeShown.model_validate(programme_view(row)) for row in page]
    return ProgrammePage(items=items, next_cursor=paging.next_cursor(key))


@router.get("/programmes/{programme}", responses=reads(NotFound))
def show_programme(
    call: CallDep,
    programme: Annotated[
        str, Path(description="Code or number.", max_length=64, examples=["flood-2026"])
    ],
) -> ProgrammeShown:
    """Show a programme."""
    with call.read() as session:
        return ProgrammeShown.model_validate(programme_view(named_programme(session, programme)))
