"""Asking for a transaction, and what became of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.arguments import arguments_view
from service.chain.refusals import explain
from service.errors import AlreadyExists, NotFound
from service.payouts.models import ChainRequest, RequestKind
from service.payouts.requests import ask
from service.payouts.states import RequestState
from service.units import format_time


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


def relayed_before(session: Session, dedupe_key: str, args: dict[str, Any]) -> ChainRequest | None:
    """Return the request that relays, or has relayed, exactly the same; None where there is none.

    A failed one is none: whoever asks again tries again.
    """
    found = session.scalars(
        select(ChainRequest)
        .where(ChainRequest.dedupe_key == dedupe_key, ChainRequest.state != RequestState.FAILED)
        .order_by(ChainRequest.id.desc())
    ).first()
    return found if found is not None and found.args == args else None


def request_view(row: ChainRequest) -> dict[str, Any]:
    """Return a request for JSON."""
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "args": arguments_view(row.args),
        "actor": row.actor,
        "reason": row.reason,
        **last_error(row.last_error),
        "created_at": format_time(row.created_at),
    }


def last_error(words: str | None) -> dict[str, str | None]:
    """Return why something does not go through, for JSON.

    Parameters
    ----------
    words
        As the row has them: a contract's own, or ours.

    Returns
    -------
    dict
        ``last_error``, a sentence, and ``contract_error``, the contract's own words where it was
        a contract that refused.
    """
    sentence = explain(words) if words else None
    return {"last_error": sentence or words, "contract_error": words if sentence else None}


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
