"""What can no longer leave the chain: events, payouts, chunks, transactions and requests settle.

The depth is a setting of each chain, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK
from service.confirmations.models import Block, Cursor, Event
from service.payouts.models import ChainRequest, Chunk, Payout, in_state
from service.payouts.states import ChunkState, PayoutState, RequestState, move, move_all
from service.transactions import reorgs, trail
from service.transactions import states as transaction_states
from service.transactions.models import Lane, Transaction
from service.transactions.states import State

EVENTS_CURSOR = "events"
FINAL_CURSOR = "final"

_HELD = "cursors"

ENDING = ("PayoutRetried", "PayoutExpired", "UnexecutedExpired", "BatchCancelled")
"""Events that bring payouts to their last state once they are final; of chunks the rows say it."""


@dataclass(frozen=True, slots=True)
class FinalityResult:
    """What became final.

    Attributes
    ----------
    block_number, timestamp_unix_s
        Newest final block and its time.
    rows
        Events, payouts, chunks, transactions and requests that settled.
    """

    block_number: int
    timestamp_unix_s: int
    rows: int


def lock_cursors(session: Session, chain_id: int) -> dict[str, Cursor]:
    """Lock the chain's cursors, by that of events, until the transaction ends; return all by name.

    Asked again in the same transaction it returns the same ones; who adds one, adds it here too.
    """
    held: dict[str, Cursor] | None = session.info.get(_HELD)
    if held is None:
        # This one first and alone: who waits for it must see what others have added meanwhile.
        session.get(Cursor, (chain_id, EVENTS_CURSOR), with_for_update=True)
        rows = session.scalars(
            select(Cursor)
            .where(Cursor.chain_id == chain_id)
            .execution_options(populate_existing=True)
        )
        held = session.info[_HELD] = {row.name: row for row in rows}
    return held


def finalise(session: Session, chain_id: int, depth_blocks: int) -> FinalityResult | None:
    """Mark final what lies `depth_blocks` or more below the newest block read.

    Returns
    -------
    FinalityResult or None
        None while no block is that deep.
    """
    cursors = lock_cursors(session, chain_id)
    events = cursors.get(EVENTS_CURSOR)
    if events is None:
        return None
    block = session.get(Block, events.block_number - depth_blocks)
    if block is None:
        return None
    _advance(session, chain_id, block, cursors)
    settling = (Event.final.is_(False), Event.block_number <= block.number)
    # In their order: a batch may be cancelled, for nothing, after its time was over.
    ending = session.scalars(
        select(Event).where(Event.name.in_(ENDING), *settling).order_by(Event.id)
    ).all()
    rows = _count(
        session.execute(
            update(Event)
            .where(*settling)
            .values(final=True)
            .execution_options(synchronize_session=False)
        )
    )
    rows += sum(_end(session, event) for event in ending)
    rows += _chunks(session, block.number)
    rows += _transactions(session, chain_id, block.number)
    rows += _requests(session, block.number)
    return FinalityResult(block.number, block.timestamp_unix_s, rows)


def settle_batch(session: Session, chain_id: int, batch_id: str) -> None:
    """Settle a batch whose rows were made after its events had become final.

    So that the cases it gave back are free for the next batch at once, and nothing depends on what
    :func:`finalise` looks at in its next round.
    """
    final = session.get(Cursor, (chain_id, FINAL_CURSOR))
    if final is None:
        return
    ours = (Event.name.in_(ENDING), Event.batch_id == batch_id, Event.final.is_(True))
    for event in session.scalars(select(Event).where(*ours).order_by(Event.id)).all():
        _end(session, event)
    _chunks(session, final.block_number, Chunk.batch_id == batch_id)


def _end(session: Session, event: Event) -> int:
    """Bring the payouts that an event paid by themselves, or returned, to where they stay."""
    to, which = PayoutState.EXPIRED, Payout.index == event.args.get("index")
    if event.name == "PayoutRetried":
        to = PayoutState.PAID
        which &= Payout.own_state == PayoutState.INCLUDED
    elif event.name == "UnexecutedExpired":
        # The event held them all; who resumed the batch since then has queued them again.
        which = Payout.own_state.in_([PayoutState.HELD.value, PayoutState.QUEUED.value])
    elif event.name == "BatchCancelled":
        to, which = PayoutState.CANCELLED, in_state(PayoutState.HELD)
    of_batch = Payout.batch_id == event.batch_id
    return move_all(session, Payout, to, of_batch, which, own_updated_at=SYSTEM_CLOCK.now())


def _chunks(session: Session, final_block: int, *which: ColumnElement[bool]) -> int:
    """Settle chunks, and with them the payouts that go their way."""
    return move_all(
        session,
        Chunk,
        ChunkState.FINAL,
        Chunk.executed_block_number <= final_block,
        *which,
        updated_at=SYSTEM_CLOCK.now(),
    )


def _advance(session: Session, chain_id: int, block: Block, cursors: dict[str, Cursor]) -> None:
    cursor = cursors.get(FINAL_CURSOR)
    if cursor is None:
        cursors[FINAL_CURSOR] = Cursor(
            chain_id=chain_id,
            name=FINAL_CURSOR,
            block_number=block.number,
            block_hash=block.hash,
        )
        session.add(cursors[FINAL_CURSOR])
    elif block.number > cursor.block_number:
        cursor.block_number, cursor.block_hash = block.number, block.hash


def _transactions(session: Session, chain_id: int, final_block: int) -> int:
    """Settle the included ones whose block is on the chain; send the others back as re-orged.

    A receipt can come from a block that was gone before its events were read: of those that failed
    there too the nonce may be free again, and would hold up all later ones.
    """
    on_chain = select(Block.hash).where(Block.number == Transaction.block_number).scalar_subquery()
    # By sender: the index of their states tells the few that are open from all there ever were.
    senders = select(Lane.sender).where(Lane.chain_id == chain_id)
    ours = (Transaction.chain_id == chain_id) & Transaction.sender.in_(senders)
    final = (Transaction.block_number <= final_block, Transaction.block_hash == on_chain)
    told = select(*trail.FACTS).where(ours, *final, Transaction.state == State.INCLUDED)
    trail.final(session, session.execute(told).all())
    settled = transaction_states.move_all(session, State.FINAL, ours, *final)
    return settled + reorgs.take_back(session, ours, Transaction.block_hash != on_chain)


def _requests(session: Session, final_block: int) -> int:
    """Tell who asked for a transaction how it ended."""
    settled = 0
    planned = session.scalars(
        select(ChainRequest).where(ChainRequest.state == RequestState.PLANNED)
    ).all()
    for request in planned:
        last = session.scalars(
            select(Transaction)
            .where(Transaction.request_id == str(request.id))
            .order_by(Transaction.id.desc())
            .limit(1)
        ).first()
        if last is None:
            continue
        if last.state == State.FINAL:
            request.state = move(request.state, RequestState.DONE).value
            request.last_error = None
            settled += 1
        elif last.state in (State.REVERTED, State.SUPERSEDED) and (
            last.block_number is None or last.block_number <= final_block
        ):
            request.state = move(request.state, RequestState.FAILED).value
            request.last_error = last.error
            settled += 1
    return settled


def _count(result: object) -> int:
    return cast("CursorResult[Any]", result).rowcount
