"""A wallet's balance and history, from the token's transfers as they were read from the chain.

What a chunk minted is in the rows of the chunk and its payouts, every other transfer in one of its
own (:mod:`service.confirmations.transfers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from sqlalchemy import Select, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from service.confirmations.models import Block, Transfer
from service.payouts.models import ITS_CHUNK, Batch, Chunk, Payout
from service.payouts.states import EXECUTED, PayoutState

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
    moves = union_all(_transfers(wallet), _mints(wallet)).subquery()
    return sum(
        value * ((receiver == wallet) - (sender == wallet))
        for sender, receiver, value in session.execute(
            select(moves.c.from_address, moves.c.to_address, moves.c.value)
        )
    )


def history(
    session: Session, address: str, *, limit: int = 100, before_block: int | None = None
) -> Sequence[WalletMove]:
    """Return a wallet's transfers, newest first."""
    wallet = to_checksum_address(address)
    moves = union_all(_transfers(wallet), _mints(wallet)).subquery()
    statement = (
        select(moves, Block.timestamp_unix_s)
        .join(Block, Block.number == moves.c.block_number)
        .order_by(moves.c.block_number.desc(), moves.c.log_index.desc())
        .limit(limit)
    )
    if before_block is not None:
        statement = statement.where(moves.c.block_number < before_block)
    return [
        WalletMove(
            block_number=block_number,
            timestamp_unix_s=timestamp,
            tx_hash=tx_hash,
            log_index=log_index,
            other=receiver if sender == wallet else sender,
            change_base_units=value * ((receiver == wallet) - (sender == wallet)),
        )
        for block_number, log_index, tx_hash, sender, receiver, value, timestamp in session.execute(
            statement
        )
    ]


def _transfers(wallet: str) -> Select[int, int, str, str, str, int]:
    return select(
        Transfer.block_number,
        Transfer.log_index,
        Transfer.tx_hash,
        Transfer.from_address,
        Transfer.to_address,
        Transfer.value,
    ).where(or_(Transfer.from_address == wallet, Transfer.to_address == wallet))


def _mints(wallet: str) -> Select[int | None, int | None, str | None, str, str, int]:
    """What chunks minted to a wallet and only their rows say, in the columns of a transfer."""
    queued = PayoutState.QUEUED.value
    other = Payout.__table__.alias()
    skipped_before = (
        select(func.count())
        .where(
            other.c.batch_id == Payout.batch_id,
            other.c.index >= Chunk.chunk_index * Batch.chunk_size,
            other.c.index < Payout.index,
            other.c.state != queued,
        )
        .correlate(Payout, Chunk, Batch)
        .scalar_subquery()
    )
    place = Payout.index - Chunk.chunk_index * Batch.chunk_size - skipped_before
    return (
        select(
            Chunk.executed_block_number,
            Chunk.mints_log_index + place,
            Chunk.tx_hash,
            literal(ZERO_ADDRESS),
            Payout.payee,
            Payout.amount_base_units,
        )
        .join(Batch, Batch.id == Payout.batch_id)
        .join(Chunk, ITS_CHUNK)
        .where(
            Payout.payee == wallet,
            Payout.own_state == queued,
            Chunk.mints_log_index.is_not(None),
            Chunk.state.in_(EXECUTED),
        )
    )
