"""What changes a payout or a batch after its approval: messages for officers, and what is due."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.payouts import payout_view
from service.approvals.corrections import unpaid_of
from service.chain.refusals import unpayable_words
from service.confirmations.expiry import Due, ask_to_expire, find_due
from service.confirmations.holds import held_until
from service.confirmations.wallets import ZERO_ADDRESS
from service.errors import Conflict, InvalidInput
from service.payouts.models import Batch, ChainRequest, Payout, RequestKind
from service.payouts.queries import get_batch
from service.units import amounts, format_unix_s

_WHAT = {
    RequestKind.EXPIRE_BATCH: "unexecuted",
    RequestKind.EXPIRE_PAYOUT: "payout",
    RequestKind.EXPIRE_STREAMS: "streams",
}
"""Kinds of what is due, as they are shown."""


def payout_status_view(app: Application, session: Session, payout: Payout) -> dict[str, Any]:
    """Return a payout with what of it waits for a wallet, and whether it is held, for JSON."""
    try:
        unpaid = unpaid_of(session, payout.batch_id, payout.index).amount_base_units
    except Conflict:
        unpaid = 0
    until = held_until(session, payout.batch_id, payout.index)
    held = until > app.chain_clock.now().timestamp()
    return payout_view(payout) | {
        **amounts(unpaid=unpaid),
        "held_until": format_unix_s(until) if held else None,
    }


def wallet_change(
    app: Application, session: Session, batch_id: str, index: int, to: str
) -> dict[str, Any]:
    """Return the message of a change of a payout's wallet, from the one that is paid now.

    Parameters
    ----------
    to
        EIP-55 address.

    Raises
    ------
    NotFound, Conflict
        As :func:`service.approvals.corrections.unpaid_of`.
    InvalidInput
        When the new wallet cannot be paid: a contract of ours, the zero address, or frozen.
    ChainUnavailable
        When the node does not answer.
    """
    unpaid = unpaid_of(session, batch_id, index)
    for key, contract in app.deployment.contracts.items():
        if contract.address == to:
            raise InvalidInput(f"{to} is the deployment's own contract ({key}), no wallet")
    reason = app.contracts.read(app.rpc, "token", "unpayableReason", to, app.deployment.vault)
    if reason:
        raise InvalidInput(f"{to} cannot be paid: it is {unpayable_words(reason)}")
    return {"batchId": unpaid.batch.id, "index": index, "from": unpaid.payee, "to": to}


# ---- Expiry ------------------------------------------------------------------------------------


def due_to_expire(app: Application, session: Session, batch: Batch | None = None) -> list[Due]:
    """Return what may return to the budgets now, of one batch or of all."""
    return find_due(
        session,
        int(app.chain_clock.now().timestamp()),
        (ZERO_ADDRESS, app.deployment.token, app.deployment.vault),
        batch_id=batch.id if batch is not None else None,
    )


def due_view(due: Due) -> dict[str, Any]:
    """Return something that may return to the budget, for JSON."""
    return {
        "what": _WHAT[due.kind],
        "batch_id": due.batch_id,
        "index": due.number if due.kind is RequestKind.EXPIRE_PAYOUT else None,
        "chunk_index": due.number if due.kind is RequestKind.EXPIRE_STREAMS else None,
        **amounts(amount=due.amount_base_units),
        "since": format_unix_s(due.since_unix_s),
    }


def expire(
    app: Application,
    session: Session,
    batch_id: str | None,
    *,
    actor: str,
    reason: str | None = None,
) -> list[ChainRequest]:
    """Ask that what is due return to the budget, of one batch or of all.

    Raises
    ------
    NotFound
        When there is no such batch.
    Conflict
        When nothing of it is due.
    """
    batch = get_batch(session, batch_id) if batch_id is not None else None
    found = due_to_expire(app, session, batch)
    if batch is not None and not found:
        raise Conflict(
            f"nothing of batch {batch.id} is due: its chunks run until "
            f"{format_unix_s(batch.execute_before_unix_s)}, and what can never be paid returns "
            f"from {format_unix_s(batch.expires_at_unix_s)} on"
        )
    return [ask_to_expire(session, due, actor=actor, reason=reason) for due in found]
