"""Requests that somebody else's transaction has fulfilled: the event says so, whoever sent it."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from service.confirmations.models import Event
from service.payouts.models import ChainRequest
from service.payouts.states import RequestState, move
from service.transactions.models import TransactionAttempt

EFFECTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("token", "AuthorizationUsed"): (
        "transfer:{authorizer}:{nonce}",
        "redeem:{authorizer}:{nonce}",
    ),
    ("token", "AuthorizationCanceled"): ("cancel_authorization:{authorizer}:{nonce}",),
    ("token", "CapRaised"): ("apply_cap",),
    ("token", "MinterActivated"): ("activate_minter:{minter}",),
    ("vault", "PayoutRetried"): ("retry_payout:{batchId}:{index}",),
    ("vault", "StreamWithdrawn"): ("withdraw_stream:{batchId}:{index}",),
    ("vault", "StreamsWithdrawn"): ("withdraw_chunk:{batchId}:{chunkIndex}",),
    ("vault", "UnexecutedExpired"): ("expire_batch:{batchId}",),
    ("vault", "PayoutExpired"): ("expire_payout:{batchId}:{index}",),
    ("vault", "StreamsExpired"): ("expire_streams:{batchId}:{chunkIndex}",),
}
"""Events that fulfil a request, and the ``dedupe_key`` of the requests."""


def fulfil(session: Session, event: Event) -> None:
    """Settle the requests that an event fulfils, unless our own transaction did.

    Of ours the request is done when it is final. One that failed is done too: what failed it may
    have been the transaction that did it.
    """
    ours = exists().where(TransactionAttempt.tx_hash == event.tx_hash)
    for request in _asked(session, event):
        if request.state != RequestState.DONE and not session.scalar(select(ours)):
            request.state = move(request.state, RequestState.DONE).value
            request.last_error = None
    session.flush()


def take_back(session: Session, event: Event) -> None:
    """Open again the requests that an event had fulfilled which a re-org took back."""
    for request in _asked(session, event):
        if request.state == RequestState.DONE:
            request.state = move(request.state, RequestState.REQUESTED).value
    session.flush()


def _asked(session: Session, event: Event) -> list[ChainRequest]:
    keys = [key.format(**event.args) for key in EFFECTS.get((event.contract, event.name), ())]
    if not keys:
        return []
    newest = select(ChainRequest).where(ChainRequest.dedupe_key.in_(keys))
    found = session.scalars(newest.order_by(ChainRequest.id.desc()).limit(1)).first()
    return [] if found is None else [found]
