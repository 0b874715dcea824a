"""Streams and wallets as the database knows them, and asking for withdrawals.

What has accrued is computed from the terms, as the contract does; what was withdrawn comes from
events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.errors import Conflict, InvalidInput, NotFound
from service.payouts.models import Batch, ChainRequest, Chunk, Payout, RequestKind, Stream
from service.payouts.paging import Page, check_limit, indexed_cursor, parse_indexed_cursor
from service.payouts.queries import StateSum, checksummed, get_batch, payout_sums
from service.payouts.requests import ask
from service.payouts.states import EXECUTED, PayoutState
from service.payouts.vesting import Terms, payable_through, vested


@dataclass(frozen=True, slots=True)
class StreamView:
    """A stream at a moment.

    Attributes
    ----------
    accrued_base_units
        What could have been withdrawn by then in all: whole cadence steps, or to the second for a
        cancelled stream.
    withdrawn_base_units
        What was paid.
    withdrawable_base_units
        The difference.
    """

    stream: Stream
    terms: Terms
    at_unix_s: int
    accrued_base_units: int
    withdrawn_base_units: int

    @property
    def withdrawable_base_units(self) -> int:
        """What a withdrawal would pay."""
        return max(0, self.accrued_base_units - self.withdrawn_base_units)


@dataclass(frozen=True, slots=True)
class WalletView:
    """What the database knows of an address.

    Attributes
    ----------
    one_off, streamed
        Payouts to it by state.
    received_base_units
        Paid and included one-off payouts, and withdrawals.
    withdrawable_base_units
        What its streams would pay now.
    streams
        Its streams.
    payouts
        Its newest payouts, at most 500.
    """

    address: str
    one_off: dict[PayoutState, StateSum]
    streamed: dict[PayoutState, StateSum]
    received_base_units: int
    withdrawable_base_units: int
    streams: tuple[StreamView, ...]
    payouts: tuple[Payout, ...]


_HISTORY_ROWS = 500


def terms_of(batch: Batch) -> Terms:
    """Return the terms of a batch of streams."""
    return Terms(batch.start_unix_s, batch.cliff_s, batch.duration_s, batch.cadence_s)


def view_of(stream: Stream, batch: Batch, at_unix_s: int) -> StreamView:
    """Return a stream as it stands at a moment.

    What was paid had accrued, whatever the moment: without a node it is by a clock that may be
    behind the chain's.
    """
    terms = terms_of(batch)
    through = max(payable_through(terms, at_unix_s), stream.paid_through_s)
    if stream.cancelled_cut_s is not None:
        through = stream.cancelled_cut_s
    return StreamView(
        stream,
        terms,
        at_unix_s,
        vested(stream.total_base_units, through, terms.duration_s),
        stream.withdrawn_base_units,
    )


def get_stream(
    session: Session, batch_id: str, index: int, *, clock: Clock = SYSTEM_CLOCK
) -> StreamView:
    """Return one stream.

    Raises
    ------
    NotFound
        When there is none, or it is not open yet.
    """
    found = session.get(Stream, (batch_id.lower(), index))
    if found is None:
        raise NotFound(f"there is no open stream {index} in batch {batch_id}")
    return view_of(found, get_batch(session, batch_id), int(clock.now().timestamp()))


def list_streams(
    session: Session,
    *,
    batch_id: str | None = None,
    programme_id: int | None = None,
    payee: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Page[StreamView]:
    """Return one page of streams, by batch and index.

    Raises
    ------
    InvalidInput
        When the limit is out of range, the cursor is none of ours or the payee is no address.
    """
    statement = (
        select(Stream, Batch)
        .join(Batch, Batch.id == Stream.batch_id)
        .order_by(Stream.batch_id, Stream.index)
        .limit(check_limit(limit) + 1)
    )
    if batch_id is not None:
        statement = statement.where(Stream.batch_id == batch_id.lower())
    if programme_id is not None:
        statement = statement.where(Batch.programme_id == programme_id)
    if payee is not None:
        statement = statement.where(Stream.payee == checksummed(payee))
    if cursor is not None:
        last_batch, last = parse_indexed_cursor(cursor)
        statement = statement.where(
            or_(
                Stream.batch_id > last_batch,
                and_(Stream.batch_id == last_batch, Stream.index > last),
            )
        )
    now_unix_s = int(clock.now().timestamp())
    found = [view_of(stream, batch, now_unix_s) for stream, batch in session.execute(statement)]
    items = found[:limit]
    more = len(found) > limit
    last_row = items[-1].stream if more else None
    return Page(items, indexed_cursor(last_row.batch_id, last_row.index) if last_row else None)


def request_withdraw(
    session: Session, batch_id: str, index: int, *, actor: str, clock: Clock = SYSTEM_CLOCK
) -> ChainRequest:
    """Ask that one stream be paid what it has accrued.

    Raises
    ------
    NotFound
        When there is no such open stream.
    Conflict
        When nothing has accrued since the last withdrawal.
    """
    view = get_stream(session, batch_id, index, clock=clock)
    if view.withdrawable_base_units == 0:
        raise Conflict(f"stream {index} of batch {batch_id} has nothing to withdraw yet")
    stream = view.stream
    return ask(
        session,
        RequestKind.WITHDRAW_STREAM,
        {"batchId": stream.batch_id, "index": stream.index},
        dedupe_key=f"withdraw_stream:{stream.batch_id}:{stream.index}",
        actor=actor,
        clock=clock,
    )


def request_withdraw_all(
    session: Session,
    batch_id: str,
    *,
    actor: str,
    chunk_index: int | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> list[ChainRequest]:
    """Ask that all streams of a batch, or of one chunk, be paid what they have accrued.

    Returns
    -------
    list[ChainRequest]
        One request a chunk that is open.

    Raises
    ------
    NotFound
        When there is no such batch.
    Conflict
        When it is no batch of streams, or none is open.
    """
    batch = get_batch(session, batch_id)
    if batch.kind != "stream":
        raise Conflict(f"batch {batch.id} has no streams")
    statement = (
        select(Chunk.chunk_index)
        .where(
            Chunk.batch_id == batch.id,
            Chunk.state.in_(EXECUTED),
        )
        .order_by(Chunk.chunk_index)
    )
    if chunk_index is not None:
        statement = statement.where(Chunk.chunk_index == chunk_index)
    chunks: Sequence[int] = session.scalars(statement).all()
    if not chunks:
        raise Conflict(f"no stream of batch {batch.id} is open")
    return [
        ask(
            session,
            RequestKind.WITHDRAW_CHUNK,
            {"batchId": batch.id, "chunkIndex": index},
            dedupe_key=f"withdraw_chunk:{batch.id}:{index}",
            actor=actor,
            clock=clock,
        )
        for index in chunks
    ]


def cancellation_masks(
    session: Session, batch_id: str, indices: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """Return, by chunk, the masks (low, high) that name these streams to ``cancelStreams``.

    Bit i of low is stream i of the chunk, bit i of high is stream 256 + i.

    Raises
    ------
    NotFound
        When there is no such batch, or a stream is not open.
    InvalidInput
        When no stream is named.
    Conflict
        When a stream is cancelled.
    """
    batch = get_batch(session, batch_id)
    if not indices:
        raise InvalidInput("name at least one stream to cancel")
    masks: dict[int, int] = {}
    for index in sorted(set(indices)):
        stream = session.get(Stream, (batch.id, index))
        if stream is None:
            raise NotFound(f"there is no open stream {index} in batch {batch.id}")
        if stream.cancelled_cut_s is not None:
            raise Conflict(f"stream {index} of batch {batch.id} is cancelled")
        chunk_index, place = divmod(index, batch.chunk_size)
        masks[chunk_index] = masks.get(chunk_index, 0) | 1 << place
    return {chunk: (mask & (2**256 - 1), mask >> 256) for chunk, mask in masks.items()}


def wallet_view(session: Session, address: str, *, clock: Clock = SYSTEM_CLOCK) -> WalletView:
    """Return what the database knows of an address; an unknown one has nothing.

    Raises
    ------
    InvalidInput
        When it is no address.
    """
    payee = checksummed(address)
    one_off = payout_sums(session, Payout.payee == payee, Payout.kind == "one_off")
    streamed = payout_sums(session, Payout.payee == payee, Payout.kind == "stream")
    now_unix_s = int(clock.now().timestamp())
    streams = tuple(
        view_of(stream, batch, now_unix_s)
        for stream, batch in session.execute(
            select(Stream, Batch)
            .join(Batch, Batch.id == Stream.batch_id)
            .where(Stream.payee == payee)
            .order_by(Stream.batch_id, Stream.index)
        )
    )
    payouts = session.scalars(
        select(Payout)
        .where(Payout.payee == payee)
        .order_by(Payout.updated_at.desc(), Payout.batch_id, Payout.index)
        .limit(_HISTORY_ROWS)
    ).all()
    minted = sum(
        one_off[state].amount_base_units
        for state in (PayoutState.INCLUDED, PayoutState.PAID)
        if state in one_off
    )
    return WalletView(
        address=payee,
        one_off=one_off,
        streamed=streamed,
        received_base_units=minted + sum(view.withdrawn_base_units for view in streams),
        withdrawable_base_units=sum(view.withdrawable_base_units for view in streams),
        streams=streams,
        payouts=tuple(payouts),
    )
