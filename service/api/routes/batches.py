"""Batches: build, list, show, sign, release, pause, resume, cancel, pay out their streams."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, STEP, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.pagination import PagingQuery
from service.api.routes.officers import propose_action
from service.api.schemas.actions import BatchCancellationGiven, CancellationShown
from service.api.schemas.base import BATCH_ID, amounts
from service.api.schemas.batches import (
    ApprovalShown,
    BatchGiven,
    BatchPage,
    BatchShown,
    BatchStatusShown,
    BuiltShown,
    JournalShown,
    ReasonGiven,
    SignatureGiven,
    SignatureShown,
    TypedDataShown,
    batch_members,
)
from service.api.schemas.requests import ChainRequestShown, ChainRequestsShown
from service.api.values import (
    invalid,
    known_import,
    named_programme,
    programme_number,
    read_region,
    unix_s,
)
from service.application.approvals import record_batch_signature
from service.application.batches import refuse_unknown_batches
from service.approvals.models import ActionKind
from service.approvals.service import signatures_of, typed_data
from service.cases import CaseFilter
from service.clock import Clock
from service.errors import (
    Conflict,
    IllegalTransition,
    IntegrityError,
    InvalidSignature,
    LimitExceeded,
    NotFound,
)
from service.payouts import journal, service
from service.payouts.directory import region_of
from service.payouts.models import Batch, Programme
from service.payouts.states import BatchState
from service.payouts.streams import request_withdraw_all
from service.regions import Region
from service.units import format_amount

router = APIRouter(tags=["batches"])

DEFAULT_EXECUTION = timedelta(days=30)

BatchIdPath = Annotated[
    str, Path(pattern=r"^0x[0-9a-f]{64}$", description="The batch's id.", examples=[BATCH_ID])
]


@router.post(
    "/batches",
    status_code=201,
    response_model=BuiltShown,
    responses=writes(*STEP, LimitExceeded, *CHAIN),
)
def build_batches(given: BatchGiven, command: CommandDep) -> Response:
    """Put the approved cases that are in no batch yet into draft batches.

    Streams make one batch for each start and duration. The manifests are written before anybody
    is asked to sign.
    """
    app = command.application

    def work(session: Session) -> Reply:
        clock = app.chain_clock
        programme = named_programme(session, given.programme)
        before = given.execute_before or clock.now() + DEFAULT_EXECUTION
        refuse_unknown_batches(session)
        batches = service.build_batches(
            session,
            programme=programme,
            kind=given.kind,
            region=_region(given, programme),
            maker_officer_id=given.maker_officer_id,
            execute_before_unix_s=unix_s(before),
            expires_at_unix_s=unix_s(given.expires_at) if given.expires_at else None,
            actor=command.actor,
            chunk_size=given.chunk_size,
            cliff_s=given.cliff_s,
            cadence_s=given.cadence_s,
            case_filter=CaseFilter(import_id=known_import(session, given.import_id)),
            manifests_dir=app.settings.resolved_manifests_dir,
            clock=clock,
        )
        total = sum(batch.total_base_units for batch in batches)
        shown = BuiltShown(
            batches=[BatchShown.of(batch) for batch in batches],
            count=sum(batch.count for batch in batches),
            **amounts(total=total),
        )
        return Reply(shown, 201, {"Location": f"/v1/batches/{batches[0].id}"})

    return command.run(work)


def _region(given: BatchGiven, programme: Programme) -> Region:
    if given.region is not None:
        return read_region(given.region)
    if programme.region_digits == 0:
        raise invalid("region", "the programme is for the whole country: say which region", "")
    return region_of(programme.region_code, programme.region_digits)


@router.get("/batches", responses=reads(NotFound))
def list_batches(
    call: CallDep,
    paging: PagingQuery,
    *,
    programme: Annotated[
        str | None, Query(description="Code or number.", examples=["flood-2026"])
    ] = None,
    state: Annotated[BatchState | None, Query(examples=["draft"])] = None,
) -> BatchPage:
    """List batches, oldest first."""
    with call.read() as session:
        page = service.list_batches(
            session,
            programme_id=programme_number(session, programme),
            state=state,
            limit=paging.limit,
            cursor=paging.key,
        )
        items = [BatchShown.of(row) for row in page.items]
    return BatchPage(items=items, next_cursor=paging.next_cursor(page.next_cursor))


@router.get("/batches/{batch_id}", responses=reads(NotFound))
def show_batch(call: CallDep, batch_id: BatchIdPath) -> BatchStatusShown:
    """Show a batch: what of it is paid, sent, skipped or stuck, and why; who signed it."""
    clock: Clock = call.application.chain_clock
    with call.read() as session:
        status = service.batch_status(session, batch_id, clock=clock)
        return BatchStatusShown.model_validate(
            batch_members(status.batch)
            | {
                "payouts": [
                    {
                        "state": state.value,
                        "count": sums.count,
                        "amount": format_amount(sums.amount_base_units),
                        "amount_base_units": str(sums.amount_base_units),
                    }
                    for state, sums in status.payouts.items()
                ],
                "chunks": {state.value: count for state, count in status.chunks.items()},
                "stuck": [
                    {"code": stuck.code, "message": stuck.message, "count": stuck.count}
                    for stuck in status.stuck
                ],
                "signatures": [SignatureShown.of(row) for row in signatures_of(session, batch_id)],
                "journal": [
                    JournalShown.of(row) for row in journal.history(session, "batch", batch_id)
                ],
            }
        )


@router.get(
    "/batches/{batch_id}/typed-data",
    responses=reads(NotFound, Conflict, IllegalTransition, IntegrityError, *CHAIN),
)
def batch_typed_data(call: CallDep, batch_id: BatchIdPath) -> TypedDataShown:
    """Give the EIP-712 document that officers' wallets sign to approve a batch.

    From then on signatures may exist: the manifest is made durable first, and a batch that is
    cancelled holds its cases until no signature can be used any more.
    """
    app = call.application
    domain = app.signing_domain
    with app.transaction() as session:
        document = typed_data(
            session,
            batch_id,
            domain,
            manifests_dir=app.settings.resolved_manifests_dir,
            clock=app.chain_clock,
        )
    return TypedDataShown.model_validate(document)


@router.post(
    "/batches/{batch_id}/signatures",
    status_code=201,
    response_model=ApprovalShown,
    responses=writes(*STEP, InvalidSignature, IntegrityError, *CHAIN),
)
def sign_batch(batch_id: BatchIdPath, given: SignatureGiven, command: CommandDep) -> Response:
    """Hand in an officer's signature; with the maker's and enough reviewers' it is approved.

    The contract checks all of them again.
    """

    def work(session: Session) -> Reply:
        status = record_batch_signature(
            command.application,
            session,
            service.get_batch(session, batch_id),
            given.signature,
            actor=command.actor,
            officer_id=given.officer_id,
        )
        return Reply(ApprovalShown.of(status), 201, {"Location": f"/v1/batches/{batch_id}"})

    return command.run(work)


@router.post(
    "/batches/{batch_id}/release", response_model=BatchShown, responses=writes(*STEP, *CHAIN)
)
def release_batch(batch_id: BatchIdPath, command: CommandDep) -> Response:
    """Hand an approved batch to the worker, which pays it."""
    clock = command.application.chain_clock
    return command.run(
        lambda session: _batch(service.release(session, batch_id, actor=command.actor, clock=clock))
    )


@router.post("/batches/{batch_id}/pause", response_model=BatchShown, responses=writes(*STEP))
def pause_batch(batch_id: BatchIdPath, given: ReasonGiven, command: CommandDep) -> Response:
    """Stop sending for a batch. The chain knows nothing of it: a guardian pauses the vault."""
    return command.run(
        lambda session: _batch(
            service.pause(session, batch_id, actor=command.actor, reason=given.reason)
        )
    )


@router.post("/batches/{batch_id}/resume", response_model=BatchShown, responses=writes(*STEP))
def resume_batch(batch_id: BatchIdPath, given: ReasonGiven, command: CommandDep) -> Response:
    """Go on with a paused batch."""
    return command.run(
        lambda session: _batch(
            service.resume(session, batch_id, actor=command.actor, reason=given.reason)
        )
    )


def _batch(batch: Batch) -> Reply:
    return Reply(BatchShown.of(batch))


@router.post(
    "/batches/{batch_id}/cancel",
    response_model=CancellationShown,
    responses=writes(*STEP, *CHAIN),
)
def cancel_batch(
    batch_id: BatchIdPath, given: BatchCancellationGiven, command: CommandDep
) -> Response:
    """Give up a batch that was not released, or propose to cancel one that is on chain.

    On chain only a quorum of reviewers cancels: sign the action that `action_id` names. A batch of
    which nothing is left to run is refused.
    """

    def work(session: Session) -> Reply:
        batch = service.get_batch(session, batch_id)
        if not service.cancelled_by_quorum(session, batch):
            batch = service.cancel_draft(
                session, batch_id, actor=command.actor, reason=given.reason
            )
            return Reply(CancellationShown(batch_id=batch.id, state=batch.state, action_id=None))
        message = {"batchId": batch.id}
        action = propose_action(command, session, ActionKind.BATCH_CANCELLATION, message, given)
        shown = CancellationShown(batch_id=batch.id, state=batch.state, action_id=action.id)
        return Reply(shown, headers={"Location": f"/v1/actions/{action.id}"})

    return command.run(work)


@router.post(
    "/batches/{batch_id}/withdraw",
    status_code=202,
    response_model=ChainRequestsShown,
    responses=writes(NotFound, Conflict),
)
def withdraw_batch(batch_id: BatchIdPath, command: CommandDep) -> Response:
    """Ask that every stream of a batch be paid what it has accrued; one request a chunk."""

    def work(session: Session) -> Reply:
        asked = request_withdraw_all(session, batch_id, actor=command.actor)
        return Reply(ChainRequestsShown(items=[ChainRequestShown.of(row) for row in asked]), 202)

    return command.run(work)
