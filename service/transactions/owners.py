"""Whom a transaction is for: a refusal is written where people look for it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from service.approvals.models import QuorumAction
from service.payouts.models import Batch, ChainRequest
from service.transactions.models import Transaction


def tell(
    session: Session,
    words: str,
    *,
    batch_id: str | None = None,
    action_id: str | None = None,
    request_id: str | None = None,
) -> None:
    """Write why it does not go through on the batch, action or request it is for."""
    owners = (
        batch_id and session.get(Batch, batch_id),
        action_id and session.get(QuorumAction, action_id),
        request_id and session.get(ChainRequest, int(request_id)),
    )
    for owner in owners:
        if owner:
            owner.last_error = words


def tell_owner(session: Session, row: Transaction, words: str) -> None:
    """Write why a transaction does not go through on what it is for."""
    tell(
        session,
        words,
        batch_id=row.batch_id,
        action_id=row.action_id,
        request_id=row.request_id,
    )
