"""What a stream has been paid, from its events: the contract's arithmetic (``Vesting.sol``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from service.confirmations.models import Event
from service.payouts.entries import unpack_entries
from service.payouts.models import Batch, Chunk, Stream
from service.payouts.vesting import vested

STREAM_EVENTS = (
    *("StreamsOpened", "StreamWithdrawn", "StreamsWithdrawn"),
    *("StreamsCancelled", "StreamsExpired", "WalletChanged"),
)
MASK_BITS = 256


def bits(low: int | str, high: int | str) -> set[int]:
    """Positions set in the two words of a skip or cancel mask."""
    mask = int(low) | int(high) << MASK_BITS
    positions = set()
    while mask:
        lowest = mask & -mask
        positions.add(lowest.bit_length() - 1)
        mask ^= lowest
    return positions


def apply_event(session: Session, batch: Batch, event: Event) -> None:
    """Move the streams that one event concerns."""
    args = event.args
    if event.name == "StreamsOpened":
        _open(session, batch, event)
    elif event.name == "StreamWithdrawn":
        session.flush()
        for stream in _of(session, batch.id, Stream.index == args["index"]):
            _set(
                session,
                event,
                [(stream, args["paidThrough"], stream.withdrawn_base_units + int(args["amount"]))],
            )
    elif event.name == "StreamsWithdrawn":
        skipped = bits(args["skippedLow"], args["skippedHigh"])
        _set(session, event, _withdrawn(session, batch, args, skipped))
    elif event.name in ("StreamsCancelled", "StreamsExpired"):
        _cut(session, batch, event)
    elif event.name == "WalletChanged":
        session.execute(
            update(Stream)
            .where(Stream.batch_id == batch.id, Stream.index == args["index"])
            .values(payee=args["to"], last_event_block=event.block_number)
        )


def rebuild_chunk(session: Session, batch: Batch, chunk_index: int) -> None:
    """Make a chunk's streams anew from the events that are left."""
    session.execute(
        delete(Stream).where(Stream.batch_id == batch.id, Stream.chunk_index == chunk_index)
    )
    session.expire_all()
    for event in session.scalars(
        select(Event)
        .where(Event.batch_id == batch.id, Event.name.in_(STREAM_EVENTS))
        .order_by(Event.block_number, Event.log_index)
    ).all():
        if chunk_of(batch, event) == chunk_index:
            apply_event(session, batch, event)


def chunk_of(batch: Batch, event: Event) -> int:
    """Chunk that a stream event concerns."""
    index: int | None = event.args.get("chunkIndex")
    return event.args["index"] // batch.chunk_size if index is None else int(index)


def _open(session: Session, batch: Batch, event: Event) -> None:
    chunk_index = int(event.args["chunkIndex"])
    first = chunk_index * batch.chunk_size
    entries = unpack_entries(bytes.fromhex(event.args["entries"][2:]))
    if session.get(Chunk, (batch.id, chunk_index)) is None:
        return
    session.execute(
        insert(Stream),
        [
            {
                "batch_id": batch.id,
                "index": first + position,
                "chunk_index": chunk_index,
                "payee": payee,
                "total_base_units": amount,
                "opened_block": event.block_number,
                "paid_through_s": 0,
                "withdrawn_base_units": 0,
                "returned_base_units": 0,
                "last_event_block": event.block_number,
            }
            for position, (payee, amount) in enumerate(entries)
        ],
    )


def _of(session: Session, batch_id: str, *where: Any) -> Iterable[Stream]:
    return session.scalars(
        select(Stream)
        .where(Stream.batch_id == batch_id, *where)
        .order_by(Stream.index)
        .execution_options(populate_existing=True)
    ).all()


def _withdrawn(
    session: Session, batch: Batch, args: Mapping[str, Any], skipped: set[int]
) -> list[tuple[Stream, int, int]]:
    chunk_index, watermark = int(args["chunkIndex"]), int(args["watermark"])
    first = chunk_index * batch.chunk_size
    changed = []
    for stream in _of(session, batch.id, Stream.chunk_index == chunk_index):
        through = watermark if stream.cancelled_cut_s is None else stream.cancelled_cut_s
        if stream.index - first in skipped or through <= stream.paid_through_s:
            continue
        paid = vested(stream.total_base_units, through, batch.duration_s)
        changed.append((stream, through, paid))
    return changed


def _set(session: Session, event: Event, changed: list[tuple[Stream, int, int]]) -> None:
    if not changed:
        return
    session.execute(
        update(Stream),
        [
            {
                "batch_id": stream.batch_id,
                "index": stream.index,
                "paid_through_s": through,
                "withdrawn_base_units": withdrawn,
                "last_event_block": event.block_number,
            }
            for stream, through, withdrawn in changed
        ],
    )


def _cut(session: Session, batch: Batch, event: Event) -> None:
    """Cut streams at the event's second, or those that expired where they were paid through."""
    args = event.args
    chunk_index = int(args["chunkIndex"])
    first = chunk_index * batch.chunk_size
    concerned = bits(args["maskLow"], args["maskHigh"])
    values = []
    for stream in _of(session, batch.id, Stream.chunk_index == chunk_index):
        if stream.index - first not in concerned:
            continue
        cut = int(args.get("cut", stream.paid_through_s))
        values.append(
            {
                "batch_id": stream.batch_id,
                "index": stream.index,
                "cancelled_cut_s": cut,
                "paid_through_s": min(stream.paid_through_s, cut),
                "returned_base_units": stream.total_base_units
                - vested(stream.total_base_units, cut, batch.duration_s),
                "last_event_block": event.block_number,
            }
        )
    if values:
        session.execute(update(Stream), values)
