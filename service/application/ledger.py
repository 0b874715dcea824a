"""The ledger's accounts, their newest entries, and whether they agree with the chain."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.context import Application
from service.confirmations.models import Cursor
from service.ledger.models import LedgerAccount, LedgerEntry
from service.ledger.posting import LEDGER_CURSOR
from service.ledger.reconcile import balances, reconcile
from service.units import amounts


def account_views(session: Session) -> list[dict[str, Any]]:
    """Return every account with its balance, debits less credits, for JSON."""
    held = balances(session)
    codes = session.scalars(select(LedgerAccount.code).order_by(LedgerAccount.code))
    return [{"account": code, **amounts(balance=held.get(code, 0))} for code in codes]


def entry_view(entry: LedgerEntry) -> dict[str, Any]:
    """Return one side of a posting, for JSON."""
    return {
        "id": entry.id,
        "posting_id": entry.posting_id,
        "account": entry.account,
        "side": entry.side,
        **amounts(amount=entry.amount),
        "event": entry.event_name,
        "batch_id": entry.batch_id,
        "block_number": entry.block_number,
        "tx_hash": entry.tx_hash,
    }


def ledger_view(
    session: Session, *, account: str | None = None, entries: int = 20
) -> dict[str, Any]:
    """Return the accounts with their balances, and the newest entries, for JSON.

    Parameters
    ----------
    account
        Only this account and its entries.
    entries
        Most entries to return.
    """
    statement = select(LedgerEntry).order_by(LedgerEntry.id.desc()).limit(entries)
    if account is not None:
        statement = statement.where(LedgerEntry.account == account)
    return {
        "accounts": [view for view in account_views(session) if account in (None, view["account"])],
        "entries": [entry_view(entry) for entry in session.scalars(statement)],
    }


def reconciliation(app: Application, session: Session) -> dict[str, Any]:
    """Compare the ledger with the contracts' views at the last block posted, for JSON.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    cursor = session.get(Cursor, (app.deployment.chain_id, LEDGER_CURSOR))
    differences = reconcile(session, app.rpc, app.contracts)
    return {
        "agrees": not differences,
        "block_number": cursor.block_number if cursor else None,
        "differences": [
            {
                "what": difference.what,
                **amounts(ledger=difference.ledger_base_units, chain=difference.chain_base_units),
            }
            for difference in differences
        ],
    }
