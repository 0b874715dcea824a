"""Nonces made whole when a lane is taken: none below the chain's, none between without a row."""

from __future__ import annotations

import logging

from sqlalchemy import select

from service.chain.fees import Fees
from service.db import transaction
from service.telemetry.logs import note
from service.transactions import lanes
from service.transactions.context import FILL_GAS, EngineContext, of
from service.transactions.lanes import Lease
from service.transactions.models import Lane, Transaction
from service.transactions.states import Kind, State

log = logging.getLogger(__name__)


def close_gaps(context: EngineContext, lease: Lease) -> bool:
    """Make nonces whole: never below the chain's, and none between without a row.

    Returns
    -------
    bool
        Whether they are; not while a fill would cost more than the cap.
    """
    used = int(context.rpc.call("eth_getTransactionCount", lease.sender, "latest"), 16)
    with transaction(context.sessions) as session:
        lane = session.get_one(Lane, (lease.chain_id, lease.sender), populate_existing=True)
        next_nonce = lane.next_nonce
        taken = set(
            session.scalars(select(Transaction.nonce).where(of(lease), Transaction.nonce >= used))
        )
    missing = [nonce for nonce in range(used, next_nonce) if nonce not in taken]
    if used <= next_nonce and not missing:
        return True
    fees = context.market(lease) if missing else Fees(0, 0)
    if fees is None:
        return False
    with context.write(lease) as (session, held):
        if used > next_nonce:
            facts = {"lane": lease.sender, "nonce": next_nonce, "chain_nonce": used}
            note(log, "lane_behind_the_chain", logging.WARNING, **facts)
            lanes.change(session, lease, next_nonce=used)
        for nonce in missing:
            row = Transaction(
                chain_id=context.chain_id,
                sender=lease.sender,
                nonce=nonce,
                kind=Kind.FILL.value,
                target=lease.sender,
                calldata=b"",
                gas_limit=FILL_GAS,
                dedupe_key=f"fill:{lease.sender}:{nonce}",
                state=State.SIGNED.value,
                created_unix_ms=held.now_ms,
            )
            session.add(row)
            session.flush()
            context.add_attempt(session, row, 0, "fill", fees, now_ms=held.now_ms)
    return True
