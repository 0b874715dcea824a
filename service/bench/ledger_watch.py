"""What a benchmark sees of the database while the worker works: it takes no locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, create_engine, func, not_, select

from service.db import Base
from service.ledger.models import LedgerEntry
from service.payouts.models import Batch, Chunk, Payout, in_state
from service.payouts.states import EXECUTED, PayoutState
from service.transactions.models import Lane, Transaction
from service.transactions.states import Kind, State

_MINED = (State.INCLUDED.value, State.FINAL.value)


class LedgerWatch:
    """Reads of a database that a worker writes to.

    Parameters
    ----------
    engine
        The service's engine; another one, without its locking, is made for the same database.
    """

    def __init__(self, engine: Engine) -> None:
        # Not the service's own: on SQLite that takes the write lock for each transaction.
        self._engine = create_engine(engine.url, isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def chunks(self, batch_ids: Sequence[str]) -> int:
        """Chunks of these batches."""
        return self._count(Chunk, Chunk.batch_id.in_(batch_ids))

    def posted_chunks(self, batch_ids: Sequence[str]) -> int:
        """Chunks of these batches whose payment is in the ledger."""
        return self._count(
            LedgerEntry,
            LedgerEntry.event_name == "ChunkPaid",
            LedgerEntry.side == "debit",
            LedgerEntry.batch_id.in_(batch_ids),
        )

    def executed_chunks(self, batch_ids: Sequence[str]) -> int:
        """Chunks of these batches that the chain has run."""
        return self._count(Chunk, Chunk.batch_id.in_(batch_ids), Chunk.state.in_(EXECUTED))

    def batches_on_chain(self, batch_ids: Sequence[str]) -> int:
        """Batches of these that the chain knows."""
        known = Batch.approved_block_number.is_not(None)
        return self._count(Batch, Batch.id.in_(batch_ids), known)

    def submitted(self) -> int:
        """Transactions ever handed to the node, and those it has mined, summed: it only grows."""
        handed = (State.SENT.value, *_MINED)
        sent = self._count(Transaction, Transaction.state.in_(handed))
        return sent + self._count(Transaction, Transaction.state.in_(_MINED))

    def lanes_held(self) -> int:
        """Lanes that a worker holds."""
        return self._count(Lane, Lane.lease_owner.is_not(None))

    def calls(self, batch_ids: Sequence[str]) -> list[tuple[str, bytes, int]]:
        """Target, calldata and gas limit of what these batches needed, in the order of nonces."""
        kinds = (Kind.APPROVE_BATCH.value, Kind.EXECUTE_CHUNK.value)
        statement = (
            select(Transaction.target, Transaction.calldata, Transaction.gas_limit)
            .where(Transaction.batch_id.in_(batch_ids), Transaction.kind.in_(kinds))
            .where(Transaction.state.in_(_MINED))
            .order_by(Transaction.nonce)
        )
        with self._engine.connect() as connection:
            return [(t, bytes(c), g or 0) for t, c, g in connection.execute(statement)]

    def unpaid(self, batch_ids: Sequence[str]) -> int:
        """Payouts of these batches that are not paid."""
        return self._count(Payout, Payout.batch_id.in_(batch_ids), not_(in_state(PayoutState.PAID)))

    def paid_exactly_once(
        self, batch_ids: Sequence[str], mints: Mapping[str, Sequence[int]]
    ) -> int:
        """Payouts whose wallet got one mint, of just their amount; each wallet has one payout.

        Parameters
        ----------
        mints
            What the chain's own logs say that each wallet was minted, base units, by its address
            in small letters.
        """
        found = 0
        with self._engine.connect() as connection:
            for batch_id in batch_ids:  # one after the other: a million rows are many
                wanted = select(Payout.payee, Payout.amount_base_units)
                rows = connection.execute(wanted.where(Payout.batch_id == batch_id))
                found += sum(mints.get(payee.lower()) == (amount,) for payee, amount in rows)
        return found

    def _count(self, model: type[Base], *where: object) -> int:
        statement = select(func.count()).select_from(model).where(*where)  # type: ignore[arg-type]
        with self._engine.connect() as connection:
            return connection.scalar(statement) or 0
