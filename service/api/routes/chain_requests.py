"""Requests for transactions: what became of what was asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import select

from service.api.answers import reads
from service.api.calls import CallDep
from service.api.pagination import PagingQuery
from service.api.schemas.requests import ChainRequestPage, ChainRequestShown
from service.application.requests import get_request, request_view
from service.errors import NotFound
from service.payouts.models import ChainRequest
from service.payouts.states import RequestState

router = APIRouter(prefix="/requests", tags=["requests"])


@router.get("", responses=reads())
def list_requests(
    call: CallDep,
    paging: PagingQuery,
    *,
    state: Annotated[RequestState | None, Query(examples=["failed"])] = None,
) -> ChainRequestPage:
    """List requests for transactions, newest first."""
    statement = select(ChainRequest).order_by(ChainRequest.id.desc()).limit(paging.limit + 1)
    if state is not None:
        statement = statement.where(ChainRequest.state == state.value)
    if (last := paging.number_key()) is not None:
        statement = statement.where(ChainRequest.id < last)
    with call.read() as session:
        found = session.scalars(statement).all()
    page = found[: paging.limit]
    key = str(page[-1].id) if len(found) > paging.limit else None
    return ChainRequestPage(
        items=[ChainRequestShown.model_validate(request_view(row)) for row in page],
        next_cursor=paging.next_cursor(key),
    )


@router.get("/{request_id}", responses=reads(NotFound))
def show_request(
    call: CallDep, request_id: Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
) -> ChainRequestShown:
    """Show a request for a transaction."""
    with call.read() as session:
        return ChainRequestShown.model_validate(request_view(get_request(session, request_id)))
