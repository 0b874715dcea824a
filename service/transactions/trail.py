"""What is told of a transaction at each step of its way, once the step is committed.

A line and a count a transaction, so the cost is that of a chunk, never of a payout. Every line has
the same names for the same ids: from a batch's id all of its way can be found.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.telemetry.logs import after_commit, note_after_commit
from service.telemetry.metrics import CONFIRMATION_SECONDS, GAS_SPENT, GAS_USED, count_step
from service.transactions.dbclock import read_now_ms
from service.transactions.models import Transaction, TransactionAttempt

log = logging.getLogger(__name__)

FACTS = (
    Transaction.id,
    Transaction.kind,
    Transaction.batch_id,
    Transaction.chunk_index,
    Transaction.action_id,
    Transaction.request_id,
    Transaction.sender,
    Transaction.nonce,
    Transaction.mined_tx_hash,
    Transaction.asked_by_request,
)
"""Columns that a statement which moves many rows returns, to tell of each."""

_MS_A_SECOND = 1000


def came_to(
    session: Session,
    row: Any,
    step: str,
    level: int = logging.INFO,
    **facts: Any,
) -> None:
    """Tell that a transaction came to a step.

    Parameters
    ----------
    row
        The transaction, or its :data:`FACTS`.
    """
    kind = row.kind
    note_after_commit(session, log, step, level, **(_ids(row) | facts))
    after_commit(session, lambda: count_step(kind, step))


def _ids(row: Any) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "batch": row.batch_id,
        "chunk": row.chunk_index,
        "action": row.action_id,
        "chain_request": row.request_id,
        "transaction": row.id,
        "lane": row.sender,
        "nonce": row.nonce,
        "request_id": row.asked_by_request,
    }


def signed(session: Session, row: Transaction, n: int, purpose: str, tx_hash: str) -> None:
    """Tell of signed bytes: the first, or those that take the place of others."""
    fill = purpose == "fill" or None
    came_to(session, row, "replaced" if n else "signed", tx_hash=tx_hash, attempt=n, fill=fill)


def refused(session: Session, row: Transaction, words: str) -> None:
    """Tell that the node, or a contract, would not have it; it got no nonce."""
    came_to(session, row, "refused", logging.WARNING, detail=words)


def not_taken(session: Session, row: Transaction, tx_hash: str, words: str) -> None:
    """Tell that the node did not take signed bytes; they keep their nonce."""
    came_to(session, row, "not_taken", logging.WARNING, tx_hash=tx_hash, detail=words)


def mined(session: Session, row: Transaction, took_s: float | None) -> None:
    """Tell how it was mined, and how many seconds after it was first sent."""
    level = logging.WARNING if row.state == "reverted" else logging.INFO
    came_to(
        session,
        row,
        row.state,
        level,
        tx_hash=row.mined_tx_hash,
        block=row.block_number,
        after_s=took_s,
        detail=row.error,
    )
    if took_s is not None:
        after_commit(session, partial(CONFIRMATION_SECONDS.labels("included").observe, took_s))


def cost(session: Session, row: Transaction, receipt: Mapping[str, Any]) -> None:
    """Tell what it cost, by its receipt."""
    kind, gas = row.kind, row.gas_used or 0
    wei = gas * int(receipt.get("effectiveGasPrice") or "0x0", 16)
    note_after_commit(session, log, "cost", **(_ids(row) | {"gas": gas, "wei": wei}))

    def count() -> None:
        GAS_USED.labels(kind).inc(gas)
        GAS_SPENT.labels(kind).inc(wei)

    after_commit(session, count)


def final(session: Session, rows: Sequence[Any]) -> None:
    """Tell of transactions whose block can no longer leave the chain.

    Parameters
    ----------
    rows
        Their :data:`FACTS`.
    """
    if not rows:
        return
    attempts = session.execute(
        select(TransactionAttempt.transaction_id, func.min(TransactionAttempt.first_sent_unix_ms))
        .where(TransactionAttempt.transaction_id.in_([row.id for row in rows]))
        .group_by(TransactionAttempt.transaction_id)
    )
    sent = {row_id: first_sent_unix_ms for row_id, first_sent_unix_ms in attempts}  # noqa: C416
    now_ms = read_now_ms(session)
    for row in rows:
        since = sent.get(row.id)
        took_s = None if since is None else max(0, now_ms - since) / _MS_A_SECOND
        came_to(session, row, "final", tx_hash=row.mined_tx_hash, after_s=took_s)
        if took_s is not None:
            observe = CONFIRMATION_SECONDS.labels("final").observe
            after_commit(session, partial(observe, took_s))
