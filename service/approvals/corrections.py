"""What may change a batch after its approval, and who signs it: refused before officers sign.

By the rows, which follow the events; the contract checks all of it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.approvals.models import ActionKind
from service.errors import Conflict, InvalidInput
from service.payouts.models import Batch, Stream
from service.payouts.queries import get_batch, get_payout
from service.payouts.states import BatchState, PayoutState

MAX_HOLD_S = 72 * 3600
TIME_TO_EXECUTE_S = 86_400
"""So long before ``execute_before`` a hold ends, so that it never kills a batch
(``VaultCorrections.TIME_TO_EXECUTE``)."""

OF_A_BATCH = frozenset(
    {
        ActionKind.BATCH_CANCELLATION,
        ActionKind.STREAM_CANCELLATION,
        ActionKind.BATCH_HOLD,
        ActionKind.ENTRY_HOLD,
        ActionKind.WALLET_CHANGE,
    }
)
"""Reviewers of the batch's region sign these."""


@dataclass(frozen=True, slots=True)
class Unpaid:
    """What of one payout is not paid, and to whom it goes as things stand."""

    batch: Batch
    index: int
    payee: str
    amount_base_units: int


def check_correction(
    session: Session, kind: ActionKind, message: Mapping[str, Any], now: datetime
) -> Batch:
    """Return the batch that an action changes, if it may.

    Parameters
    ----------
    kind
        One of :data:`OF_A_BATCH`.
    message
        Of its typed data.

    Raises
    ------
    NotFound
        When there is no such batch or payout.
    Conflict
        When the batch is not on chain, has no streams to cancel, nothing to hold, or nothing of
        the payout is unpaid; when the wallet left is not the one that is paid.
    InvalidInput
        When the wallet would stay the same.
    """
    batch = get_batch(session, message["batchId"])
    if kind in (ActionKind.ENTRY_HOLD, ActionKind.WALLET_CHANGE):
        unpaid = unpaid_of(session, batch.id, int(message["index"]))
        if kind is ActionKind.WALLET_CHANGE:
            _check_wallets(unpaid, message["from"], message["to"])
        return batch
    if batch.state not in (BatchState.ONCHAIN, BatchState.DONE):
        raise Conflict(f"batch {batch.id} is {batch.state}, not on chain")
    if kind is ActionKind.STREAM_CANCELLATION and batch.kind != "stream":
        raise Conflict(f"batch {batch.id} has no streams")
    if kind is ActionKind.BATCH_HOLD:
        _check_hold(batch, int(now.timestamp()))
    return batch


def unpaid_of(session: Session, batch_id: str, index: int) -> Unpaid:
    """Return what is unpaid of a skipped payout, or of a stream, accrued or not.

    Raises
    ------
    NotFound
        When there is no such payout.
    Conflict
        When the payout waits for no wallet, or the stream is not open or paid in full.
    """
    batch = get_batch(session, batch_id)
    payout = get_payout(session, batch.id, index)
    named = f"{batch.id}:{index}"
    if payout.kind == "one_off":
        if payout.state != PayoutState.SKIPPED:
            raise Conflict(f"payout {named} is {payout.state}, not skipped: nothing of it waits")
        return Unpaid(batch, index, payout.payee, payout.amount_base_units)
    stream = session.get(Stream, (batch.id, index), populate_existing=True)
    if stream is None:
        raise Conflict(f"stream {named} is not open yet")
    left = stream.total_base_units - stream.withdrawn_base_units - stream.returned_base_units
    if left == 0:
        raise Conflict(f"nothing of stream {named} is unpaid")
    return Unpaid(batch, index, stream.payee, left)


def _check_wallets(unpaid: Unpaid, left: str, to: str) -> None:
    named = f"{unpaid.batch.id}:{unpaid.index}"
    if left != unpaid.payee:
        raise Conflict(f"{named} is paid to {unpaid.payee}, not to {left}")
    if to == left:
        raise InvalidInput(f"{named} is paid to {to} already")


def _check_hold(batch: Batch, now_unix_s: int) -> None:
    if batch.state != BatchState.ONCHAIN:
        raise Conflict(f"each chunk of batch {batch.id} was run: nothing is left to hold")
    until = min(now_unix_s + MAX_HOLD_S, batch.execute_before_unix_s - TIME_TO_EXECUTE_S)
    if until <= max(now_unix_s, batch.execute_from_unix_s or 0):
        raise Conflict(
            f"a hold of batch {batch.id} would delay nothing: it leaves the batch a day before "
            "its time to run is over, and none is longer than 72 hours from now"
        )
