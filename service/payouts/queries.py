"""Looking at batches and payouts: one, a page, the sums of a batch and what is stuck in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from eth_utils.address import is_address, to_checksum_address
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.db import lock
from service.errors import InvalidInput, NotFound
from service.payouts.models import (
    BY_CHUNK,
    ITS_CHUNK,
    OPEN_REQUEST_STATES,
    Batch,
    ChainRequest,
    Chunk,
    Payout,
    Programme,
    in_state,
)
from service.payouts.paging import Page, check_limit, indexed_cursor, parse_indexed_cursor
from service.payouts.states import BatchState, ChunkState, PayoutState
from service.units import format_amount, format_unix_s


@dataclass(frozen=True, slots=True)
class StateSum:
    """How many payouts are in a state, and their amount."""

    count: int
    amount_base_units: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """Something that keeps money from moving.

    Attributes
    ----------
    code
        Stable kind, snake_case.
    message
        A sentence a person can act on.
    count
        Payouts or chunks concerned; 0 for the whole batch.
    """

    code: str
    message: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A batch, its payouts by state, its chunks by state, and what is stuck."""

    batch: Batch
    payouts: Mapping[PayoutState, StateSum]
    chunks: Mapping[ChunkState, int]
    stuck: tuple[Stuck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutFilter:
    """Every member that is set must match."""

    batch_id: str | None = None
    programme_id: int | None = None
    state: PayoutState | None = None
    kind: str | None = None
    payee: str | None = None
    case_id: str | None = None
    skip_reason: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions for a WHERE clause."""
        equal = [
            (Payout.batch_id, self.batch_id),
            (Payout.programme_id, self.programme_id),
            (Payout.kind, self.kind),
            (Payout.payee, checksummed(self.payee) if self.payee is not None else None),
            (Payout.case_id, self.case_id),
            (Payout.skip_reason, self.skip_reason),
        ]
        wanted = [column == value for column, value in equal if value is not None]
        return wanted if self.state is None else [*wanted, in_state(self.state)]


_ALL_PAYOUTS = PayoutFilter()


def checksummed(address: str) -> str:
    """Return an address in EIP-55 form.

    Raises
    ------
    InvalidInput
        When it is none.
    """
    if not is_address(address):
        raise InvalidInput(f"not an address: {address}")
    return to_checksum_address(address)


def get_batch(session: Session, batch_id: str) -> Batch:
    """Return a batch.

    Raises
    ------
    NotFound
        When there is none with this id.
    """
    found = session.get(Batch, batch_id.lower())
    if found is None:
        raise NotFound(f"there is no batch {batch_id}")
    return found


def lock_batch(session: Session, batch_id: str) -> Batch:
    """Return a batch as it is now, locked against other commands until the transaction's end.

    Raises
    ------
    NotFound
        When there is none with this id.
    """
    return lock(session, get_batch(session, batch_id))


def list_batches(
    session: Session,
    *,
    programme_id: int | None = None,
    state: BatchState | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Batch]:
    """Return one page of batches, oldest first.

    Raises
    ------
    InvalidInput
        When the limit is out of range or the cursor is none of ours.
    """
    statement = select(Batch).order_by(Batch.created_at, Batch.id).limit(check_limit(limit) + 1)
    if programme_id is not None:
        statement = statement.where(Batch.programme_id == programme_id)
    if state is not None:
        statement = statement.where(Batch.state == state.value)
    if cursor is not None:
        at, last_id = _parse_batch_cursor(cursor)
        statement = statement.where(
            or_(Batch.created_at > at, and_(Batch.created_at == at, Batch.id > last_id))
        )
    found = session.scalars(statement).all()
    items = found[:limit]
    more = len(found) > limit
    return Page(items, f"{items[-1].created_at.isoformat()}~{items[-1].id}" if more else None)


def _parse_batch_cursor(cursor: str) -> tuple[datetime, str]:
    at, _, batch_id = cursor.partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not batch_id.startswith("0x"):
        raise InvalidInput("the cursor is not one that a page of batches gave")
    return moment, batch_id


def get_payout(session: Session, batch_id: str, index: int) -> Payout:
    """Return a payout.

    Raises
    ------
    NotFound
        When there is none.
    """
    found = session.get(Payout, (batch_id.lower(), index))
    if found is None:
        raise NotFound(f"there is no payout {index} in batch {batch_id}")
    return found


def list_payouts(
    session: Session,
    payout_filter: PayoutFilter = _ALL_PAYOUTS,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Payout]:
    """Return one page of payouts, by batch and index.

    Raises
    ------
    InvalidInput
        When the limit is out of range or the cursor is none of ours.
    """
    statement = (
        select(Payout)
        .where(*payout_filter.conditions())
        .order_by(Payout.batch_id, Payout.index)
        .limit(check_limit(limit) + 1)
    )
    if cursor is not None:
        batch_id, index = parse_indexed_cursor(cursor)
        statement = statement.where(
            or_(
                Payout.batch_id > batch_id,
                and_(Payout.batch_id == batch_id, Payout.index > index),
            )
        )
    found = session.scalars(statement).all()
    items = found[:limit]
    more = len(found) > limit
    return Page(items, indexed_cursor(items[-1].batch_id, items[-1].index) if more else None)


def payout_sums(session: Session, *where: ColumnElement[bool]) -> dict[PayoutState, StateSum]:
    """Return count and amount of the matching payouts, by state.

    Amounts are added up here, one term a distinct amount: SQLite's SUM is not exact on them.
    """
    counts: Counter[PayoutState] = Counter()
    amounts: Counter[PayoutState] = Counter()
    rows = session.execute(
        select(Payout.own_state, Chunk.state, Payout.amount_base_units, func.count())
        .outerjoin(Chunk, ITS_CHUNK)
        .where(*where)
        .group_by(Payout.own_state, Chunk.state, Payout.amount_base_units)
    )
    for own, chunk_state, amount_base_units, count in rows:
        state = PayoutState(own)
        if state is PayoutState.QUEUED:
            state = BY_CHUNK[ChunkState(chunk_state)]
        counts[state] += count
        amounts[state] += amount_base_units * count
    return {state: StateSum(counts[state], amounts[state]) for state in sorted(counts)}


def batch_status(session: Session, batch_id: str, *, clock: Clock = SYSTEM_CLOCK) -> BatchStatus:
    """Return a batch with its sums, and what is stuck in it and why.

    Raises
    ------
    NotFound
        When there is no such batch.
    """
    batch = get_batch(session, batch_id)
    payouts = payout_sums(session, Payout.batch_id == batch.id)
    chunk_counts = session.execute(
        select(Chunk.state, func.count()).where(Chunk.batch_id == batch.id).group_by(Chunk.state)
    )
    chunks = {ChunkState(state): count for state, count in chunk_counts}
    stuck = tuple(stuck_in(session, batch, int(clock.now().timestamp())))
    return BatchStatus(batch, payouts, chunks, stuck)


_MAY_RETURN = (PayoutState.QUEUED, PayoutState.SENT, PayoutState.HELD)
"""Of a batch on chain: not paid by a chunk, nor returned to the budget for good."""


def stuck_in(session: Session, batch: Batch, now_unix_s: int) -> list[Stuck]:
    """Return what is stuck in a batch and why; reads no payout but those concerned."""
    found = _paused(session, batch)
    if batch.last_error:
        found.append(Stuck("refused", batch.last_error))
    if batch.state in (BatchState.DRAFT, BatchState.APPROVED, BatchState.RELEASED) and (
        batch.execute_before_unix_s <= now_unix_s
    ):
        found.append(Stuck("too_late_to_approve", "its time to execute before is over"))
    if batch.state == BatchState.ONCHAIN and (open_chunks := _open_chunks(session, batch)):
        if batch.execute_before_unix_s <= now_unix_s:
            if any(_count_in(session, batch, state) for state in _MAY_RETURN):
                message = "the time to run chunks is over: the rest returns to the budget"
                found.append(Stuck("too_late_to_execute", message, open_chunks))
        elif (batch.execute_from_unix_s or 0) > now_unix_s:
            until = format_unix_s(batch.execute_from_unix_s or 0)
            message = f"the challenge delay, or a reviewer's hold, lasts until {until}"
            found.append(Stuck("challenge_delay", message, open_chunks))
    if batch.state == BatchState.CANCELLED and (
        held := _count_in(session, batch, PayoutState.HELD)
    ):
        message = "held until the cancellation is final"
        if batch.first_number is None:
            over = format_unix_s(batch.execute_before_unix_s)
            message = f"signatures may exist, so its cases are held until {over}"
        found.append(Stuck("held_after_cancel", message, held))
    return [*found, *_skipped(session, batch)]


def _open_chunks(session: Session, batch: Batch) -> int:
    return session.scalars(
        select(func.count())
        .select_from(Chunk)
        .where(
            Chunk.batch_id == batch.id,
            Chunk.state.in_([ChunkState.WAITING.value, ChunkState.SENT.value]),
        )
    ).one()


def _count_in(session: Session, batch: Batch, state: PayoutState) -> int:
    return session.scalars(
        select(func.count()).select_from(Payout).where(Payout.batch_id == batch.id, in_state(state))
    ).one()


def _paused(session: Session, batch: Batch) -> list[Stuck]:
    found = []
    if batch.paused:
        found.append(Stuck("paused", f"paused: {batch.pause_reason}"))
    programme = session.get_one(Programme, batch.programme_id)
    if programme.paused:
        why = f"programme {programme.code} is paused: {programme.pause_reason}"
        found.append(Stuck("programme_paused", why))
    return found


def _skipped(session: Session, batch: Batch) -> list[Stuck]:
    rows = session.execute(
        select(Payout.skip_reason, Payout.amount_base_units, func.count())
        .where(Payout.batch_id == batch.id, in_state(PayoutState.SKIPPED))
        .group_by(Payout.skip_reason, Payout.amount_base_units)
    )
    counts: Counter[str] = Counter()
    amounts: Counter[str] = Counter()
    for reason, amount_base_units, count in rows:
        counts[reason or "unknown"] += count
        amounts[reason or "unknown"] += amount_base_units * count
    return [
        Stuck(
            "skipped",
            f"skipped because {reason}: {format_amount(amounts[reason])}, to be retried when the "
            "wallet can be paid, or paid to another",
            counts[reason],
        )
        for reason in sorted(counts)
    ]


def open_requests(session: Session) -> list[ChainRequest]:
    """Return the requests that are not done, oldest first."""
    return list(
        session.scalars(
            select(ChainRequest)
            .where(ChainRequest.state.in_(OPEN_REQUEST_STATES))
            .order_by(ChainRequest.id)
        )
    )
