"""Events turned into the states of our rows, and turned back after a re-org.

Events are the authority: whoever sent the transaction, a batch is on chain, a chunk run, a payout
paid because the contract said so. Work is one statement a chunk, not one a payout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.orm import Session

from service.approvals.models import ActionKind, KeyVerifier, Officer, OfficerSigner, QuorumAction
from service.approvals.states import ActionState, move_action
from service.cases.models import Case
from service.cases.states import CaseState
from service.clock import SYSTEM_CLOCK
from service.confirmations import requests, streams
from service.confirmations.alarms import raise_alarm
from service.confirmations.models import Event
from service.payouts.models import (
    IS_LIVE,
    Batch,
    Chunk,
    EmergencyGrant,
    Payout,
    Programme,
    Stream,
    in_state,
)
from service.payouts.states import (
    EXECUTED,
    BatchState,
    ChunkState,
    GrantState,
    PayoutState,
    ProgrammeState,
    move,
    move_all,
    move_each,
)

SKIP_REASONS = {1: "zero_address", 2: "token", 3: "vault", 4: "frozen"}
"""Numbers of ``PayoutSkipped.reason``."""


def project(session: Session, events: Sequence[Event]) -> None:
    """Apply events in their order on chain."""
    _lock_batches(session, events)
    # What a batch's chunks paid one after the other is one piece of work.
    for (name, _), run in groupby(events, lambda event: (event.name, event.batch_id)):
        those = list(run)
        if name == "ChunkPaid":
            _chunks_paid(session, those)
        for event in those:
            handler = _HANDLERS.get((event.contract, event.name))
            if handler is not None:
                handler(session, event)
            requests.fulfil(session, event)


def take_back(session: Session, orphaned: Sequence[Event]) -> None:
    """Undo events, newest first; their own rows are deleted already, those that are left count."""
    _lock_batches(session, orphaned)
    for event in sorted(orphaned, key=lambda e: (e.block_number, e.log_index), reverse=True):
        requests.take_back(session, event)
        handler = _UNDOERS.get((event.contract, event.name))
        if handler is not None:
            handler(session, event)


def _lock_batches(session: Session, events: Sequence[Event]) -> None:
    """Lock the batches that events concern before their payouts, as officers' commands do."""
    ids = {event.batch_id for event in events if event.batch_id is not None}
    if ids:
        mine = select(Batch.id).where(Batch.id.in_(ids)).order_by(Batch.id)
        session.execute(mine.with_for_update())


def _known_batch(session: Session, event: Event) -> Batch | None:
    batch = session.get(Batch, event.batch_id, populate_existing=True)
    if batch is None and event.name == "BatchApproved":
        raise_alarm(
            session,
            "unknown_batch",
            f"batch {event.batch_id} is on chain and has no row here: restore its manifest",
            event.block_number,
        )
    return batch


# ---- programmes ----------------------------------------------------------------------------------


def _programme_created(session: Session, event: Event) -> None:
    args = event.args
    active_from = _time(args["activeFrom"])
    row = session.get(Programme, args["programme"], populate_existing=True)
    tiers = [
        {
            "up_to_base_units": tier["upTo"],
            "reviewers": tier["reviewers"],
            "challenge_delay_s": tier["challengeDelay"],
        }
        for tier in args["tiers"]
    ]
    if row is None:
        session.add(
            Programme(
                id=args["programme"],
                code=f"chain-{args['programme']}",
                name=f"Programme {args['programme']}",
                region_code=args["regionCode"],
                region_digits=args["regionDigits"],
                budget_base_units=int(args["budget"]),
                payout_cap_base_units=int(args["payoutCap"]),
                tiers=tiers,
                metadata_hash=args["metadataHash"],
                version=1,
                state=ProgrammeState.ONCHAIN.value,
                active_from=active_from,
                created_by="chain",
                created_at=SYSTEM_CLOCK.now(),
            )
        )
        session.flush()
        return
    move_all(
        session,
        Programme,
        ProgrammeState.ONCHAIN,
        Programme.id == args["programme"],
        version=1,
        active_from=active_from,
        budget_base_units=int(args["budget"]),
        payout_cap_base_units=int(args["payoutCap"]),
        region_code=args["regionCode"],
        region_digits=args["regionDigits"],
        tiers=tiers,
        metadata_hash=args["metadataHash"],
    )


def _programme_gone(session: Session, event: Event) -> None:
    move_all(
        session,
        Programme,
        ProgrammeState.PROPOSED,
        Programme.id == event.args["programme"],
        active_from=None,
    )


def _budget_changed(session: Session, event: Event) -> None:
    _set_budget(session, event.args["programme"], int(event.args["budget"]))


def _budget_back(session: Session, event: Event) -> None:
    previous = previous_budget(session, event)
    if previous is not None:
        _set_budget(session, event.args["programme"], previous)


def previous_budget(session: Session, event: Event) -> int | None:
    """Budget of an event's programme just before the event."""
    before = session.scalars(
        select(Event)
        .where(
            Event.name.in_(["ProgrammeCreated", "BudgetChanged"]),
            Event.programme == event.args["programme"],
            (Event.block_number < event.block_number)
            | ((Event.block_number == event.block_number) & (Event.log_index < event.log_index)),
        )
        .order_by(Event.block_number.desc(), Event.log_index.desc())
        .limit(1)
    ).first()
    return None if before is None else int(before.args["budget"])


def _set_budget(session: Session, programme: int, budget: int) -> None:
    session.execute(
        update(Programme)
        .where(Programme.id == programme)
        .values(budget_base_units=budget)
        .execution_options(synchronize_session=False)
    )


# ---- batches and chunks --------------------------------------------------------------------------


def _batch_approved(session: Session, event: Event) -> None:
    batch = _known_batch(session, event)
    if batch is None:
        return
    args = event.args
    if args["approval"]["chunksRoot"].lower() != batch.chunks_root.lower():
        raise_alarm(
            session,
            "batch_mismatch",
            f"batch {batch.id} was approved on chain with another list of payouts than ours",
            event.block_number,
        )
    move_all(
        session,
        Batch,
        BatchState.ONCHAIN,
        Batch.id == batch.id,
        first_number=args["firstNumber"],
        approved_block_number=event.block_number,
        approved_block_hash=event.block_hash,
        execute_from_unix_s=args["executeFrom"],
        last_error=None,
    )
    waiting = [PayoutState.DRAFT, PayoutState.APPROVED, PayoutState.CANCELLED]
    if not batch.paused:  # held by a cancellation that came too late
        waiting.append(PayoutState.HELD)
    _move_payouts(session, PayoutState.QUEUED, batch.id, Payout.own_state.in_(waiting))
    _hold_while_paused(session, batch)


def _hold_while_paused(session: Session, batch: Batch) -> None:
    """Hold what an event, or its undoing, queued of a batch that is paused."""
    if batch.paused:
        _move_payouts(session, PayoutState.HELD, batch.id, in_state(PayoutState.QUEUED))


def _batch_unapproved(session: Session, event: Event) -> None:
    gone = {
        "first_number": None,
        "approved_block_number": None,
        "approved_block_hash": None,
        "execute_from_unix_s": None,
    }
    of_batch = Batch.id == event.batch_id
    released = of_batch & Batch.released_at.is_not(None)
    if not move_all(session, Batch, BatchState.RELEASED, released, **gone):
        # A stranger had sent it: nobody here released it, so we must not send it again. It may come
        # on chain once more until its time is over, and its cases wait for that.
        move_all(session, Batch, BatchState.CANCELLED, of_batch, **gone)
        waiting = Payout.own_state == PayoutState.QUEUED
        _move_payouts(session, PayoutState.HELD, event.batch_id, waiting)


def _batch_cancelled(session: Session, event: Event) -> None:
    """Hold what was not paid: freed before the event is final, a case could be paid twice."""
    move_all(session, Batch, BatchState.CANCELLED, Batch.id == event.batch_id)
    _hold_unpaid(session, event)


def _hold_unpaid(session: Session, event: Event) -> None:
    """Hold what no chunk paid: by the table of steps, what one did pay is not to be held."""
    unpaid = Payout.own_state.in_([PayoutState.QUEUED, PayoutState.APPROVED])
    _move_payouts(session, PayoutState.HELD, event.batch_id, unpaid)


def _batch_uncancelled(session: Session, event: Event) -> None:
    batch = session.get_one(Batch, event.batch_id, populate_existing=True)
    # One that was done stayed so: the contract cancels it for what it is worth, which is nothing.
    if batch.state != BatchState.CANCELLED:
        return
    move_all(session, Batch, BatchState.ONCHAIN, Batch.id == batch.id)
    expired = select(Event.id).where(Event.name == "UnexecutedExpired", Event.batch_id == batch.id)
    # What no chunk paid in its time stays held for that.
    if not batch.paused and session.scalars(expired.limit(1)).first() is None:
        # What is cancelled by now was let go for another reason, and its case is free.
        _move_payouts(session, PayoutState.QUEUED, batch.id, in_state(PayoutState.HELD))


def _batch_held(session: Session, event: Event) -> None:
    _set_execute_from(session, event.batch_id, event.args["executeFrom"])
    _move_hold(session, event, ActionState.DONE)


def _entry_held(session: Session, event: Event) -> None:
    _move_hold(session, event, ActionState.DONE)


def _entry_hold_taken_back(session: Session, event: Event) -> None:
    _move_hold(session, event, ActionState.READY)


def _hold_taken_back(session: Session, event: Event) -> None:
    _move_hold(session, event, ActionState.READY)
    before = session.scalars(
        select(Event)
        .where(
            Event.name.in_(["BatchApproved", "BatchHeld"]),
            Event.batch_id == event.batch_id,
            (Event.block_number < event.block_number)
            | ((Event.block_number == event.block_number) & (Event.log_index < event.log_index)),
        )
        .order_by(Event.block_number.desc(), Event.log_index.desc())
        .limit(1)
    ).one_or_none()
    if before is not None:  # the approval may have gone with it
        _set_execute_from(session, event.batch_id, before.args["executeFrom"])


def _set_execute_from(session: Session, batch_id: str | None, execute_from: int) -> None:
    session.execute(
        update(Batch)
        .where(Batch.id == batch_id)
        .values(execute_from_unix_s=execute_from)
        .execution_options(synchronize_session=False)
    )


def _unexecuted_expired(session: Session, event: Event) -> None:
    """Hold what no chunk paid, as with a cancelled batch: it is ``expired`` once this is final."""
    _hold_unpaid(session, event)
    # Why it could not be run matters no more.
    session.execute(
        update(Batch)
        .where(Batch.id == event.batch_id)
        .values(last_error=None)
        .execution_options(synchronize_session=False)
    )


def _expiry_taken_back(session: Session, event: Event) -> None:
    batch = session.get_one(Batch, event.batch_id, populate_existing=True)
    if not batch.paused:
        _move_payouts(session, PayoutState.QUEUED, batch.id, in_state(PayoutState.HELD))


def unknown_batch(session: Session) -> str | None:
    """Return the id of a batch that is on chain and not in the database, the oldest; or None.

    So it is after an old backup was restored. The contract refuses a batch twice, but not one case
    in two batches; which cases the unknown batch pays, only its manifest says.
    """
    return session.scalars(
        select(Event.batch_id)
        .where(Event.name == "BatchApproved", Event.batch_id.not_in(select(Batch.id)))
        .order_by(Event.id)
        .limit(1)
    ).first()


def _chunks_paid(session: Session, events: Sequence[Event]) -> None:
    """Project ``ChunkPaid`` of one batch."""
    batch = _known_batch(session, events[0])
    if batch is None:
        return
    run = _known_chunks(session, batch, events)
    _queue_left(session, batch, run)
    for event in run:
        if skipped := bits_of(event):
            first = int(event.args["chunkIndex"]) * batch.chunk_size
            _move_payouts(
                session,
                PayoutState.SKIPPED,
                batch.id,
                Payout.index.in_([first + position for position in skipped]),
                own_tx_hash=event.tx_hash,
            )
    _include_chunks(session, batch, run)


def of_chunk(batch: Batch, chunk_index: int) -> ColumnElement[bool]:
    """Payouts of one chunk of a batch, as a range of their key."""
    first = chunk_index * batch.chunk_size
    return (Payout.index >= first) & (Payout.index < first + batch.chunk_size)


def bits_of(event: Event) -> set[int]:
    """Positions in the chunk that an event skipped."""
    return streams.bits(event.args["skippedLow"], event.args["skippedHigh"])


def _streams_opened(session: Session, event: Event) -> None:
    batch = _known_batch(session, event)
    if batch is None:
        return
    run = _known_chunks(session, batch, [event])
    _queue_left(session, batch, run)
    for each in run:
        streams.apply_event(session, batch, each)
    _include_chunks(session, batch, run)


def _known_chunks(session: Session, batch: Batch, events: Sequence[Event]) -> list[Event]:
    """Return the events whose chunk has a row here; raise an alarm where it is another."""
    indexes = [int(event.args["chunkIndex"]) for event in events]
    stored = session.execute(
        select(Chunk.chunk_index, Chunk.entries).where(
            Chunk.batch_id == batch.id, Chunk.chunk_index.in_(indexes)
        )
    )
    entries: dict[int, bytes] = {index: words for index, words in stored}  # noqa: C416 - rows are no tuples
    for index, event in zip(indexes, events, strict=True):
        if index not in entries or "0x" + entries[index].hex() != event.args["entries"]:
            raise_alarm(
                session,
                "chunk_mismatch",
                f"chunk {index} of batch {batch.id} ran with other entries than ours",
                event.block_number,
            )
    return [event for event in events if int(event.args["chunkIndex"]) in entries]


def _queue_left(session: Session, batch: Batch, run: Sequence[Event]) -> None:
    """Bring back to their chunks, which were run, those that had left their way."""
    left = [
        *(PayoutState.DRAFT, PayoutState.APPROVED, PayoutState.HELD),
        *(PayoutState.CANCELLED, PayoutState.EXPIRED),
    ]
    indexes = [int(event.args["chunkIndex"]) for event in run]
    if not indexes:
        return
    size = batch.chunk_size
    # The range as well, so that the rows are found by their key whatever the database guesses.
    these = Payout.chunk_index.in_(indexes) & Payout.own_state.in_(left)
    these &= (Payout.index >= min(indexes) * size) & (Payout.index < (max(indexes) + 1) * size)
    _move_payouts(session, PayoutState.QUEUED, batch.id, these)


def _include_chunks(session: Session, batch: Batch, run: Sequence[Event]) -> None:
    """Move chunks, and with them all payouts that go their way."""
    now = SYSTEM_CLOCK.now()
    for final, events in groupby(run, lambda event: event.final_on_arrival):
        # Then both steps are one: the events settle in the same database transaction.
        move_each(
            session,
            Chunk,
            ChunkState.FINAL if final else ChunkState.INCLUDED,
            [
                {
                    "batch_id": batch.id,
                    "chunk_index": int(event.args["chunkIndex"]),
                    "executed_block_number": event.block_number,
                    "executed_block_hash": event.block_hash,
                    "tx_hash": event.tx_hash,
                    "mints_log_index": event.mints_log_index,
                    "updated_at": now,
                }
                for event in events
            ],
            through=ChunkState.INCLUDED,
        )
    _finish_batch(session, batch.id)


def _move_payouts(
    session: Session,
    to: PayoutState,
    batch_id: str | None,
    which: object,
    *,
    through: PayoutState | None = None,
    **values: object,
) -> None:
    move_all(
        session,
        Payout,
        to,
        Payout.batch_id == batch_id,
        which,  # type: ignore[arg-type] # a condition; `object` keeps the callers short
        through=through,
        own_updated_at=SYSTEM_CLOCK.now(),
        **values,
    )


def _finish_batch(session: Session, batch_id: str) -> None:
    """A batch is done when each of its chunks was run."""
    left = session.scalars(
        select(func.count())
        .select_from(Chunk)
        .where(Chunk.batch_id == batch_id, Chunk.state.not_in(EXECUTED))
    ).one()
    if left == 0:
        move_all(session, Batch, BatchState.DONE, Batch.id == batch_id)


def _chunk_taken_back(session: Session, event: Event) -> None:
    batch = session.get(Batch, event.batch_id, populate_existing=True)
    if batch is None:
        return
    chunk_index = int(event.args["chunkIndex"])
    if batch.state == BatchState.DONE:
        move_all(session, Batch, BatchState.ONCHAIN, Batch.id == batch.id)
    session.execute(
        delete(Stream).where(Stream.batch_id == batch.id, Stream.chunk_index == chunk_index)
    )
    move_all(
        session,
        Chunk,
        ChunkState.WAITING,
        Chunk.batch_id == batch.id,
        Chunk.chunk_index == chunk_index,
        executed_block_number=None,
        executed_block_hash=None,
        tx_hash=None,
        mints_log_index=None,
        updated_at=SYSTEM_CLOCK.now(),
    )
    _move_payouts(
        session,
        PayoutState.QUEUED,
        batch.id,
        of_chunk(batch, chunk_index) & in_state(PayoutState.SKIPPED),
        own_tx_hash=None,
        skip_reason=None,
    )
    _hold_while_paused(session, batch)


def _payout_skipped(session: Session, event: Event) -> None:
    reason = event.args["reason"]
    session.execute(
        update(Payout)
        .where(Payout.batch_id == event.batch_id, Payout.index == event.args["index"])
        .values(skip_reason=SKIP_REASONS.get(reason, str(reason)))
        .execution_options(synchronize_session=False)
    )


def _payout_retried(session: Session, event: Event) -> None:
    """Pay one that was skipped: what it was paid by is its own from here on."""
    if event.batch_id is None:
        return
    through = PayoutState.INCLUDED
    _move_payouts(
        session,
        PayoutState.PAID if event.final_on_arrival else through,
        event.batch_id,
        Payout.index == event.args["index"],
        through=through,
        own_block_number=event.block_number,
        own_block_hash=event.block_hash,
        own_tx_hash=event.tx_hash,
        skip_reason=None,
    )


def _retry_taken_back(session: Session, event: Event) -> None:
    _move_payouts(
        session,
        PayoutState.SKIPPED,
        event.batch_id,
        (Payout.index == event.args["index"]) & (Payout.own_state == PayoutState.INCLUDED),
        own_block_number=None,
        own_block_hash=None,
    )
    skip = session.scalars(
        select(Event).where(
            Event.name == "PayoutSkipped",
            Event.batch_id == event.batch_id,
        )
    ).all()
    for earlier in skip:
        if earlier.args["index"] == event.args["index"]:
            _payout_skipped(session, earlier)
            session.execute(  # not the retry's: what skipped it is on chain again
                update(Payout)
                .where(Payout.batch_id == event.batch_id, Payout.index == event.args["index"])
                .values(own_tx_hash=earlier.tx_hash)
                .execution_options(synchronize_session=False)
            )


def _wallet_changed(session: Session, event: Event) -> None:
    _set_payee(session, event, event.args["to"])
    _stream_event(session, event)


def _wallet_changed_back(session: Session, event: Event) -> None:
    _set_payee(session, event, event.args["from"])
    _stream_taken_back(session, event)


def _set_payee(session: Session, event: Event, payee: str) -> None:
    session.execute(
        update(Payout)
        .where(Payout.batch_id == event.batch_id, Payout.index == event.args["index"])
        .values(payee=payee)
        .execution_options(synchronize_session=False)
    )


def _stream_event(session: Session, event: Event) -> None:
    batch = _known_batch(session, event)
    if batch is not None:
        streams.apply_event(session, batch, event)


def _stream_taken_back(session: Session, event: Event) -> None:
    batch = session.get(Batch, event.batch_id, populate_existing=True)
    if batch is not None:
        streams.rebuild_chunk(session, batch, streams.chunk_of(batch, event))


# ---- emergency grants ----------------------------------------------------------------------------


def _grant_made(session: Session, event: Event) -> None:
    given = event.args["grant"]
    grant_id, commitment = event.args["grantId"], given["caseCommitment"].removeprefix("0x")
    made = {
        "officer_id": given["officer"],
        "payee": given["payee"],
        "amount_base_units": int(given["amount"]),
        "region_code": given["regionCode"],
        "region_digits": given["regionDigits"],
        "commitment": commitment,
        "valid_until_unix_s": given["validUntil"],
    }
    # The lane grants a case once: what else was proposed for it can no longer be made.
    move_all(
        session,
        EmergencyGrant,
        GrantState.EXPIRED,
        EmergencyGrant.commitment == commitment,
        EmergencyGrant.id != grant_id,
    )
    row = session.get(EmergencyGrant, grant_id, populate_existing=True)
    if row is None or any(getattr(row, name) != value for name, value in made.items()):
        if row is not None:
            raise_alarm(
                session,
                "grant_mismatch",
                f"grant {grant_id} was made on chain with other terms than ours",
                event.block_number,
            )
        row = row or EmergencyGrant(
            id=grant_id,
            state=GrantState.PROPOSED.value,
            created_by="chain",
            created_at=SYSTEM_CLOCK.now(),
        )
        row.case_id = session.scalar(_case_of(commitment))
        for name, value in made.items():
            setattr(row, name, value)
        session.add(row)
    row.state = move(row.state, GrantState.OUTSTANDING).value
    row.overdue_from_unix_s = event.args["overdueFrom"]
    row.included_block_number, row.included_block_hash = event.block_number, event.block_hash
    row.tx_hash = event.tx_hash
    session.flush()
    action = session.get(QuorumAction, grant_id, populate_existing=True)
    if action is not None and _says(action, given):
        _set_action(session, action, ActionState.DONE)
    batch_id = session.scalar(
        select(Payout.batch_id).where(Payout.commitment == commitment, IS_LIVE)
    )
    if batch_id is not None:
        raise_alarm(
            session,
            "granted_and_in_a_batch",
            f"grant {grant_id} paid a case that stands in batch {batch_id} too",
            event.block_number,
        )


def _case_of(commitment: str) -> Select[str]:
    live = Case.state != CaseState.REJECTED.value
    return select(Case.id).where(Case.commitment == commitment, live).limit(1)


def _grant_taken_back(session: Session, event: Event) -> None:
    row = session.get_one(EmergencyGrant, event.args["grantId"], populate_existing=True)
    row.state = move(row.state, GrantState.PROPOSED).value
    row.overdue_from_unix_s = row.included_block_number = None
    row.included_block_hash = row.tx_hash = None
    session.flush()
    action = session.get(QuorumAction, row.id, populate_existing=True)
    if action is not None and action.state == ActionState.DONE:
        _set_action(session, action, ActionState.READY)


def _grant_countersigned(session: Session, event: Event) -> None:
    _end_grant(session, event, GrantState.COUNTERSIGNED, event.args["officer"])
    for action in _countersignatures(session, event):
        _set_action(session, action, ActionState.DONE)


def _countersignature_taken_back(session: Session, event: Event) -> None:
    _end_grant(session, event, GrantState.OUTSTANDING, None)
    for action in _countersignatures(session, event):
        _set_action(session, action, ActionState.READY)


def _grant_written_off(session: Session, event: Event) -> None:
    _end_grant(session, event, GrantState.WRITTEN_OFF, None)


def _write_off_taken_back(session: Session, event: Event) -> None:
    _end_grant(session, event, GrantState.OUTSTANDING, None)


def _end_grant(session: Session, event: Event, to: GrantState, officer: int | None) -> None:
    row = session.get_one(EmergencyGrant, event.args["grantId"], populate_existing=True)
    row.state = move(row.state, to).value
    row.countersigned_by = officer
    session.flush()


def _countersignatures(session: Session, event: Event) -> Sequence[QuorumAction]:
    """Ours that the event carries out: of the same grant, signed with the same deadline."""
    return session.scalars(
        select(QuorumAction).where(
            QuorumAction.kind == ActionKind.GRANT_COUNTERSIGNATURE.value,
            QuorumAction.deadline_unix_s == event.args["deadline"],
            QuorumAction.message["grantId"].as_string() == event.args["grantId"],
        )
    ).all()


# ---- officers and actions ------------------------------------------------------------------------


def _officer_added(session: Session, event: Event) -> None:
    args = event.args
    row = session.get(Officer, args["officerId"], populate_existing=True)
    if row is None:
        row = Officer(officer_id=args["officerId"], display_name="")
        session.add(row)
    row.roles = args["roles"]
    row.region_code, row.region_digits = args["regionCode"], args["regionDigits"]
    row.active_from = _time(args["activeFrom"])
    row.removed = False
    session.flush()


def _officer_removed(session: Session, event: Event) -> None:
    _set_removed(session, event.args["officerId"], removed=True)


def _officer_back(session: Session, event: Event) -> None:
    _set_removed(session, event.args["officerId"], removed=False)


def _set_removed(session: Session, officer_id: int, *, removed: bool) -> None:
    row = session.get(Officer, officer_id, populate_existing=True)
    if row is not None:
        row.removed = removed
        session.flush()


def _signer_added(session: Session, event: Event) -> None:
    args = event.args
    key = (args["signerType"], args["signer"].lower())
    row = session.get(OfficerSigner, key, populate_existing=True)
    if row is None:
        row = OfficerSigner(signer_type=key[0], signer=key[1])
        session.add(row)
    row.officer_id = args["officerId"]
    row.active_from = _time(args["activeFrom"])
    row.removed = False
    session.flush()


def _signer_removed(session: Session, event: Event) -> None:
    _set_signer_removed(session, event, removed=True)


def _signer_back(session: Session, event: Event) -> None:
    _set_signer_removed(session, event, removed=False)


def _set_signer_removed(session: Session, event: Event, *, removed: bool) -> None:
    key = (event.args["signerType"], event.args["signer"].lower())
    row = session.get(OfficerSigner, key, populate_existing=True)
    if row is not None:
        row.removed = removed
        session.flush()


def _verifier_added(session: Session, event: Event) -> None:
    row = session.get(KeyVerifier, event.args["verifier"].lower(), populate_existing=True)
    if row is None:
        row = KeyVerifier(verifier=event.args["verifier"].lower())
        session.add(row)
    row.active_from = _time(event.args["activeFrom"])
    row.removed = False
    session.flush()


def _verifier_removed(session: Session, event: Event) -> None:
    _set_verifier_removed(session, event, removed=True)


def _verifier_back(session: Session, event: Event) -> None:
    _set_verifier_removed(session, event, removed=False)


def _set_verifier_removed(session: Session, event: Event, *, removed: bool) -> None:
    row = session.get(KeyVerifier, event.args["verifier"].lower(), populate_existing=True)
    if row is not None:
        row.removed = removed
        session.flush()


def _action_consumed(session: Session, event: Event) -> None:
    _move_action(session, event, ActionState.DONE)


def _action_taken_back(session: Session, event: Event) -> None:
    _move_action(session, event, ActionState.READY)


def _move_action(session: Session, event: Event, to: ActionState) -> None:
    row = session.get(QuorumAction, event.args["actionId"], populate_existing=True)
    # Action ids are each contract's own: the digest tells ours from a stranger's.
    if row is not None and row.digest.lower() == event.args["digest"].lower():
        _set_action(session, row, to)


def _move_hold(session: Session, event: Event, to: ActionState) -> None:
    row = session.get(QuorumAction, event.args["actionId"], populate_existing=True)
    if row is not None and _says(row, event.args):
        _set_action(session, row, to)


def _says(row: QuorumAction, args: Mapping[str, Any]) -> bool:
    """Whether an event's arguments are what was signed.

    The registry marks no action id as used for one officer's signature, and the event has no
    digest: what was signed tells ours from another under the same id.
    """
    return all(str(args.get(name)) == str(value) for name, value in row.message.items())


def _set_action(session: Session, row: QuorumAction, to: ActionState) -> None:
    if row.state != to:
        row.state = move_action(row.state, to).value
    if to is ActionState.DONE:
        row.last_error = None
    session.flush()


def _time(unix_s: int | str) -> datetime:
    return datetime.fromtimestamp(int(unix_s), UTC)


Handler = Callable[[Session, Event], None]

_HANDLERS: dict[tuple[str, str], Handler] = {
    ("vault", "ProgrammeCreated"): _programme_created,
    ("vault", "BudgetChanged"): _budget_changed,
    ("vault", "BatchApproved"): _batch_approved,
    ("vault", "BatchCancelled"): _batch_cancelled,
    ("vault", "BatchHeld"): _batch_held,
    ("vault", "EntryHeld"): _entry_held,
    ("vault", "UnexecutedExpired"): _unexecuted_expired,
    ("vault", "PayoutSkipped"): _payout_skipped,
    ("vault", "PayoutRetried"): _payout_retried,
    ("vault", "StreamsOpened"): _streams_opened,
    ("vault", "StreamWithdrawn"): _stream_event,
    ("vault", "StreamsWithdrawn"): _stream_event,
    ("vault", "StreamsCancelled"): _stream_event,
    ("vault", "StreamsExpired"): _stream_event,
    ("vault", "WalletChanged"): _wallet_changed,
    ("lane", "GrantMade"): _grant_made,
    ("lane", "GrantCountersigned"): _grant_countersigned,
    ("lane", "GrantWrittenOff"): _grant_written_off,
    ("registry", "OfficerAdded"): _officer_added,
    ("registry", "OfficerRemoved"): _officer_removed,
    ("registry", "SignerAdded"): _signer_added,
    ("registry", "SignerRemoved"): _signer_removed,
    ("registry", "VerifierAdded"): _verifier_added,
    ("registry", "VerifierRemoved"): _verifier_removed,
    ("registry", "ActionConsumed"): _action_consumed,
}

_UNDOERS: dict[tuple[str, str], Handler] = {
    ("vault", "ProgrammeCreated"): _programme_gone,
    ("vault", "BudgetChanged"): _budget_back,
    ("vault", "BatchApproved"): _batch_unapproved,
    ("vault", "BatchCancelled"): _batch_uncancelled,
    ("vault", "BatchHeld"): _hold_taken_back,
    ("vault", "EntryHeld"): _entry_hold_taken_back,
    ("vault", "UnexecutedExpired"): _expiry_taken_back,
    ("vault", "ChunkPaid"): _chunk_taken_back,
    ("vault", "PayoutRetried"): _retry_taken_back,
    ("vault", "StreamsOpened"): _chunk_taken_back,
    ("vault", "StreamWithdrawn"): _stream_taken_back,
    ("vault", "StreamsWithdrawn"): _stream_taken_back,
    ("vault", "StreamsCancelled"): _stream_taken_back,
    ("vault", "StreamsExpired"): _stream_taken_back,
    ("vault", "WalletChanged"): _wallet_changed_back,
    ("lane", "GrantMade"): _grant_taken_back,
    ("lane", "GrantCountersigned"): _countersignature_taken_back,
    ("lane", "GrantWrittenOff"): _write_off_taken_back,
    ("registry", "OfficerAdded"): _officer_removed,
    ("registry", "OfficerRemoved"): _officer_back,
    ("registry", "SignerAdded"): _signer_removed,
    ("registry", "SignerRemoved"): _signer_back,
    ("registry", "VerifierAdded"): _verifier_removed,
    ("registry", "VerifierRemoved"): _verifier_back,
    ("registry", "ActionConsumed"): _action_taken_back,
}
