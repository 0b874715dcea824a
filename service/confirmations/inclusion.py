"""Which transactions the events read so far are of, for the engine that sent them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations.models import Event


def blocks_of(session: Session, tx_hashes: Sequence[str]) -> Mapping[str, tuple[int, str]]:
    """Return number and hash of the block that holds events of each transaction which has some."""
    found = session.execute(
        select(Event.tx_hash, Event.block_number, Event.block_hash)
        .where(Event.tx_hash.in_(tx_hashes))
        .distinct()
    )
    return {tx_hash: (number, block_hash) for tx_hash, number, block_hash in found}
