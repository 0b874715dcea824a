"""Payouts: list, show, try a skipped one again, hold one, change its wallet."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.orm import Session

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.pagination import PagingQuery
from service.api.routes.batches import BatchIdPath
from service.api.routes.officers import proposed
from service.api.schemas.actions import ActionStatusShown, HoldGiven, WalletChangeGiven
from service.api.schemas.base import BATCH_ID
from service.api.schemas.money import PayoutPage, PayoutShown, PayoutStatusShown
from service.api.schemas.requests import ChainRequestShown, RetryGiven
from service.api.values import programme_number
from service.application.corrections import payout_status_view, wallet_change
from service.application.payouts import payout_view
from service.application.requests import request_view
from service.approvals.models import ActionKind
from service.cases import get_case
from service.errors import Conflict, NotFound
from service.payouts.models import ChainRequest
from service.payouts.queries import PayoutFilter
from service.payouts.queries import get_payout as find_payout
from service.payouts.queries import list_payouts as find_payouts
from service.payouts.service import request_retry
from service.payouts.states import PayoutState

router = APIRouter(tags=["payouts"])

IndexPath = Annotated[
    int, Path(ge=0, le=2**31 - 1, description="Position in the batch, from 0.", examples=[17])
]


@router.get("/payouts", responses=reads(NotFound))
def list_payouts(
    call: CallDep,
    paging: PagingQuery,
    *,
    batch_id: Annotated[str | None, Query(pattern=r"^0x[0-9a-f]{64}$", examples=[BATCH_ID])] = None,
    programme: Annotated[
        str | None, Query(description="Code or number.", examples=["flood-2026"])
    ] = None,
    state: Annotated[PayoutState | None, Query(examples=["skipped"])] = None,
    kind: Annotated[Literal["one_off", "stream"] | None, Query(examples=["one_off"])] = None,
    payee: Annotated[
        str | None, Query(max_length=42, description="Paid to this EIP-55 address.")
    ] = None,
    case_id: Annotated[str | None, Query(max_length=36, description="Of this case only.")] = None,
) -> PayoutPage:
    """List payouts, by batch and index."""
    with call.read() as session:
        wanted = PayoutFilter(
            batch_id=batch_id,
            programme_id=programme_number(session, programme),
            state=state,
            kind=kind,
            payee=payee,
            case_id=None if case_id is None else get_case(session, case_id).id,
        )
        page = find_payouts(session, wanted, limit=paging.limit, cursor=paging.key)
        items = [PayoutShown.model_validate(payout_view(row)) for row in page.items]
    return PayoutPage(items=items, next_cursor=paging.next_cursor(page.next_cursor))


@router.get("/payouts/{batch_id}/{index}", responses=reads(NotFound))
def show_payout(call: CallDep, batch_id: BatchIdPath, index: IndexPath) -> PayoutStatusShown:
    """Show a payout, what of it is unpaid, and whether a reviewer holds it."""
    with call.read() as session:
        found = find_payout(session, batch_id, index)
        return PayoutStatusShown.model_validate(
            payout_status_view(call.application, session, found)
        )


@router.post(
    "/payouts/{batch_id}/{index}/retry",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def retry_payout(
    batch_id: BatchIdPath,
    index: IndexPath,
    command: CommandDep,
    given: RetryGiven = RetryGiven(reason=None),
) -> Response:
    """Ask that a skipped payout be tried again; it stays skipped until the chain paid it.

    The body may be left out, and so may the reason.
    """
    clock = command.application.chain_clock
    return command.run(
        lambda session: accepted(
            request_retry(
                session, batch_id, index, actor=command.actor, reason=given.reason, clock=clock
            )
        )
    )


@router.post(
    "/payouts/{batch_id}/{index}/hold",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def hold_payout(
    batch_id: BatchIdPath, index: IndexPath, given: HoldGiven, command: CommandDep
) -> Response:
    """Propose to delay what is unpaid of a payout by 72 hours. One reviewer signs, once a payout.

    Of a skipped payout or a stream; time for a quorum to change a wallet lost or stolen.
    """
    message = {"batchId": batch_id, "index": index}
    return command.run(
        lambda session: proposed(command, session, ActionKind.ENTRY_HOLD, message, given)
    )


@router.post(
    "/payouts/{batch_id}/{index}/change-wallet",
    status_code=201,
    response_model=ActionStatusShown,
    responses=writes(NotFound, Conflict, *CHAIN),
)
def change_wallet(
    batch_id: BatchIdPath, index: IndexPath, given: WalletChangeGiven, command: CommandDep
) -> Response:
    """Propose to pay what is unpaid of a payout to another wallet. A quorum of reviewers signs.

    A hold of it ends; a skipped payout is then paid by a retry.
    """

    def work(session: Session) -> Reply:
        app = command.application
        message = wallet_change(app, session, batch_id, index, given.to_wallet)
        return proposed(command, session, ActionKind.WALLET_CHANGE, message, given)

    return command.run(work)


def accepted(request: ChainRequest) -> Reply:
    """Return the reply that names a request, which the worker sends."""
    headers = {"Location": f"/v1/requests/{request.id}"}
    return Reply(ChainRequestShown.model_validate(request_view(request)), 202, headers)
