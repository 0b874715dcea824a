"""Tables of the submission engine: lanes, transactions, and each signed attempt of them.

Times are Unix milliseconds of the *database's* clock (:mod:`service.transactions.dbclock`): several
workers share it, and none of theirs has to be right.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from service.db import Amount, Base

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows up only in a column that is INTEGER by name."""

LIVE_STATES_SQL = "state IN ('built', 'signed', 'sent', 'included', 'replaced', 'reorged')"
"""A dedupe key names one transaction at a time among these; the others are done with."""


class Lane(Base):
    """One sender on one chain: its nonces, and which worker may use them now.

    Attributes
    ----------
    next_nonce
        Nonce the next signed transaction takes; it only grows.
    lease_owner
        Worker that holds the lane, or None.
    fence
        Grows by one with every new lease; each update of the engine checks it.
    lease_expires_unix_ms
        When another worker may take the lane, database clock.
    out_of_funds
        The node refused the last transaction for want of gas money.
    """

    __tablename__ = "lanes"

    chain_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sender: Mapped[str] = mapped_column(String(42), primary_key=True)
    next_nonce: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_expires_unix_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    out_of_funds: Mapped[bool] = mapped_column(default=False)


class WorkerPresence(Base):
    """A worker that lives, or did a moment ago: others share the lanes with it.

    Attributes
    ----------
    owner
        Its name, as in :attr:`Lane.lease_owner`.
    senders
        Those it has keys of.
    seen_unix_ms
        When it last said that it lives, database clock.
    """

    __tablename__ = "workers"

    chain_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    owner: Mapped[str] = mapped_column(String(100), primary_key=True)
    senders: Mapped[list[str]] = mapped_column(JSON)
    seen_unix_ms: Mapped[int] = mapped_column(BigInteger)


class Transaction(Base):
    """One transaction we mean to have on chain; its nonce belongs to it for ever.

    Attributes
    ----------
    nonce
        None until the first signed bytes are committed.
    kind
        What it does, see :class:`service.transactions.states.Kind`.
    dedupe_key
        Names the effect (``chunk:<batch>:<index>``); unique among live rows, so planning the same
        effect twice makes one row.
    state
        See :data:`service.transactions.states.TRANSITIONS`.
    block_number, block_hash, mined_tx_hash
        Where its receipt stands, and which attempt it is of.
    error
        Last refusal or failure, in words.
    retry_at_unix_ms
        A refused ``built`` row is tried again from then on, database clock.
    request_id
        The ``chain_requests`` row it is for.
    asked_by_request
        Id of the API call or command that asked for it, for the log (decision 0093).
    """

    __tablename__ = "transactions"
    __table_args__ = (
        ForeignKeyConstraint(["chain_id", "sender"], ["lanes.chain_id", "lanes.sender"]),
        UniqueConstraint("chain_id", "sender", "nonce"),
        Index(
            "uq_transactions_live_dedupe_key",
            "chain_id",
            "dedupe_key",
            unique=True,
            sqlite_where=text(LIVE_STATES_SQL),
            postgresql_where=text(LIVE_STATES_SQL),
        ),
        Index(None, "chain_id", "sender", "state"),
        Index(None, "block_number"),
        Index(None, "batch_id", "chunk_index"),
        Index(None, "request_id", "id"),
        Index(None, "action_id"),
        Index(None, "state", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    chain_id: Mapped[int] = mapped_column(BigInteger)
    sender: Mapped[str] = mapped_column(String(42))
    nonce: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(32))
    target: Mapped[str] = mapped_column(String(42))
    calldata: Mapped[bytes] = mapped_column(LargeBinary)
    gas_limit: Mapped[int | None] = mapped_column(BigInteger)
    dedupe_key: Mapped[str] = mapped_column(String(200))
    batch_id: Mapped[str | None] = mapped_column(String(66))
    chunk_index: Mapped[int | None]
    action_id: Mapped[str | None] = mapped_column(String(66))
    request_id: Mapped[str | None] = mapped_column(String(66))
    state: Mapped[str] = mapped_column(String(16), default="built")
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    block_hash: Mapped[str | None] = mapped_column(String(66))
    mined_tx_hash: Mapped[str | None] = mapped_column(String(66))
    gas_used: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(default=0)
    retry_at_unix_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    created_unix_ms: Mapped[int] = mapped_column(BigInteger)
    asked_by_request: Mapped[str | None] = mapped_column(String(64))

    def __init__(self, **values: Any) -> None:
        values.setdefault("state", "built")
        super().__init__(**values)


class TransactionAttempt(Base):
    """Signed bytes of a transaction, committed before they are first sent.

    Attributes
    ----------
    n
        0 for the first; a replacement counts up.
    purpose
        ``call``: the transaction itself. ``fill``: an empty transfer to the sender itself that
        uses the nonce up, since the effect is no longer wanted.
    raw
        The signed transaction as it goes over the wire.
    max_fee_per_gas, priority_fee_per_gas
        Wei; on a chain before EIP-1559 both are the gas price.
    sent_unix_ms
        When it was last handed to the node, database clock; None before the first time.
    error
        The node's own words, of a refusal.
    answer
        What the node last said of it, see :class:`service.transactions.outcomes.SendOutcome`; None
        before it said anything.
    refused_since_unix_ms
        Since when it said nothing better than a refusal, database clock; None when it took it.
    """

    __tablename__ = "transaction_attempts"
    __table_args__ = (UniqueConstraint("transaction_id", "n"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transactions.id"))
    n: Mapped[int]
    purpose: Mapped[str] = mapped_column(String(8), default="call")
    tx_hash: Mapped[str] = mapped_column(String(66), unique=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    max_fee_per_gas: Mapped[int] = mapped_column(Amount)
    priority_fee_per_gas: Mapped[int] = mapped_column(Amount)
    signed_unix_ms: Mapped[int] = mapped_column(BigInteger)
    first_sent_unix_ms: Mapped[int | None] = mapped_column(BigInteger)
    sent_unix_ms: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(String(16))
    refused_since_unix_ms: Mapped[int | None] = mapped_column(BigInteger)
