"""The ledger: balances and entries."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from service.api.answers import reads
from service.api.calls import CallDep
from service.api.pagination import PagingQuery
from service.api.schemas.base import BATCH_ID
from service.api.schemas.money import AccountShown, BalancesShown, EntryPage, EntryShown
from service.application.ledger import account_views, entry_view
from service.ledger.models import LedgerEntry
from service.ledger.posting import check_account

router = APIRouter(prefix="/ledger", tags=["ledger"])


@router.get("/balances", responses=reads())
def ledger_balances(call: CallDep) -> BalancesShown:
    """Show every account's balance, debits less credits; they sum to zero."""
    with call.read() as session:
        items = account_views(session)
    return BalancesShown(items=[AccountShown.model_validate(item) for item in items])


@router.get("/entries", responses=reads())
def ledger_entries(
    call: CallDep,
    paging: PagingQuery,
    *,
    account: Annotated[str | None, Query(max_length=32, examples=["circulating"])] = None,
    batch_id: Annotated[str | None, Query(pattern=r"^0x[0-9a-f]{64}$", examples=[BATCH_ID])] = None,
) -> EntryPage:
    """List entries in the order they were posted; the ledger posts what is final."""
    statement = select(LedgerEntry).order_by(LedgerEntry.id).limit(paging.limit + 1)
    if account is not None:
        statement = statement.where(LedgerEntry.account == account)
    if batch_id is not None:
        statement = statement.where(LedgerEntry.batch_id == batch_id)
    if (last := paging.number_key()) is not None:
        statement = statement.where(LedgerEntry.id > last)
    with call.read() as session:
        if account is not None:
            check_account(session, account)
        found = session.scalars(statement).all()
    page = found[: paging.limit]
    key = str(page[-1].id) if len(found) > paging.limit else None
    return EntryPage(
        items=[EntryShown.model_validate(entry_view(row)) for row in page],
        next_cursor=paging.next_cursor(key),
    )
