"""Tables of what the chain said: blocks, events, transfers, and how far they were read.

Everything here can be deleted and read again from the chain. Hashes and addresses are 0x-hex text,
addresses in EIP-55 spelling.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import JSON, BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.db import Amount, Base, UtcDateTime
from service.transactions.models import RowId


class Block(Base):
    """Header of a block on the chain we follow; one for each number.

    Blocks that were already final when they were read are kept only where they hold events.
    """

    __tablename__ = "blocks"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(66), unique=True)
    parent_hash: Mapped[str] = mapped_column(String(66))
    timestamp_unix_s: Mapped[int] = mapped_column(BigInteger)


class Event(Base):
    """One event of our contracts other than the token's ``Transfer`` and ``Approval``.

    Attributes
    ----------
    contract
        ``vault``, ``token``, ``registry`` or ``manager``.
    args
        Arguments by name. Integers of up to 48 bits are JSON numbers, wider ones decimal strings;
        bytes are 0x-hex, addresses EIP-55; structs are objects.
    batch_id, programme
        The arguments of these names, where the event has them, for look-ups.
    seq
        The contract's own count (vault and registry).
    final
        Its block can no longer leave the chain.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("block_number", "log_index"),
        Index(None, "name", "batch_id"),
        Index(None, "name", "programme"),
        Index(None, "batch_id"),
        Index(None, "contract", "seq"),
        Index(None, "tx_hash"),
        Index(None, "final", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[str] = mapped_column(String(66))
    tx_hash: Mapped[str] = mapped_column(String(66))
    log_index: Mapped[int]
    contract: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(48))
    args: Mapped[dict[str, Any]] = mapped_column(JSON)
    batch_id: Mapped[str | None] = mapped_column(String(66))
    programme: Mapped[int | None] = mapped_column(BigInteger)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    final: Mapped[bool] = mapped_column(default=False)

    final_on_arrival = False
    """Not stored: its block was deep enough when it was read, so what it pays is paid at once."""

    mints_log_index = cast("int | None", None)
    """Not stored: of a ``ChunkPaid``, where the mints begin that its chunk's row keeps."""


class Transfer(Base):
    """One ``Transfer`` of the token; from the zero address it is a mint, to it a redemption.

    The mints of a chunk are no rows of their own where the chunk says them (``mints_log_index``).
    """

    __tablename__ = "transfers"
    __table_args__ = (
        Index(None, "from_address", "block_number"),
        Index(None, "to_address", "block_number"),
        Index(None, "tx_hash"),
    )

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    block_hash: Mapped[str] = mapped_column(String(66))
    tx_hash: Mapped[str] = mapped_column(String(66))
    from_address: Mapped[str] = mapped_column(String(42))
    to_address: Mapped[str] = mapped_column(String(42))
    value: Mapped[int] = mapped_column(Amount)


class Cursor(Base):
    """How far a reader has got: everything up to and including this block.

    Attributes
    ----------
    name
        ``events`` (read and projected) or ``final`` (can no longer leave the chain).
    """

    __tablename__ = "cursors"

    chain_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[str] = mapped_column(String(66))


class ChainAlarm(Base):
    """Something a person must look at.

    Attributes
    ----------
    kind
        See :class:`service.confirmations.alarms.AlarmKind`, which says also which of them stop the
        worker.
    cleared_at
        When a person settled it.
    """

    __tablename__ = "chain_alarms"

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(Text)
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
