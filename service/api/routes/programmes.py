"""Programmes: propose, list, show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, STEP, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import Command, CommandDep, Reply
from service.api.pagination import PagingQuery, by_number
from service.api.routes.officers import DEFAULT_DEADLINE
from service.api.schemas.actions import ProgrammeCancellationGiven
from service.api.schemas.batches import ReasonGiven
from service.api.schemas.programmes import (
    ProgrammeCancelledShown,
    ProgrammeGiven,
    ProgrammePage,
    ProgrammeShown,
    ProgrammeStatusShown,
    ProgrammeStepShown,
)
from service.api.values import named_programme, read_region, unix_s
from service.application.programmes import (
    cancel_batches,
    outcome_view,
    programme_journal,
    programme_step_view,
    programme_view,
)
from service.errors import AlreadyExists, NotFound
from service.payouts.models import Programme
from service.payouts.programmes import (
    Tier,
    create_programme,
    list_programmes,
    pause_programme,
    resume_programme,
)

router = APIRouter(tags=["programmes"])

ProgrammePath = Annotated[
    str, Path(description="Code or number.", max_length=64, examples=["flood-2026"])
]


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
def show_programme(call: CallDep, programme: ProgrammePath) -> ProgrammeStatusShown:
    """Show a programme: what of its batches is on its way, who paused it, and why."""
    with call.read() as session:
        row = named_programme(session, programme)
        shown = programme_step_view(session, row) | {"journal": programme_journal(session, row)}
        return ProgrammeStatusShown.model_validate(shown)


@router.post(
    "/programmes/{programme}/pause",
    response_model=ProgrammeStepShown,
    responses=writes(*STEP, *CHAIN),
)
def pause(programme: ProgrammePath, given: ReasonGiven, command: CommandDep) -> Response:
    """Stop sending for every batch of a programme, those built later too.

    The chain knows nothing of it: a guardian pauses the vault. Nothing is signed from then on; what
    went out before (`in_flight`) may still be mined.
    """
    return _step(command, programme, given, pause_programme)


@router.post(
    "/programmes/{programme}/resume",
    response_model=ProgrammeStepShown,
    responses=writes(*STEP, *CHAIN),
)
def resume(programme: ProgrammePath, given: ReasonGiven, command: CommandDep) -> Response:
    """Go on with a paused programme; batches that were paused themselves stay so."""
    return _step(command, programme, given, resume_programme)


def _step(
    command: Command, programme: str, given: ReasonGiven, step: Callable[..., Programme]
) -> Response:
    clock = command.application.chain_clock

    def work(session: Session) -> Reply:
        row = named_programme(session, programme)
        step(session, row, actor=command.actor, reason=given.reason, clock=clock)
        return Reply(ProgrammeStepShown.model_validate(programme_step_view(session, row)))

    return command.run(work)


@router.post(
    "/programmes/{programme}/cancel",
    response_model=ProgrammeCancelledShown,
    responses=writes(*STEP, *CHAIN),
)
def cancel(
    programme: ProgrammePath, given: ProgrammeCancellationGiven, command: CommandDep
) -> Response:
    """Pause a programme and cancel each batch of which something is left, as far as it can be.

    What was not released is cancelled here; for what is on chain an action is proposed, a batch
    each, which a quorum of reviewers signs. Calling it again proposes nothing twice.
    """
    app = command.application

    def work(session: Session) -> Reply:
        row = named_programme(session, programme)
        deadline = given.deadline or app.chain_clock.now() + DEFAULT_DEADLINE
        outcomes = cancel_batches(
            app,
            session,
            row,
            deadline_unix_s=unix_s(deadline),
            actor=command.actor,
            reason=given.reason,
        )
        shown = {
            "programme": programme_step_view(session, row),
            "batches": [outcome_view(outcome) for outcome in outcomes],
        }
        return Reply(ProgrammeCancelledShown.model_validate(shown))

    return command.run(work)
