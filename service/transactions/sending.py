"""Sending committed bytes, and writing down what the node said to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy import exists, select, tuple_
from sqlalchemy.orm import Session, aliased, defer

from service.approvals.models import QuorumAction
from service.approvals.states import ActionState, move_actions
from service.chain.rpc import RpcError
from service.payouts.models import Chunk
from service.payouts.states import ChunkState, move_all
from service.telemetry.logs import note
from service.transactions import lanes, trail
from service.transactions.context import FIRST_RETRY_MS, LAST_RETRY_MS, EngineContext, of, values_of
from service.transactions.dbclock import has_come, now_ms
from service.transactions.lanes import Lease
from service.transactions.models import Transaction, TransactionAttempt
from service.transactions.outcomes import SendOutcome, classify_send
from service.transactions.states import IN_FLIGHT, Kind, State, move

log = logging.getLogger(__name__)

CHANGED_BYTES = RpcError(0, "the signed bytes were changed after they were committed")
"""Stands for the node's answer: such bytes are not sent, their nonce is used up and signed anew."""


Answers = Mapping[int, Any]
"""What the node said, by the attempt's id."""


def send(
    context: EngineContext, attempts: Sequence[TransactionAttempt], meanwhile: Callable[[], None]
) -> Answers:
    """Hand committed bytes to the node; what is said to them is to be written down.

    Parameters
    ----------
    meanwhile
        Done while the node takes them, which it does between two blocks; it may not ask the node.
    """
    intact = [attempt for attempt in attempts if _is_intact(attempt)]
    answers: dict[int, Any] = {attempt.id: CHANGED_BYTES for attempt in attempts}
    calls = [("eth_sendRawTransaction", ("0x" + attempt.raw.hex(),)) for attempt in intact]
    with context.rpc.beside(calls) as said:
        meanwhile()
        answers |= zip([attempt.id for attempt in intact], said(), strict=True)
    return answers


def record(
    context: EngineContext,
    lease: Lease,
    attempts: Sequence[TransactionAttempt],
    answers: Answers,
) -> int:
    """Write down what the node said to a lane's bytes; returns how many are newly ``sent``."""
    with context.write(lease) as (session, held):
        rows = session.execute(
            select(TransactionAttempt, Transaction)
            .join(Transaction, Transaction.id == TransactionAttempt.transaction_id)
            .where(TransactionAttempt.id.in_([attempt.id for attempt in attempts]))
            .order_by(Transaction.nonce)
            .options(defer(TransactionAttempt.raw), defer(Transaction.calldata))
        ).all()
        open_rows = [(attempt, row) for attempt, row in rows if State(row.state) in IN_FLIGHT]
        sent = [
            (attempt, row)
            for attempt, row in open_rows
            if _record_send(session, attempt, row, answer=answers[attempt.id], now=held.now_ms)
        ]
        moved = len(sent)
        paid_for = [_HAS_FUNDS[a.answer] for a, _ in open_rows if a.answer in _HAS_FUNDS]
        if paid_for and paid_for[-1] == held.out_of_funds:
            lanes.change(session, lease, out_of_funds=not paid_for[-1])
        _mark_sent(session, [row for attempt, row in sent if attempt.purpose == "call"])
        context.hook("sent:before-commit")
    context.hook("sent:after-commit")
    return moved


def sendable(
    session: Session, context: EngineContext, lease: Lease, *, held: bool
) -> Sequence[TransactionAttempt]:
    """Return the newest attempts never sent or sent long ago, by nonce.

    Where there are some, the lane is ours for another while.

    Parameters
    ----------
    held
        Whether something was written for the lane a moment ago: then it is ours for that while.
    """
    later = aliased(TransactionAttempt)
    newest = ~exists().where(
        later.transaction_id == TransactionAttempt.transaction_id, later.n > TransactionAttempt.n
    )
    forgotten = now_ms() - int(context.options.resend_after_s * 1000)
    attempts = session.scalars(
        select(TransactionAttempt)
        .join(Transaction, TransactionAttempt.transaction_id == Transaction.id)
        .where(of(lease), Transaction.state.in_(values_of(IN_FLIGHT)), newest)
        .where(
            (Transaction.state != State.SENT)
            | (TransactionAttempt.sent_unix_ms < forgotten)
            | (TransactionAttempt.sent_unix_ms > now_ms())  # the clock was set back
        )
        .where(has_come(Transaction.retry_at_unix_ms, longest_ms=LAST_RETRY_MS))
        .order_by(Transaction.nonce)
        .limit(context.options.max_in_flight)
    ).all()
    if attempts and not held:
        lanes.hold(session, lease, context.options.lease_seconds)
    return attempts


def _record_send(
    session: Session,
    attempt: TransactionAttempt,
    row: Transaction,
    *,
    answer: Any,
    now: int,
) -> bool:
    """Write down the node's answer; returns whether it took the transaction for the first time."""
    outcome = SendOutcome.ACCEPTED
    if answer is CHANGED_BYTES:
        outcome = SendOutcome.INVALID
    elif isinstance(answer, RpcError):
        outcome = classify_send(answer)
    attempt.answer = outcome.value
    if outcome is SendOutcome.ACCEPTED:
        attempt.first_sent_unix_ms = attempt.first_sent_unix_ms or now
        attempt.sent_unix_ms, attempt.error = now, None
        attempt.refused_since_unix_ms = None
        first = row.state != State.SENT
        move(row, State.SENT)
        if first:
            trail.came_to(session, row, "sent", tx_hash=attempt.tx_hash)
        return first
    attempt.error = answer.message
    attempt.refused_since_unix_ms = attempt.refused_since_unix_ms or now
    row.error = answer.message
    if outcome is SendOutcome.NO_FUNDS:
        note(log, "lane_out_of_funds", logging.ERROR, lane=row.sender, detail=answer.message)
    elif outcome is not SendOutcome.NONCE_USED:
        trail.not_taken(session, row, attempt.tx_hash, answer.message)
    if outcome is not SendOutcome.NONCE_USED:
        row.retry_at_unix_ms = now + FIRST_RETRY_MS
    return False


_HAS_FUNDS: dict[str | None, bool] = {
    SendOutcome.ACCEPTED.value: True,
    SendOutcome.NO_FUNDS.value: False,
}
"""What an answer says of the lane's gas money; others say nothing of it."""


def _is_intact(attempt: TransactionAttempt) -> bool:
    return "0x" + keccak(attempt.raw).hex() == attempt.tx_hash


def _mark_sent(session: Session, rows: Sequence[Transaction]) -> None:
    """Tell the earlier stages that their rows are on their way; a payout goes with its chunk."""
    chunks = [(r.batch_id, r.chunk_index) for r in rows if r.kind == Kind.EXECUTE_CHUNK]
    if chunks:
        these = tuple_(Chunk.batch_id, Chunk.chunk_index).in_(chunks)
        waiting = Chunk.state == ChunkState.WAITING
        move_all(session, Chunk, ChunkState.SENT, these, waiting)
    actions = [row.action_id for row in rows if row.kind == Kind.QUORUM_ACTION]
    if actions:
        # The event may have been read meanwhile: what is done stays done.
        move_actions(session, ActionState.SUBMITTED, QuorumAction.id.in_(actions))
