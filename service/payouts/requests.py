"""Requests for transactions: rows that the submission engine plans and sends.

Arguments have the contract's own names; 32-byte values and addresses are hexadecimal, amounts are
strings.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.payouts import journal
from service.payouts.models import OPEN_REQUEST_STATES, ChainRequest, RequestKind
from service.payouts.states import RequestState


def ask(
    session: Session,
    kind: RequestKind,
    args: dict[str, Any],
    *,
    dedupe_key: str,
    actor: str,
    reason: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ChainRequest:
    """Ask for a transaction, or return the open request for the same thing.

    Parameters
    ----------
    args
        Arguments of the contract's function, by name.
    dedupe_key
        At most one request with it is open.
    """
    found = session.scalar(
        select(ChainRequest).where(
            ChainRequest.dedupe_key == dedupe_key, ChainRequest.state.in_(OPEN_REQUEST_STATES)
        )
    )
    if found is not None:
        return found
    now = clock.now()
    asked = ChainRequest(
        kind=kind.value,
        args=args,
        dedupe_key=dedupe_key,
        state=RequestState.REQUESTED.value,
        actor=actor,
        reason=reason,
        created_at=now,
    )
    session.add(asked)
    session.flush()
    journal.record(
        session,
        at=now,
        actor=actor,
        action=f"request_{kind.value}",
        object_type="chain_request",
        object_id=str(asked.id),
        reason=reason,
    )
    return asked
