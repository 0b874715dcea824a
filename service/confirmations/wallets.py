"""A wallet's balance and history, from the token's transfers as they were read from the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.confirmations.models import Block, Transfer

ZERO_ADDRESS = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class WalletMove:
    """One transfer as a wallet sees it.

    Attributes
    ----------
    change_base_units
        Signed: what the balance rose or fell by; 0 for a transfer to oneself.
    other
        The other side; the zero address for a payment minted, or a redemption.
    """

    block_number: int
    timestamp_unix_s: int
    tx_hash: str
    log_index: int
    other: str
    change_base_units: int


def balance(session: Session, address: str) -> int:
    """Return a wallet's balance at the newest block read, base units."""
    wallet = to_checksum_address(address)
    received = session.scalars(select(Transfer.value).where(Transfer.to_address == wallet))
    total = sum(received)
    return total - sum(
        session.scalars(select(Transfer.value).where(Transfer.from_address == wallet))
    )


def history(
    session: Session, address: str, *, limit: int = 100, before_block: int | None = None
) -> Sequence[WalletMove]:
    """Return a wallet's transfers, newest first."""
    wallet = to_checksum_address(address)
    statement = (
        select(Transfer, Block.timestamp_unix_s)
        .join(Block, Block.number == Transfer.block_number)
        .where(or_(Transfer.from_address == wallet, Transfer.to_address == wallet))
        .order_by(Transfer.block_number.desc(), Transfer.log_index.desc())
        .limit(limit)
    )
    if before_block is not None:
        statement = statement.where(Transfer.block_number < before_block)
    moves = []
    for transfer, timestamp in session.execute(statement):
        outgoing, incoming = transfer.from_address == wallet, transfer.to_address == wallet
        moves.append(
            WalletMove(
                block_number=transfer.block_number,
                timestamp_unix_s=timestamp,
                tx_hash=transfer.tx_hash,
                log_index=transfer.log_index,
                other=transfer.to_address if outgoing else transfer.from_address,
                change_base_units=transfer.value * (incoming - outgoing),
            )
        )
    return moves
