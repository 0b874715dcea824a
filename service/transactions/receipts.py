"""What became of nonces: mined by one of our attempts, as events or a receipt say, or by others.

An event with the hash of our attempt says that it was mined and went through, so no receipt is
asked for: that of a chunk carries all 500 of its logs again. What a transaction cost only its
receipt says; it is read when the lane has nothing else to do (decision 0102). What was paid is said
by events alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from service.chain.contracts import ContractRefusal
from service.chain.rpc import RpcError
from service.db import transaction
from service.transactions import trail
from service.transactions.context import EngineContext, of, values_of
from service.transactions.lanes import Lease
from service.transactions.models import Transaction, TransactionAttempt
from service.transactions.outcomes import ALREADY_DONE
from service.transactions.owners import tell_owner
from service.transactions.states import IN_FLIGHT, Kind, State, move

RECEIPTS_AT_ONCE = 8
"""Of a chunk of 500 one takes 350 kB."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt of a transaction in flight."""

    transaction_id: int
    nonce: int | None
    purpose: str
    tx_hash: str
    first_sent_unix_ms: int | None


@dataclass(frozen=True, slots=True)
class _Mined:
    """An attempt, the block that holds it, and its receipt where that was needed."""

    attempt: _Attempt
    block_number: int
    block_hash: str
    receipt: Mapping[str, Any] | None = None


def look_for_receipts(
    context: EngineContext, lease: Lease, read_block: int, final_block: int
) -> int:
    """Find which nonces are used up, by which of our attempts, or by somebody else.

    Parameters
    ----------
    read_block
        Newest block whose events are stored: of a nonce that it has used, an event of ours would be
        here.
    final_block
        Newest final block: a nonce that it has used, and by none of ours, is another's for good.
    """
    attempts, mined = _told_by_events(context, lease)
    silent = [attempt for attempt in attempts if attempt.transaction_id not in mined]
    taken: set[int] = set()
    if silent:
        if mined:
            # While events go on to tell of ours, those that they passed over are enough to ask for.
            used = max(each.attempt.nonce or 0 for each in mined.values())
            used_finally = 0
        else:
            used, used_finally = _nonces_used(context, lease.sender, read_block, final_block)
        asked = [attempt for attempt in silent if _below(attempt, max(used, used_finally))]
        found, answered = _told_by_receipts(context, asked)
        mined |= found
        for_good = {a.transaction_id for a in asked if _below(a, used_finally)}
        taken = (for_good & answered) - found.keys()
    if not mined and not taken:
        return 0
    reasons = _revert_reasons(context, mined)
    moved = 0
    with context.write(lease) as (session, held):
        rows = session.scalars(
            select(Transaction)
            .where(Transaction.id.in_(mined.keys() | taken))
            .order_by(Transaction.nonce)
            .options(defer(Transaction.calldata))
        ).all()
        for row in rows:
            if State(row.state) not in IN_FLIGHT:
                continue
            if row.id in mined:
                _record(session, row, mined[row.id], reasons.get(row.id), held.now_ms)
            else:
                row.error = f"nonce {row.nonce} was used by a transaction that is not ours"
                move(row, State.CLOSED)
                trail.came_to(session, row, "closed", logging.ERROR, detail=row.error)
            moved += 1
        context.hook("receipts:before-commit")
    context.hook("receipts:after-commit")
    return moved


@dataclass(frozen=True, slots=True)
class CostsRead:
    """Of how many transactions the cost was asked for, and told."""

    asked: int
    told: int


def read_costs(context: EngineContext, lease: Lease) -> CostsRead:
    """Read what some transactions cost of which events said the rest, the newest first.

    A receipt that the node does not have is asked for again by a later call.
    """
    with transaction(context.sessions) as session:
        rows = session.execute(
            select(Transaction.id, Transaction.mined_tx_hash)
            .where(
                of(lease),
                Transaction.state.in_([State.INCLUDED.value, State.FINAL.value]),
                Transaction.gas_used.is_(None),
                Transaction.mined_tx_hash.is_not(None),
            )
            .order_by(Transaction.id.desc())  # so that old ones without one hold up no others
            .limit(RECEIPTS_AT_ONCE)
        ).all()
    receipts = context.rpc.batch([("eth_getTransactionReceipt", (tx_hash,)) for _, tx_hash in rows])
    found = {
        row_id: receipt
        for (row_id, _), receipt in zip(rows, receipts, strict=True)
        if isinstance(receipt, dict)
    }
    if not found:
        return CostsRead(len(rows), 0)
    with context.write(lease) as (session, _):
        for row in session.scalars(
            select(Transaction)
            .where(Transaction.id.in_(found))
            .order_by(Transaction.nonce)
            .options(defer(Transaction.calldata))
        ).all():
            receipt = found[row.id]
            if row.mined_tx_hash == receipt["transactionHash"] and row.gas_used is None:
                row.gas_used = int(receipt["gasUsed"], 16)
                trail.cost(session, row, receipt)
    return CostsRead(len(rows), len(found))


# ---- what was mined ------------------------------------------------------------------------------


def _told_by_events(
    context: EngineContext, lease: Lease
) -> tuple[Sequence[_Attempt], dict[int, _Mined]]:
    """Return all attempts in flight, and those that went through by the events read so far."""
    with transaction(context.sessions) as session:
        attempts = [
            _Attempt(*row)
            for row in session.execute(
                select(
                    Transaction.id,
                    Transaction.nonce,
                    TransactionAttempt.purpose,
                    TransactionAttempt.tx_hash,
                    TransactionAttempt.first_sent_unix_ms,
                )
                .join(Transaction, Transaction.id == TransactionAttempt.transaction_id)
                .where(of(lease), Transaction.state.in_(values_of(IN_FLIGHT)))
                .order_by(Transaction.nonce, TransactionAttempt.n)
            )
        ]
        if not attempts:
            return attempts, {}
        blocks = context.blocks_of(session, [attempt.tx_hash for attempt in attempts])
    return attempts, {
        attempt.transaction_id: _Mined(attempt, *blocks[attempt.tx_hash])
        for attempt in attempts
        if attempt.tx_hash in blocks
    }


def _told_by_receipts(
    context: EngineContext, attempts: Sequence[_Attempt]
) -> tuple[dict[int, _Mined], set[int]]:
    """Return what receipts tell, and of which transactions the node answered for each attempt."""
    receipts = context.rpc.batch(
        [("eth_getTransactionReceipt", (attempt.tx_hash,)) for attempt in attempts]
    )
    mined: dict[int, _Mined] = {}
    unknown: set[int] = set()
    for attempt, receipt in zip(attempts, receipts, strict=True):
        if isinstance(receipt, dict):
            mined[attempt.transaction_id] = _Mined(
                attempt, int(receipt["blockNumber"], 16), receipt["blockHash"], receipt
            )
        elif receipt is not None:  # a refusal to answer
            unknown.add(attempt.transaction_id)
    return mined, {attempt.transaction_id for attempt in attempts} - unknown


def _nonces_used(
    context: EngineContext, sender: str, read_block: int, final_block: int
) -> tuple[int, int]:
    read, final = context.rpc.batch(
        [
            ("eth_getTransactionCount", (sender, hex(read_block))),
            ("eth_getTransactionCount", (sender, hex(final_block))),
        ]
    )
    # A node that forgot the state of a block tells us nothing: conclude nothing.
    return (
        0 if isinstance(read, RpcError) else int(read, 16),
        0 if isinstance(final, RpcError) else int(final, 16),
    )


def _below(attempt: _Attempt, nonce: int) -> bool:
    return attempt.nonce is not None and attempt.nonce < nonce


def _revert_reasons(
    context: EngineContext, mined: Mapping[int, _Mined]
) -> dict[int, ContractRefusal]:
    """Why the reverted ones would revert now, as far as the node can tell."""
    failed = [row_id for row_id, each in mined.items() if not _went_through(each)]
    if not failed:
        return {}
    with transaction(context.sessions) as session:
        rows = session.scalars(select(Transaction).where(Transaction.id.in_(failed))).all()
    answers = context.rpc.batch(
        [
            (
                "eth_call",
                (
                    {"from": r.sender, "to": r.target, "data": "0x" + r.calldata.hex()},
                    "latest",
                ),
            )
            for r in rows
        ]
    )
    reasons = {}
    for row, answer in zip(rows, answers, strict=True):
        refusal = context.contracts.refusal(answer) if isinstance(answer, RpcError) else None
        if refusal is not None:
            reasons[row.id] = refusal
    return reasons


def _went_through(mined: _Mined) -> bool:
    """Whether it did not revert: one that reverts has no events."""
    return mined.receipt is None or mined.receipt["status"] == "0x1"


def _record(
    session: Session,
    row: Transaction,
    mined: _Mined,
    reason: ContractRefusal | None,
    now_ms: int,
) -> None:
    row.block_number, row.block_hash = mined.block_number, mined.block_hash
    row.mined_tx_hash = mined.attempt.tx_hash
    if mined.attempt.purpose == "fill" and row.kind != Kind.FILL:
        # What it should have done is done, or can no longer be; its nonce is used up.
        move(row, State.SUPERSEDED)
    elif _went_through(mined):
        row.error = None
        move(row, State.INCLUDED)
    elif reason is not None and reason.name in ALREADY_DONE:
        row.error = reason.words
        move(row, State.SUPERSEDED)
    else:
        row.error = reason.words if reason is not None else "reverted, and would not now"
        move(row, State.REVERTED)
        tell_owner(session, row, row.error)
    sent_unix_ms = mined.attempt.first_sent_unix_ms
    took_s = None if sent_unix_ms is None else max(0, now_ms - sent_unix_ms) / 1000
    trail.mined(session, row, took_s)
    if mined.receipt is not None:
        row.gas_used = int(mined.receipt["gasUsed"], 16)
        trail.cost(session, row, mined.receipt)
