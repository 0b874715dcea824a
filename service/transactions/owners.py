"""Whom a transaction is for: a refusal is written where people look for it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from service.approvals.models import QuorumAction
from service.payouts.models import Batch, ChainRequest


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
