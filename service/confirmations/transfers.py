"""The token's ``Transfer`` logs: by far the most there are, so they are read by their place alone.

A chunk mints to 500 payees in as many logs. Their addresses are spelled (EIP-55) as our payouts of
that chunk have them where the digits are the same; each other one costs a hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.chain.contracts import Contracts
from service.confirmations.models import Event, Transfer
from service.confirmations.wallets import ZERO_ADDRESS
from service.db import insert_many
from service.payouts.models import Payout
from service.units import eip55

_COLUMNS = (
    *("block_number", "log_index", "block_hash", "tx_hash"),
    *("from_address", "to_address", "value"),
)
_ADDRESS_AT = 2 + 24
"""Where an address begins in a topic: after ``0x`` and twelve zero bytes."""


class TransferLog(NamedTuple):
    """One ``Transfer`` as the node gives it; addresses in small letters."""

    block_number: int
    log_index: int
    block_hash: str
    tx_hash: str
    from_address: str
    to_address: str
    value: int


class TransferReader:
    """Reads the token's ``Transfer`` logs.

    Parameters
    ----------
    contracts
        Where the token stands.
    """

    def __init__(self, contracts: Contracts) -> None:
        self._token = contracts.address("token").lower()
        self._topic = contracts.topic("token", "Transfer")

    def read(self, log: dict[str, Any]) -> TransferLog | None:
        """Read one log as the node gives it; None if it is none of the token's ``Transfer``."""
        topics = log["topics"]
        if not topics or topics[0] != self._topic or log["address"].lower() != self._token:
            return None
        _, sender, receiver = topics
        return TransferLog(
            int(log["blockNumber"], 16),
            int(log["logIndex"], 16),
            log["blockHash"],
            log["transactionHash"],
            "0x" + sender[_ADDRESS_AT:].lower(),
            "0x" + receiver[_ADDRESS_AT:].lower(),
            int(log["data"], 16),
        )


def store_transfers(session: Session, logs: Sequence[TransferLog], events: Sequence[Event]) -> None:
    """Write transfers, spelled as EIP-55 has it.

    Parameters
    ----------
    events
        Of the same blocks: their ``ChunkPaid`` say which payouts' payees to look among.
    """
    if not logs:
        return
    spelling = {ZERO_ADDRESS: ZERO_ADDRESS} | _payees(session, events)
    rows = [
        (
            *log[:4],
            spelling.get(log.from_address) or eip55(log.from_address),
            spelling.get(log.to_address) or eip55(log.to_address),
            log.value,
        )
        for log in logs
    ]
    insert_many(session, Transfer, _COLUMNS, rows)


def _payees(session: Session, events: Sequence[Event]) -> dict[str, str]:
    """Payees of the chunks paid, by their address in small letters."""
    paid = [
        (Payout.batch_id == event.batch_id) & (Payout.chunk_index == event.args["chunkIndex"])
        for event in events
        if event.name == "ChunkPaid"
    ]
    if not paid:
        return {}
    found = session.execute(select(Payout.payee).where(or_(*paid)))
    return {payee.lower(): payee for (payee,) in found}
