"""What of a batch or a programme is on its way: signed, perhaps sent, and not known to be mined.

Stopping does not call it back: bytes that left may be mined at any time, and their nonce is theirs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from service.payouts.models import Batch, Chunk, Programme
from service.transactions.models import Transaction
from service.transactions.states import IN_FLIGHT, Kind


@dataclass(frozen=True, slots=True)
class InFlight:
    """How much is on its way.

    Attributes
    ----------
    transactions
        Approvals and chunks.
    payouts
        In those chunks.
    """

    transactions: int
    payouts: int

    @property
    def words(self) -> str:
        """For people; empty where nothing is."""
        if not self.transactions:
            return ""
        some = "1 transaction" if self.transactions == 1 else f"{self.transactions} transactions"
        return (
            f"{some} with {self.payouts} payouts went out before and may still be mined: nothing "
            "calls them back"
        )


def hold_pauses(session: Session, batch_ids: Collection[str]) -> set[str]:
    """Return which batches are paused, by themselves or by their programme; keep it so.

    Whoever signs for them asks in the same database transaction: until its end nobody pauses or
    resumes them. So nothing is signed after a pause, and a pause counts all that is on its way.
    """
    if not batch_ids:
        return set()
    rows = session.execute(
        select(Batch.id, Batch.paused, Programme.paused)
        .join(Programme, Programme.id == Batch.programme_id)
        .where(Batch.id.in_(batch_ids))
        .order_by(Batch.id)
        .with_for_update(read=True)
    )
    return {batch_id for batch_id, itself, programme in rows if itself or programme}


def in_flight(session: Session, *which: ColumnElement[bool]) -> InFlight:
    """Count what is on its way of the batches that match.

    Parameters
    ----------
    which
        Conditions on :class:`Batch`.
    """
    transactions, payouts = session.execute(
        select(func.count(Transaction.id), func.coalesce(func.sum(Chunk.count), 0))
        .select_from(Transaction)
        .join(Batch, Batch.id == Transaction.batch_id)
        .outerjoin(
            Chunk,
            and_(
                Chunk.batch_id == Transaction.batch_id,
                Chunk.chunk_index == Transaction.chunk_index,
            ),
        )
        .where(
            Transaction.state.in_([state.value for state in IN_FLIGHT]),
            Transaction.kind.in_([Kind.APPROVE_BATCH.value, Kind.EXECUTE_CHUNK.value]),
            *which,
        )
    ).one()
    return InFlight(int(transactions), int(payouts))
