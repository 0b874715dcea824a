"""Tables of programmes, batches, payouts, streams, grants, requests and the officers' journal.

Hashes, addresses and ids of 32 bytes are ``0x`` and hexadecimal; addresses in EIP-55 form. Numbers
the contracts keep in more than 31 bits are BIGINT.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    case,
    event,
    exists,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, column_property, mapped_column

from service.db import Amount, Base, UtcDateTime
from service.payouts.states import (
    EXECUTED,
    LIVE_GRANT_STATES,
    LIVE_PAYOUT_STATES,
    BatchState,
    ChunkState,
    GrantState,
    PayoutState,
    ProgrammeState,
    RequestState,
)
from service.telemetry.context import request_id

_RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts only an INTEGER primary key by itself."""

OPEN_REQUEST_STATES = (RequestState.REQUESTED, RequestState.PLANNED)


def sql_list(values: Iterable[str]) -> str:
    """Return ``('a', 'b')`` for constraints; the values are our own constants."""
    return "(" + ", ".join(f"'{value}'" for value in sorted(values)) + ")"


class RequestKind(StrEnum):
    """What a requested transaction does."""

    CREATE_PROGRAMME = "create_programme"
    SCHEDULE_BUDGET = "schedule_budget"
    APPLY_BUDGET = "apply_budget"
    DECREASE_BUDGET = "decrease_budget"
    RETRY_PAYOUT = "retry_payout"
    WITHDRAW_STREAM = "withdraw_stream"
    WITHDRAW_CHUNK = "withdraw_chunk"
    REDEEM_WITH_AUTHORIZATION = "redeem_with_authorization"
    ATTEST_RESERVE = "attest_reserve"
    EXPIRE_BATCH = "expire_batch"
    EXPIRE_PAYOUT = "expire_payout"
    EXPIRE_STREAMS = "expire_streams"
    LOWER_CAP = "lower_cap"
    APPLY_CAP = "apply_cap"
    ACTIVATE_MINTER = "activate_minter"
    TRANSFER_WITH_AUTHORIZATION = "transfer_with_authorization"
    CANCEL_AUTHORIZATION = "cancel_authorization"
    PERMIT = "permit"
    APPLY_LANE_LIMITS = "apply_lane_limits"
    LOWER_LANE_LIMITS = "lower_lane_limits"
    APPLY_REGION_CAP = "apply_region_cap"
    LOWER_REGION_CAP = "lower_region_cap"


class Programme(Base):
    """A programme; ``id`` is its number on chain.

    ``region_digits`` 0 (with code 0) is the whole country. ``tiers`` is a list of
    ``{up_to_base_units: "…", reviewers, challenge_delay_s}``, ascending. ``version`` and
    ``active_from`` are the chain's once the state is ``onchain``. ``paused`` is the service's own
    brake on all its batches. The key of its case commitments
    is derived by the keyring.
    """

    __tablename__ = "programmes"
    __table_args__ = (
        CheckConstraint(f"state IN {sql_list(ProgrammeState)}", name="state"),
        CheckConstraint("region_digits IN (0, 2, 4, 6)", name="region_digits"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    region_code: Mapped[int]
    region_digits: Mapped[int]
    budget_base_units: Mapped[int] = mapped_column(Amount)
    payout_cap_base_units: Mapped[int] = mapped_column(Amount)
    tiers: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    metadata_hash: Mapped[str] = mapped_column(String(66))
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    state: Mapped[str] = mapped_column(String(8), default=ProgrammeState.PROPOSED.value)
    active_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    pause_reason: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Batch(Base):
    """What one quorum of officers signs: the members of the contract's ``BatchApproval``.

    ``start_unix_s``, ``cliff_s``, ``duration_s`` and ``cadence_s`` are 0 for one-off batches.
    ``signing_opened_at`` is when the typed data was first handed out: from then on signatures may
    exist that we do not know of. ``asked_by_request`` is the call or command that built it, then
    the one that released it. ``first_number``, ``approved_block_*`` and ``execute_from_unix_s``
    come from ``BatchApproved``.
    """

    __tablename__ = "batches"
    __table_args__ = (
        CheckConstraint(f"state IN {sql_list(BatchState)}", name="state"),
        CheckConstraint("kind IN ('one_off', 'stream')", name="kind"),
        Index(None, "state", "id"),
        Index(None, "programme_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(66), primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programmes.id"))
    programme_version: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(7))
    region_code: Mapped[int]
    region_digits: Mapped[int]
    maker_officer_id: Mapped[int | None] = mapped_column(BigInteger)
    chunk_size: Mapped[int]
    chunks_root: Mapped[str] = mapped_column(String(66))
    manifest_hash: Mapped[str] = mapped_column(String(66))
    count: Mapped[int]
    total_base_units: Mapped[int] = mapped_column(Amount)
    start_unix_s: Mapped[int] = mapped_column(BigInteger, default=0)
    cliff_s: Mapped[int] = mapped_column(BigInteger, default=0)
    duration_s: Mapped[int] = mapped_column(BigInteger, default=0)
    cadence_s: Mapped[int] = mapped_column(BigInteger, default=0)
    execute_before_unix_s: Mapped[int] = mapped_column(BigInteger)
    expires_at_unix_s: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(9), default=BatchState.DRAFT.value)
    paused: Mapped[bool] = mapped_column(default=False)
    pause_reason: Mapped[str | None] = mapped_column(Text)
    signing_opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_number: Mapped[int | None] = mapped_column(BigInteger)
    approved_block_number: Mapped[int | None] = mapped_column(BigInteger)
    approved_block_hash: Mapped[str | None] = mapped_column(String(66))
    execute_from_unix_s: Mapped[int | None] = mapped_column(BigInteger)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_by: Mapped[str | None] = mapped_column(String(200))
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(Text)
    asked_by_request: Mapped[str | None] = mapped_column(String(64), default=request_id)


class Chunk(Base):
    """Up to 500 payouts that one transaction pays.

    ``entries`` are packed words (:mod:`service.payouts.entries`), ``leaf_hash`` is the leaf of the
    chunk tree. ``mints_log_index`` is the log index of the first of its mints where they were its
    entries, one after the other, but for those skipped: they are kept by this row alone, and else,
    where it is None, in ``transfers`` (decision 0101). ``updated_at`` is when the chain, or its
    sender, last moved it; None before.
    """

    __tablename__ = "chunks"
    __table_args__ = (
        CheckConstraint(f"state IN {sql_list(ChunkState)}", name="state"),
        Index(None, "state", "batch_id", "chunk_index"),
    )

    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    chunk_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entries: Mapped[bytes] = mapped_column(LargeBinary)
    leaf_hash: Mapped[str] = mapped_column(String(66))
    count: Mapped[int]
    total_base_units: Mapped[int] = mapped_column(Amount)
    state: Mapped[str] = mapped_column(String(8), default=ChunkState.WAITING.value)
    executed_block_number: Mapped[int | None] = mapped_column(BigInteger)
    executed_block_hash: Mapped[str | None] = mapped_column(String(66))
    tx_hash: Mapped[str | None] = mapped_column(String(66))
    mints_log_index: Mapped[int | None]
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


_LIVE = text(f"state IN {sql_list(LIVE_PAYOUT_STATES)}")


class Payout(Base):
    """One payment of one case.

    ``commitment`` is the case commitment, hexadecimal without ``0x`` as in ``cases``. ``case_id``
    is None only where a batch was restored from its manifest without its cases. ``number`` is the
    contract's, counted from the batch's ``first_number``.

    A payout goes the way of its chunk: ``own_state`` is ``queued`` from the release on, and
    ``state``, block, transaction and ``updated_at`` are then the chunk's. Only what leaves that way
    is written down here: what is held, skipped, cancelled or expired, and what was paid by a retry
    (decision 0101). To find payouts by state use :func:`in_state`.
    """

    __tablename__ = "payouts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["batch_id", "chunk_index"], ["chunks.batch_id", "chunks.chunk_index"]
        ),
        CheckConstraint(f"state IN {sql_list(PayoutState)}", name="state"),
        CheckConstraint("kind IN ('one_off', 'stream')", name="kind"),
        # Exactly once, before any chain is asked: a case has one live payout.
        Index(
            "uq_payouts_live_case",
            "case_id",
            unique=True,
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index(
            "uq_payouts_live_commitment",
            "commitment",
            unique=True,
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index(None, "state", "batch_id", "index"),
        Index(None, "programme_id", "state", "batch_id", "index"),
        Index(None, "payee"),
        Index(None, "case_id"),
    )

    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chunk_index: Mapped[int]
    case_id: Mapped[str | None] = mapped_column(ForeignKey("cases.id"))
    commitment: Mapped[str] = mapped_column(String(64))
    programme_id: Mapped[int] = mapped_column(ForeignKey("programmes.id"))
    payee: Mapped[str] = mapped_column(String(42))
    amount_base_units: Mapped[int] = mapped_column(Amount)
    kind: Mapped[str] = mapped_column(String(7))
    own_state: Mapped[str] = mapped_column("state", String(9), default=PayoutState.DRAFT.value)
    skip_reason: Mapped[str | None] = mapped_column(String(64))
    own_block_number: Mapped[int | None] = mapped_column("included_block_number", BigInteger)
    own_block_hash: Mapped[str | None] = mapped_column("included_block_hash", String(66))
    own_tx_hash: Mapped[str | None] = mapped_column("tx_hash", String(66))
    own_updated_at: Mapped[datetime] = mapped_column("updated_at", UtcDateTime)

    if TYPE_CHECKING:  # set below, where the chunk's and the batch's columns are known
        number: Mapped[int | None]
        state: Mapped[str]
        included_block_number: Mapped[int | None]
        tx_hash: Mapped[str | None]
        updated_at: Mapped[datetime]


IS_LIVE = text(f"payouts.{_LIVE}")
"""Whether a payout is live, in the words of the indexes on live ones: SQLite serves no others."""

BY_CHUNK = {
    ChunkState.WAITING: PayoutState.QUEUED,
    ChunkState.SENT: PayoutState.SENT,
    ChunkState.INCLUDED: PayoutState.INCLUDED,
    ChunkState.FINAL: PayoutState.PAID,
}
"""The state of a payout that goes the way of its chunk."""

ITS_CHUNK = (Chunk.batch_id == Payout.batch_id) & (Chunk.chunk_index == Payout.chunk_index)
"""Whether a chunk is a payout's."""

_OWN_WAY = Payout.own_state != PayoutState.QUEUED.value
_first_number = (
    select(Batch.first_number)
    .where(Batch.id == Payout.batch_id)
    .correlate_except(Batch)
    .scalar_subquery()
)


def _of_chunk(column: InstrumentedAttribute[Any], *where: ColumnElement[bool]) -> Any:
    return select(column).where(ITS_CHUNK, *where).correlate(Payout).scalar_subquery()


Payout.number = column_property(_first_number + Payout.index)
Payout.state = column_property(
    case(
        (_OWN_WAY, Payout.own_state),
        else_=case(
            {chunk.value: literal(payout.value) for chunk, payout in BY_CHUNK.items()},
            value=_of_chunk(Chunk.state),
        ),
    )
)
Payout.included_block_number = column_property(
    case((_OWN_WAY, Payout.own_block_number), else_=_of_chunk(Chunk.executed_block_number))
)
Payout.tx_hash = column_property(
    case((_OWN_WAY, Payout.own_tx_hash), else_=_of_chunk(Chunk.tx_hash))
)
Payout.updated_at = column_property(
    case(
        (_OWN_WAY, Payout.own_updated_at),
        else_=func.coalesce(
            _of_chunk(Chunk.updated_at, Chunk.state.in_(EXECUTED)), Payout.own_updated_at
        ),
    )
)


@event.listens_for(Payout.state, "set")
def _refuse_to_set(*_: object) -> None:
    raise AttributeError("a payout's state follows from its own and its chunk's: set own_state")


def in_state(state: PayoutState) -> ColumnElement[bool]:
    """Whether a payout is in a state, as a condition that indexes serve."""
    of_chunks = [chunk.value for chunk, payout in BY_CHUNK.items() if payout is state]
    own = Payout.own_state == state.value
    if not of_chunks:
        return own
    by_chunk = (Payout.own_state == PayoutState.QUEUED.value) & (
        exists().where(ITS_CHUNK, Chunk.state.in_(of_chunks)).correlate(Payout)
    )
    return by_chunk if state is PayoutState.QUEUED else own | by_chunk


class Stream(Base):
    """An opened stream, as its events left it.

    ``paid_through_s`` and ``cancelled_cut_s`` are seconds since the batch's start.
    """

    __tablename__ = "streams"
    __table_args__ = (
        ForeignKeyConstraint(["batch_id", "index"], ["payouts.batch_id", "payouts.index"]),
        Index(None, "payee"),
        Index(None, "batch_id", "chunk_index"),
    )

    batch_id: Mapped[str] = mapped_column(String(66), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chunk_index: Mapped[int]
    payee: Mapped[str] = mapped_column(String(42))
    total_base_units: Mapped[int] = mapped_column(Amount)
    opened_block: Mapped[int] = mapped_column(BigInteger)
    paid_through_s: Mapped[int] = mapped_column(BigInteger, default=0)
    withdrawn_base_units: Mapped[int] = mapped_column(Amount, default=0)
    cancelled_cut_s: Mapped[int | None] = mapped_column(BigInteger)
    returned_base_units: Mapped[int] = mapped_column(Amount, default=0)
    last_event_block: Mapped[int] = mapped_column(BigInteger)


_LIVE_GRANT = text(f"state IN {sql_list(LIVE_GRANT_STATES)}")


class EmergencyGrant(Base):
    """One grant of the emergency lane: proposed here, or known from its event alone.

    ``id`` is the grant's id on chain and that of the action its officer signs; ``commitment`` is
    hexadecimal without ``0x`` as in ``cases``. Without a case ``commitment_salt`` (0x-hex, 32
    bytes) and ``reason`` open the commitment (docs/privacy.md). ``overdue_from_unix_s`` and
    ``included_block_*`` come from ``GrantMade``, ``countersigned_by`` (an officer's number) from
    ``GrantCountersigned``.
    """

    __tablename__ = "emergency_grants"
    __table_args__ = (
        CheckConstraint(f"state IN {sql_list(GrantState)}", name="state"),
        CheckConstraint("region_digits IN (2, 4, 6)", name="region_digits"),
        # Exactly once, before the chain is asked: a case has one live grant.
        Index(
            "uq_emergency_grants_live_commitment",
            "commitment",
            unique=True,
            sqlite_where=_LIVE_GRANT,
            postgresql_where=_LIVE_GRANT,
        ),
        Index(None, "state", "id"),
        # Each build asks for every case whether it was granted.
        Index(None, "commitment"),
    )

    id: Mapped[str] = mapped_column(String(66), primary_key=True)
    officer_id: Mapped[int] = mapped_column(BigInteger)
    payee: Mapped[str] = mapped_column(String(42))
    amount_base_units: Mapped[int] = mapped_column(Amount)
    region_code: Mapped[int]
    region_digits: Mapped[int]
    commitment: Mapped[str] = mapped_column(String(64))
    valid_until_unix_s: Mapped[int] = mapped_column(BigInteger)
    case_id: Mapped[str | None] = mapped_column(ForeignKey("cases.id"))
    commitment_salt: Mapped[str | None] = mapped_column(String(66))
    reason: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(13), default=GrantState.PROPOSED.value)
    overdue_from_unix_s: Mapped[int | None] = mapped_column(BigInteger)
    countersigned_by: Mapped[int | None] = mapped_column(BigInteger)
    included_block_number: Mapped[int | None] = mapped_column(BigInteger)
    included_block_hash: Mapped[str | None] = mapped_column(String(66))
    tx_hash: Mapped[str | None] = mapped_column(String(66))
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


_OPEN = text(f"state IN {sql_list(OPEN_REQUEST_STATES)}")


class ChainRequest(Base):
    """A transaction somebody asked for; the submission engine plans and sends it.

    ``args`` are the call's arguments by name (32-byte values and addresses as hexadecimal,
    amounts as strings). At most one open request has a ``dedupe_key``.
    """

    __tablename__ = "chain_requests"
    __table_args__ = (
        CheckConstraint(f"state IN {sql_list(RequestState)}", name="state"),
        CheckConstraint(f"kind IN {sql_list(RequestKind)}", name="kind"),
        Index(
            "uq_chain_requests_open_dedupe_key",
            "dedupe_key",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index(None, "state", "id"),
    )

    id: Mapped[int] = mapped_column(_RowId, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(32))
    args: Mapped[dict[str, Any]] = mapped_column(JSON)
    dedupe_key: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(9), default=RequestState.REQUESTED.value)
    actor: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str | None] = mapped_column(Text)
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_by_request: Mapped[str | None] = mapped_column(String(64), default=request_id)


class JournalEntry(Base):
    """Who did what to what, and why; rows are only ever added."""

    __tablename__ = "officer_journal"
    __table_args__ = (Index(None, "object_type", "object_id", "id"),)

    id: Mapped[int] = mapped_column(_RowId, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(64))
    object_type: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(64), default=request_id)
