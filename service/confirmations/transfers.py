"""The token's ``Transfer`` logs: by far the most there are, so most of them are not written down.

A chunk of 500 mints in as many logs, and each says what the chunk's entries say. Where the logs of
a ``ChunkPaid`` are just its entries, one after the other, but for those skipped, the chunk's row
keeps where they begin, and that is all (decision 0101). Each other transfer is a row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from service.chain.contracts import Contracts
from service.confirmations import streams
from service.confirmations.models import Event, Transfer
from service.db import insert_many
from service.payouts.entries import WORD_BYTES
from service.payouts.models import Chunk
from service.units import eip55

Log = Mapping[str, Any]
"""A log as the node gives it."""

_COLUMNS = (
    *("block_number", "log_index", "block_hash", "tx_hash"),
    *("from_address", "to_address", "value"),
)
_ADDRESS_AT = 2 + 24
"""Where an address begins in a topic: after ``0x`` and twelve zero bytes."""

_AMOUNT_AT = 2 + 48
"""Where the eight bytes of an entry's amount begin in the data."""

_NO_ADDRESS = "0x" + "0" * 64
_SMALL = "0x" + "0" * 48
"""How the data of an amount begins that fits eight bytes."""

_WORD_DIGITS = 2 * WORD_BYTES


class Transfers:
    """Reads and stores the token's ``Transfer`` logs.

    Parameters
    ----------
    contracts
        Where the token stands.
    """

    def __init__(self, contracts: Contracts) -> None:
        self._token = contracts.address("token").lower()
        self._topic = contracts.topic("token", "Transfer")

    def is_one(self, log: Log) -> bool:
        """Whether it is a ``Transfer`` of the token."""
        topics = log["topics"]
        return bool(topics) and topics[0] == self._topic and log["address"].lower() == self._token

    def store(self, session: Session, logs: Sequence[Log]) -> None:
        """Write transfers, a row each."""
        insert_many(session, Transfer, _COLUMNS, [_row(log) for log in logs])


def keep_by_chunk(session: Session, logs: Sequence[Log], events: Sequence[Event]) -> list[Log]:
    """Find the mints that chunks keep, and tell their ``ChunkPaid``; return the other transfers.

    Parameters
    ----------
    logs
        Transfers of some blocks, in their order.
    events
        All else of the same blocks.
    """
    paid = [event for event in events if event.name == "ChunkPaid"]
    if not paid or not logs:
        return list(logs)
    in_transaction = Counter(event.tx_hash for event in paid)
    alone = {event.tx_hash: event for event in paid if in_transaction[event.tx_hash] == 1}
    by_transaction: dict[str, list[Log]] = defaultdict(list)
    for log in logs:
        by_transaction[log["transactionHash"]].append(log)
    chunks = stored_entries(session, [(e.batch_id, e.args["chunkIndex"]) for e in paid])
    rest: list[Log] = []
    for tx_hash, mints in by_transaction.items():
        chunk_paid = alone.get(tx_hash)
        if chunk_paid is not None and _are_entries(mints, chunk_paid, chunks):
            chunk_paid.mints_log_index = int(mints[0]["logIndex"], 16)
        else:
            rest += mints
    return rest


_Entries = Mapping[tuple[str | None, int], bytes]


def stored_entries(session: Session, chunks: Collection[tuple[str | None, int]]) -> _Entries:
    """Return the entries of those chunks, by batch and index, that have a row here."""
    found = session.execute(
        select(Chunk.batch_id, Chunk.chunk_index, Chunk.entries).where(
            tuple_(Chunk.batch_id, Chunk.chunk_index).in_(chunks)
        )
    )
    return {(batch_id, index): bytes(entries) for batch_id, index, entries in found}


def _are_entries(logs: Sequence[Log], event: Event, chunks: _Entries) -> bool:
    """Whether transfers mint just the entries of our chunk, in order, but for those skipped."""
    entries = chunks.get((event.batch_id, event.args["chunkIndex"]))
    if entries is None:
        return False
    skipped = streams.bits(event.args["skippedLow"], event.args["skippedHigh"])
    first = int(logs[0]["logIndex"], 16)
    minted = []
    for place, log in enumerate(logs, start=first):
        _, sender, payee = log["topics"]
        amount = log["data"]
        if (
            sender != _NO_ADDRESS
            or amount[:_AMOUNT_AT] != _SMALL
            or int(log["logIndex"], 16) != place
        ):
            return False
        minted.append(payee[_ADDRESS_AT:] + amount[_AMOUNT_AT:])
    return "".join(minted).lower() == _without(entries.hex(), skipped)


def _without(words: str, skipped: Collection[int]) -> str:
    if not skipped:
        return words
    starts = range(0, len(words), _WORD_DIGITS)
    return "".join(
        words[at : at + _WORD_DIGITS] for place, at in enumerate(starts) if place not in skipped
    )


def _row(log: Log) -> tuple[Any, ...]:
    _, sender, receiver = log["topics"]
    return (
        int(log["blockNumber"], 16),
        int(log["logIndex"], 16),
        log["blockHash"],
        log["transactionHash"],
        eip55("0x" + sender[_ADDRESS_AT:].lower()),
        eip55("0x" + receiver[_ADDRESS_AT:].lower()),
        int(log["data"], 16),
    )
