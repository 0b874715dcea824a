"""Asking for a transaction: the row that the worker turns into one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.errors import AlreadyExists, NotFound
from service.payouts.models import OPEN_REQUEST_STATES, ChainRequest, JournalEntry, RequestKind
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
    """Ask for a transaction and note in the journal who did.

    Parameters
    ----------
    args
        The call's arguments by name: hexadecimal bytes and addresses, amounts as strings.
    dedupe_key
        Names the effect; while a request for it is open there is no second one.

    Raises
    ------
    AlreadyExists
        When the same was asked for and is not done yet.
    """
    open_one = session.scalar(
        select(ChainRequest).where(
            ChainRequest.dedupe_key == dedupe_key,
            ChainRequest.state.in_([state.value for state in OPEN_REQUEST_STATES]),
        )
    )
    if open_one is not None:
        raise AlreadyExists(f"request {open_one.id} asks for the same and is {open_one.state}")
    now = clock.now()
    row = ChainRequest(
        kind=kind.value,
        args=args,
        dedupe_key=dedupe_key,
        state=RequestState.REQUESTED.value,
        actor=actor,
        reason=reason,
        created_at=now,
    )
    session.add(row)
    session.flush()
    session.add(
        JournalEntry(
            at=now,
            actor=actor,
            action=kind.value,
            object_type="chain_request",
            object_id=str(row.id),
            reason=reason,
        )
    )
    return row


def request_view(row: ChainRequest) -> dict[str, Any]:
    """Return a request for JSON."""
    return {
        "request_id": row.id,
        "kind": row.kind,
        "state": row.state,
        "args": row.args,
        "actor": row.actor,
        "reason": row.reason,
        "last_error": row.last_error,
        "created_at": row.created_at.isoformat(),
    }


def get_request(session: Session, request_id: int) -> ChainRequest:
    """Return a request as it is now.

    Raises
    ------
    NotFound
        When there is none of that number.
    """
    row = session.get(ChainRequest, request_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no request {request_id}")
    return row
