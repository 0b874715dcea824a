"""Outbidding what holds the others up, and using up nonces that nobody wants."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, defer

from service.chain.fees import Fees, outbid
from service.payouts.models import Chunk
from service.payouts.states import EXECUTED
from service.transactions.context import EngineContext, of, values_of
from service.transactions.dbclock import read_now_ms
from service.transactions.lanes import Lease
from service.transactions.models import Transaction, TransactionAttempt
from service.transactions.outcomes import SendOutcome
from service.transactions.states import IN_FLIGHT, Kind, State, move

Stuck = Sequence[tuple[int, str]]
"""Rows to replace, each with what for: ``call`` to outbid, ``fill`` to use the nonce up."""


def replace_stuck(context: EngineContext, lease: Lease, stuck: Stuck) -> int:
    """Outbid what :func:`find_stuck` has found; returns how many were."""
    market = context.market(lease)
    if market is None:
        return 0
    moved = 0
    with context.write(lease) as (session, held):
        for row_id, purpose in stuck:
            row = session.get_one(Transaction, row_id, populate_existing=True)
            if State(row.state) not in IN_FLIGHT:
                continue
            last = session.scalars(
                select(TransactionAttempt)
                .where(TransactionAttempt.transaction_id == row.id)
                .order_by(TransactionAttempt.n.desc())
                .limit(1)
            ).one()
            offered = Fees(last.max_fee_per_gas, last.priority_fee_per_gas, market.legacy)
            # Refused as too cheap it competes with bytes that a pool has: a worker that died after
            # sending them has not written that down.
            waits = last.first_sent_unix_ms is not None or last.answer == SendOutcome.UNDERPRICED
            fees: Fees | None = market
            if waits:
                fees = outbid(offered, market, cap_wei=context.options.max_fee_per_gas_cap_wei)
            if fees is None:
                row.error = "stuck, and no higher offer is possible"
                continue
            context.add_attempt(session, row, last.n + 1, purpose, fees, now_ms=held.now_ms)
            row.retry_at_unix_ms = 0
            move(row, State.REPLACED)
            moved += 1
        context.hook("replaced:before-commit")
    context.hook("replaced:after-commit")
    return moved


def find_stuck(session: Session, context: EngineContext, lease: Lease) -> Stuck:
    """Find the transaction that holds the others up, and nonces that nobody wants."""
    now = read_now_ms(session)
    rows = session.execute(
        select(Transaction, TransactionAttempt)
        .join(TransactionAttempt, TransactionAttempt.transaction_id == Transaction.id)
        .where(of(lease), Transaction.state.in_(values_of(IN_FLIGHT)))
        .order_by(Transaction.nonce, TransactionAttempt.n)
        .options(defer(Transaction.calldata), defer(TransactionAttempt.raw))
    ).all()
    newest = {row.id: (row, attempt) for row, attempt in rows}
    run = _chunks_run(session, [row for row, _ in newest.values()])
    found: list[tuple[int, str]] = []
    oldest = True
    for row, attempt in newest.values():
        unsent = attempt.purpose == "call" and row.state == State.SIGNED
        if unsent and (row.batch_id, row.chunk_index) in run:
            found.append((row.id, "fill"))
            oldest = False
            continue
        invalid = attempt.answer == SendOutcome.INVALID
        if invalid and attempt.purpose == "call" and attempt.first_sent_unix_ms is None:
            found.append((row.id, "fill"))
        elif oldest and _waited_long(context, row, attempt, now):
            found.append((row.id, attempt.purpose))
        oldest = False
    return found


def _chunks_run(
    session: Session, rows: Sequence[Transaction]
) -> set[tuple[str | None, int | None]]:
    """Chunks that the chain has run, of those whose transaction was never sent."""
    signed = [
        (row.batch_id, row.chunk_index)
        for row in rows
        if row.state == State.SIGNED and row.kind == Kind.EXECUTE_CHUNK
    ]
    if not signed:
        return set()
    found = session.execute(
        select(Chunk.batch_id, Chunk.chunk_index).where(
            tuple_(Chunk.batch_id, Chunk.chunk_index).in_(signed), Chunk.state.in_(EXECUTED)
        )
    )
    return {(batch_id, index) for batch_id, index in found}


def _waited_long(
    context: EngineContext, row: Transaction, attempt: TransactionAttempt, now: int
) -> bool:
    if attempt.answer == SendOutcome.UNDERPRICED:
        return True
    if row.state == State.REORGED:
        return False  # the same bytes go out first
    since = attempt.first_sent_unix_ms
    return since is not None and now - since > context.options.replace_after_s * 1000
