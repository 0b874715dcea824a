"""Batches: build, list, show, sign, release, pause, resume, hold, cancel, pay out streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, STEP, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.pagination import PagingQuery
from service.api.routes.officers import propose_action, proposed
from service.api.schemas.actions import (
    ActionStatusShown,
    BatchCancellationGiven,
    CancellationShown,
    HoldGiven,
)
from service.api.schemas.base import BATCH_ID
from service.api.schemas.batches import (
    MANIFEST,
    ApprovalShown,
    BatchGiven,
    BatchPage,
    BatchShown,
    BatchStatusShown,
    BatchStepShown,
    BuiltShown,
    ReasonGiven,
    SignatureGiven,
    TypedDataShown,
)
from service.api.schemas.requests import ChainRequestShown, ChainRequestsShown
from service.api.values import (
    known_import,
    named_programme,
    programme_number,
    read_region,
    read_signed_with,
)
from service.application.approvals import (
    action_status_view,
    approval_view,
    record_batch_signature,
)
from service.application.batches import batch_step_view, batch_view, build, status_view
from service.application.requests import request_view
from service.approvals.models import ActionKind
from service.approvals.service import typed_data
from service.clock import Clock
from service.errors import (
    Conflict,
    IllegalTransition,
    IntegrityError,
    InvalidSignature,
    LimitExceeded,
    NotFound,
)
from service.payouts import manifests, service
from service.payouts.models import Batch
from service.payouts.states import BatchState
from service.payouts.streams import request_withdraw_all

router = APIRouter(tags=["batches"])


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
        built = build(
            app,
            session,
            named_programme(session, given.programme),
            kind=given.kind,
            region=read_region(given.region) if given.region is not None else None,
            maker_officer_id=given.maker_officer_id,
            execute_before=given.execute_before,
            expires_at=given.expires_at,
            chunk_size=given.chunk_size,
            cliff_s=given.cliff_s,
            cadence_s=given.cadence_s,
            import_id=known_import(session, given.import_id),
            actor=command.actor,
        )
        shown = BuiltShown.model_validate(built)
        return Reply(shown, 201, {"Location": f"/v1/batches/{shown.batches[0].id}"})

    return command.run(work)


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
        items = [BatchShown.model_validate(batch_view(row)) for row in page.items]
    return BatchPage(items=items, next_cursor=paging.next_cursor(page.next_cursor))


@router.get("/batches/{batch_id}", responses=reads(NotFound))
def show_batch(call: CallDep, batch_id: BatchIdPath) -> BatchStatusShown:
    """Show a batch: what of it is paid, sent, skipped or stuck, and why; who signed it."""
    clock: Clock = call.application.chain_clock
    with call.read() as session:
        batch = service.get_batch(session, batch_id)
        return BatchStatusShown.model_validate(status_view(session, batch, clock=clock))


class ManifestResponse(StreamingResponse):
    """A batch's manifest, a megabyte at a time."""

    media_type = "application/x-ndjson"


@router.get(
    "/batches/{batch_id}/manifest",
    response_class=ManifestResponse,
    responses={
        200: {
            "description": "The manifest, one JSON document a line: a header, then the payouts.",
            "content": {
                ManifestResponse.media_type: {"schema": {"type": "string", "examples": [MANIFEST]}}
            },
        },
        **reads(NotFound, IntegrityError),
    },
)
def batch_manifest(call: CallDep, batch_id: BatchIdPath) -> ManifestResponse:
    """Give the list of a batch's payouts whose hash officers sign, byte for byte as it is kept.

    Its Keccak-256 hash is the batch's `manifest_hash`; where the file is missing or was changed,
    nothing is given. It holds no personal data: people are addresses and keyed commitments.
    """
    with call.read() as session:
        batch = service.get_batch(session, batch_id)
    file = manifests.open_signed(call.application.settings.resolved_manifests_dir, batch)
    headers = {
        "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Content-Disposition": f'attachment; filename="{batch_id}{manifests.SUFFIX}"',
    }
    return ManifestResponse(_closing(file), headers=headers)


def _closing(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from manifests.parts_of(file)


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
    domain, clock = app.signing_domain, app.chain_clock
    with app.transaction() as session:
        document = typed_data(
            session,
            batch_id,
            domain,
            manifests_dir=app.settings.resolved_manifests_dir,
            clock=clock,
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
    clock = command.application.chain_clock

    def work(session: Session) -> Reply:
        status = record_batch_signature(
            command.application,
            session,
            service.get_batch(session, batch_id),
            given.signature,
            actor=command.actor,
            clock=clock,
            signed_with=read_signed_with(command.application, given),
            officer_id=given.officer_id,
        )
        shown = ApprovalShown.model_validate(approval_view(status))
        return Reply(shown, 201, {"Location": f"/v1/batches/{batch_id}"})

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


@router.post(
    "/batches/{batch_id}/pause", response_model=BatchStepShown, responses=writes(*STEP, *CHAIN)
)
def pause_batch(batch_id: BatchIdPath, given: ReasonGiven, command: CommandDep) -> Response:
    """Stop sending for a batch. The chain knows nothing of it: a guardian pauses the vault.

    Nothing is signed for it from then on; what went out before (`in_flight`) may still be mined.
    """
    clock = command.application.chain_clock
    return command.run(
        lambda session: _step(
            session,
            service.pause(session, batch_id, actor=command.actor, reason=given.reason, clock=clock),
        )
    )


@router.post(
    "/batches/{batch_id}/resume", response_model=BatchStepShown, responses=writes(*STEP, *CHAIN)
)
def resume_batch(batch_id: BatchIdPath, given: ReasonGiven, command: CommandDep) -> Response:
    """Go on with a paused batch."""
    clock = command.application.chain_clock
    return command.run(
        lambda session: _step(
            session,
            service.resume(
                session, batch_id, actor=command.actor, reason=given.reason, clock=clock
            ),
        )
    )


def _step(session: Session, batch: Batch) -> Reply:
    return Reply(BatchStepShown.model_validate(batch_step_view(session, batch)))


def _batch(batch: Batch) -> Reply:
    return Reply(BatchShown.model_validate(batch_view(batch)))


@router.post(
    "/batches/{batch_id}/hold",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def hold_batch(batch_id: BatchIdPath, given: HoldGiven, command: CommandDep) -> Response:
    """Propose to delay a batch on chain by up to 72 hours. One reviewer signs, once a batch."""
    message = {"batchId": batch_id}
    return command.run(
        lambda session: proposed(command, session, ActionKind.BATCH_HOLD, message, given)
    )


@router.post(
    "/batches/{batch_id}/cancel",
    response_model=CancellationShown,
    responses=writes(*STEP, *CHAIN),
)
def cancel_batch(
    batch_id: BatchIdPath, given: BatchCancellationGiven, command: CommandDep
) -> Response:
    """Give up a batch that was not released, or propose to cancel one that is on chain.

    On chain only a quorum of reviewers cancels: sign the `action`. A batch of which nothing is left
    to run is refused.
    """
    clock = command.application.chain_clock

    def work(session: Session) -> Reply:
        batch = service.get_batch(session, batch_id)
        if not service.cancelled_by_quorum(session, batch):
            batch = service.cancel_draft(
                session,
                batch_id,
                actor=command.actor,
                reason=given.reason,
                clock=clock,
            )
            shown = {"batch": batch_view(batch), "action": None}
            return Reply(CancellationShown.model_validate(shown))
        message = {"batchId": batch.id}
        action = propose_action(command, session, ActionKind.BATCH_CANCELLATION, message, given)
        shown = {
            "batch": batch_view(batch),
            "action": action_status_view(command.application, session, action),
        }
        headers = {"Location": f"/v1/actions/{action.id}"}
        return Reply(CancellationShown.model_validate(shown), headers=headers)

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
        items = [ChainRequestShown.model_validate(request_view(row)) for row in asked]
        return Reply(ChainRequestsShown(items=items), 202)

    return command.run(work)
