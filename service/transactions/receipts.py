"""Receipts: which nonces are used up, by which of our attempts, or by somebody else.

They say what became of a nonce and what it cost; what was paid is said by events alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
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


def look_for_receipts(context: EngineContext, lease: Lease, final_block: int) -> int:
    """Find which nonces are used up, by which of our attempts, or by somebody else."""
    with transaction(context.sessions) as session:
        lowest = session.scalars(
            select(func.min(Transaction.nonce)).where(
                of(lease), Transaction.state.in_(values_of(IN_FLIGHT))
            )
        ).one_or_none()
    if lowest is None:
        return 0
    used, used_finally = _nonces_used(context, lease.sender, final_block)
    if used <= lowest:
        return 0
    with transaction(context.sessions) as session:
        attempts = session.execute(
            select(TransactionAttempt.transaction_id, TransactionAttempt.tx_hash)
            .join(Transaction, Transaction.id == TransactionAttempt.transaction_id)
            .where(of(lease), Transaction.state.in_(values_of(IN_FLIGHT)))
            .where(Transaction.nonce < used)
            .order_by(Transaction.nonce, TransactionAttempt.n)
        ).all()
    receipts = context.rpc.batch(
        [("eth_getTransactionReceipt", (tx_hash,)) for _, tx_hash in attempts]
    )
    mined: dict[int, dict[str, Any]] = {}
    for (row_id, _), receipt in zip(attempts, receipts, strict=True):
        if isinstance(receipt, dict):
            mined[row_id] = receipt
    reasons = _revert_reasons(context, mined)
    moved = 0
    with context.write(lease) as session:
        rows = session.scalars(
            select(Transaction)
            .where(Transaction.id.in_({row_id for row_id, _ in attempts}))
            .order_by(Transaction.nonce)
            .options(defer(Transaction.calldata))
        ).all()
        for row in rows:
            row_id = row.id
            if State(row.state) not in IN_FLIGHT:
                continue
            if row_id in mined:
                _record_receipt(session, row, mined[row_id], reasons.get(row_id))
                moved += 1
            elif row.nonce is not None and row.nonce < used_finally:
                row.error = f"nonce {row.nonce} was used by a transaction that is not ours"
                move(row, State.CLOSED)
                trail.came_to(session, row, "closed", logging.ERROR, detail=row.error)
                moved += 1
        context.hook("receipts:before-commit")
    context.hook("receipts:after-commit")
    return moved


def _nonces_used(context: EngineContext, sender: str, final_block: int) -> tuple[int, int]:
    latest, final = context.rpc.batch(
        [
            ("eth_getTransactionCount", (sender, "latest")),
            ("eth_getTransactionCount", (sender, hex(final_block))),
        ]
    )
    if isinstance(latest, RpcError):
        raise latest
    # A node that forgot the state of the final block tells us nothing: conclude nothing.
    return int(latest, 16), 0 if isinstance(final, RpcError) else int(final, 16)


def _revert_reasons(
    context: EngineContext, mined: Mapping[int, dict[str, Any]]
) -> dict[int, ContractRefusal]:
    """Why the reverted ones would revert now, as far as the node can tell."""
    failed = [row_id for row_id, receipt in mined.items() if receipt["status"] != "0x1"]
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


def _record_receipt(
    session: Session,
    row: Transaction,
    receipt: dict[str, Any],
    reason: ContractRefusal | None,
) -> None:
    row.block_number = int(receipt["blockNumber"], 16)
    row.block_hash = receipt["blockHash"]
    row.mined_tx_hash = receipt["transactionHash"]
    row.gas_used = int(receipt["gasUsed"], 16)
    attempt = session.scalars(
        select(TransactionAttempt).where(TransactionAttempt.tx_hash == row.mined_tx_hash)
    ).one()
    if attempt.purpose == "fill" and row.kind != Kind.FILL:
        # What it should have done is done, or can no longer be; its nonce is used up.
        move(row, State.SUPERSEDED)
    elif receipt["status"] == "0x1":
        row.error = None
        move(row, State.INCLUDED)
    elif reason is not None and reason.name in ALREADY_DONE:
        row.error = reason.words
        move(row, State.SUPERSEDED)
    else:
        row.error = reason.words if reason is not None else "reverted, and would not now"
        move(row, State.REVERTED)
        tell_owner(session, row, row.error)
    trail.mined(session, row, attempt.first_sent_unix_ms, receipt)
