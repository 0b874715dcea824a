"""Blocks in which nothing was done but to run chunks of ours: their mints are not read one by one.

A chunk of 500 mints in as many logs, and each says what the chunk's entries say. Where every
transaction of a block is one of ours that calls the vault to run a chunk, and does nothing else,
the token's logs are what its code makes of the entries: ``ChunkPaid`` has these, which were
skipped, and what was paid in all (decision 0103).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from service.chain.contracts import Contracts, DecodedEvent
from service.confirmations import streams
from service.confirmations.transfers import stored_entries
from service.db import transaction
from service.payouts.entries import entry_amounts
from service.transactions.models import Transaction, TransactionAttempt
from service.transactions.states import Kind

MOST_TRANSACTIONS = 64
"""In a block with more of them not all will be ours."""

Header = Mapping[str, Any]


class OwnChunks:
    """Tells such blocks, and where the mints in them begin.

    Parameters
    ----------
    sessions
        Factory of database sessions.
    contracts
        Where the vault and the token stand.

    Attributes
    ----------
    addresses
        Contracts whose logs are asked for of such a block: all but the token.
    """

    def __init__(self, sessions: sessionmaker[Session], contracts: Contracts) -> None:
        self._sessions = sessions
        self._vault = contracts.address("vault")
        token = contracts.address("token")
        self.addresses = [address for address in contracts.addresses if address != token]

    def blocks(self, headers: Sequence[Header]) -> set[str]:
        """Return the hashes of those blocks of which each transaction is one of ours."""
        inside = {
            header["hash"]: header["transactions"]
            for header in headers
            if 0 < len(header["transactions"]) <= MOST_TRANSACTIONS
        }
        hashes = [tx_hash for transactions in inside.values() for tx_hash in transactions]
        if not hashes:
            return set()
        with transaction(self._sessions) as session:
            ours = set(
                session.scalars(
                    select(TransactionAttempt.tx_hash)
                    .join(Transaction, Transaction.id == TransactionAttempt.transaction_id)
                    .where(
                        TransactionAttempt.tx_hash.in_(hashes),
                        TransactionAttempt.purpose == "call",
                        Transaction.kind == Kind.EXECUTE_CHUNK,
                        Transaction.target == self._vault,
                    )
                )
            )
        return {block for block, transactions in inside.items() if ours.issuperset(transactions)}

    def first_mints(self, events: Sequence[DecodedEvent]) -> dict[str, int | None]:
        """Return the log index of each chunk's first mint, by transaction; None where it has none.

        A transaction is left out where ``ChunkPaid`` does not tell its mints: the chunk has other
        entries than our row, one of nothing, or another sum.

        Parameters
        ----------
        events
            Of blocks that :meth:`blocks` has returned.
        """
        paid = {
            ("0x" + event.args["batchId"].hex(), event.args["chunkIndex"]): event
            for event in events
            if event.name == "ChunkPaid"
        }
        if not paid:
            return {}
        with transaction(self._sessions) as session:
            stored = stored_entries(session, paid)
        first: dict[str, int | None] = {}
        for chunk, entries in stored.items():
            event = paid[chunk]
            minted = _minted(event, entries)
            if minted is not None:
                # Each is a log, one after the other, and the event comes right after them.
                first[event.tx_hash] = event.log_index - minted if minted else None
        return first


def _minted(event: DecodedEvent, entries: bytes) -> int | None:
    """Return how many mints a chunk left in the log; None where the event does not tell them."""
    args = event.args
    if args["entries"] != entries:
        return None
    amounts = entry_amounts(entries)
    skipped = streams.bits(args["skippedLow"], args["skippedHigh"])
    if not all(amounts) or max(skipped, default=0) >= len(amounts):
        return None
    if sum(amounts) - sum(amounts[place] for place in skipped) != args["paid"]:
        return None
    return len(amounts) - len(skipped)
