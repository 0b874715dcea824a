"""Streams: list, show, pay what accrued, propose to cut one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.pagination import PagingQuery
from service.api.routes.batches import BatchIdPath
from service.api.routes.officers import proposed
from service.api.routes.payouts import IndexPath, accepted
from service.api.schemas.actions import ActionStatusShown, StreamCancellationGiven
from service.api.schemas.base import BATCH_ID
from service.api.schemas.money import StreamPage, StreamShown
from service.api.schemas.requests import ChainRequestShown
from service.api.values import programme_number
from service.application.payouts import stream_view
from service.approvals.models import ActionKind
from service.errors import Conflict, NotFound
from service.payouts import streams

router = APIRouter(tags=["streams"])


@router.get("/streams", responses=reads(NotFound))
def list_streams(
    call: CallDep,
    paging: PagingQuery,
    *,
    batch_id: Annotated[str | None, Query(pattern=r"^0x[0-9a-f]{64}$", examples=[BATCH_ID])] = None,
    programme: Annotated[
        str | None, Query(description="Code or number.", examples=["flood-2026"])
    ] = None,
    payee: Annotated[
        str | None, Query(max_length=42, description="Paid to this EIP-55 address.")
    ] = None,
) -> StreamPage:
    """List open streams, by batch and index."""
    clock = call.application.chain_clock
    with call.read() as session:
        page = streams.list_streams(
            session,
            batch_id=batch_id,
            programme_id=programme_number(session, programme),
            payee=payee,
            limit=paging.limit,
            cursor=paging.key,
            clock=clock,
        )
        items = [StreamShown.model_validate(stream_view(view, clock.source)) for view in page.items]
    return StreamPage(items=items, next_cursor=paging.next_cursor(page.next_cursor))


@router.get("/streams/{batch_id}/{index}", responses=reads(NotFound))
def show_stream(call: CallDep, batch_id: BatchIdPath, index: IndexPath) -> StreamShown:
    """Show a stream as it stands by the chain's time."""
    clock = call.application.chain_clock
    with call.read() as session:
        view = streams.get_stream(session, batch_id, index, clock=clock)
        return StreamShown.model_validate(stream_view(view, clock.source))


@router.post(
    "/streams/{batch_id}/{index}/withdraw",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def withdraw_stream(batch_id: BatchIdPath, index: IndexPath, command: CommandDep) -> Response:
    """Ask that a stream be paid what it has accrued, to its recorded payee."""
    clock = command.application.chain_clock
    return command.run(
        lambda session: accepted(
            streams.request_withdraw(session, batch_id, index, actor=command.actor, clock=clock)
        )
    )


@router.post(
    "/streams/{batch_id}/{index}/cancel",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def cancel_stream(
    batch_id: BatchIdPath, index: IndexPath, given: StreamCancellationGiven, command: CommandDep
) -> Response:
    """Propose to cut a stream: what accrued stays the payee's. A quorum of reviewers signs."""

    def work(session: Session) -> Reply:
        masks = streams.cancellation_masks(session, batch_id, [index])
        ((chunk_index, (low, high)),) = masks.items()
        message = {
            "batchId": batch_id,
            "chunkIndex": chunk_index,
            "maskLow": low,
            "maskHigh": high,
        }
        return proposed(command, session, ActionKind.STREAM_CANCELLATION, message, given)

    return command.run(work)
