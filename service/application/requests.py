"""Asking for a transaction, and what became of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from service.errors import AlreadyExists, NotFound
from service.payouts.models import ChainRequest, RequestKind
from service.payouts.requests import ask


def ask_once(
    session: Session,
    kind: RequestKind,
    args: dict[str, Any],
    *,
    dedupe_key: str,
    actor: str,
    reason: str | None = None,
) -> ChainRequest:
    """Ask for a transaction; asking for exactly the same again returns the open request.

    Parameters
    ----------
    args
        The call's arguments by name: hexadecimal bytes and addresses, amounts as strings.
    dedupe_key
        Names the effect; while a request for it is open there is no second one.

    Raises
    ------
    AlreadyExists
        When a request for the same effect with other arguments is open.
    """
    row = ask(session, kind, args, dedupe_key=dedupe_key, actor=actor, reason=reason)
    if row.args != args:
        raise AlreadyExists(f"request {row.id} with other values is {row.state}: wait for it")
    return row


def request_view(row: ChainRequest) -> dict[str, Any]:
    """Return a request for JSON."""
    return {
        "id": row.id,
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
