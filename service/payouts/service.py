"""Officers' commands on batches and payouts. Nothing here commits.

Each names the states it starts from, which are fewer than the table of states allows: the rest of
the table is for contract events. Building, programmes and queries stand in modules of their own
and are named here too.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.errors import Conflict, IllegalTransition
from service.payouts import journal
from service.payouts.building import allocated_base_units, build_batches
from service.payouts.models import (
    Batch,
    ChainRequest,
    Chunk,
    Payout,
    Programme,
    RequestKind,
    in_state,
)
from service.payouts.programmes import (
    Tier,
    create_programme,
    get_programme,
    list_programmes,
    request_budget_application,
    request_budget_change,
)
from service.payouts.queries import (
    BatchStatus,
    PayoutFilter,
    batch_status,
    get_batch,
    get_payout,
    list_batches,
    list_payouts,
    lock_batch,
)
from service.payouts.requests import ask
from service.payouts.states import BatchState, ChunkState, PayoutState, move, move_all
from service.payouts.statistics import tell_planner
from service.payouts.streams import (
    cancellation_masks,
    get_stream,
    list_streams,
    request_withdraw,
    request_withdraw_all,
    wallet_view,
)
from service.telemetry.context import request_id

__all__ = [
    "BatchStatus",
    "PayoutFilter",
    "Tier",
    "allocated_base_units",
    "approve",
    "batch_status",
    "build_batches",
    "cancel_draft",
    "cancellation_masks",
    "cancelled_by_quorum",
    "create_programme",
    "free_overdue",
    "get_batch",
    "get_payout",
    "get_programme",
    "get_stream",
    "list_batches",
    "list_payouts",
    "list_programmes",
    "list_streams",
    "pause",
    "release",
    "request_budget_application",
    "request_budget_change",
    "request_retry",
    "request_withdraw",
    "request_withdraw_all",
    "resume",
    "wallet_view",
]


def approve(session: Session, batch: Batch, *, actor: str, clock: Clock = SYSTEM_CLOCK) -> None:
    """Mark a draft approved; for the approvals stage, when enough officers have signed.

    Raises
    ------
    IllegalTransition
        When it is no draft.
    IntegrityError, Conflict
        When its payouts are not all drafts.
    """
    _require(batch, BatchState.DRAFT)
    now = clock.now()
    _move_payouts(
        session, batch, PayoutState.DRAFT, PayoutState.APPROVED, now, expected=batch.count
    )
    batch.state = move(batch.state, BatchState.APPROVED).value
    _record(session, batch, "approve_batch", actor, now)


def release(session: Session, batch_id: str, *, actor: str, clock: Clock = SYSTEM_CLOCK) -> Batch:
    """Hand an approved batch to the submission engine.

    Raises
    ------
    NotFound
        When there is no such batch.
    IllegalTransition
        When it is not approved.
    Conflict
        When it or its programme is paused, its time is over, or its payouts are not all approved.
    """
    batch = lock_batch(session, batch_id)
    _require(batch, BatchState.APPROVED)
    now = clock.now()
    if batch.paused:
        raise Conflict(f"batch {batch.id} is paused: {batch.pause_reason}")
    programme = session.get_one(Programme, batch.programme_id, populate_existing=True)
    if programme.paused:
        raise Conflict(f"programme {programme.code} is paused: {programme.pause_reason}")
    if batch.execute_before_unix_s <= now.timestamp():
        raise Conflict(f"batch {batch.id} can no longer be executed: build it again")
    _move_payouts(
        session, batch, PayoutState.APPROVED, PayoutState.QUEUED, now, expected=batch.count
    )
    tell_planner(session, batch.count)
    batch.state = move(batch.state, BatchState.RELEASED).value
    batch.released_by, batch.released_at = actor, now
    batch.asked_by_request = request_id()
    _record(session, batch, "release_batch", actor, now)
    return batch


def pause(
    session: Session, batch_id: str, *, actor: str, reason: str, clock: Clock = SYSTEM_CLOCK
) -> Batch:
    """Stop building transactions for a batch; what is queued is held.

    The service's own brake: the chain knows nothing of it, and a stranger may still run an
    approved chunk.

    Raises
    ------
    NotFound
        When there is no such batch.
    InvalidInput
        When there is no reason.
    Conflict
        When it is paused, done or cancelled.
    """
    why = journal.required_reason(reason)
    batch = lock_batch(session, batch_id)
    if batch.state in (BatchState.DONE, BatchState.CANCELLED):
        raise IllegalTransition(f"a batch that is {batch.state} cannot be paused")
    if batch.paused:
        raise Conflict(f"batch {batch.id} is paused already: {batch.pause_reason}")
    now = clock.now()
    batch.paused, batch.pause_reason = True, why
    _move_payouts(session, batch, PayoutState.QUEUED, PayoutState.HELD, now)
    _record(session, batch, "pause_batch", actor, now, reason=why)
    return batch


def resume(
    session: Session, batch_id: str, *, actor: str, reason: str, clock: Clock = SYSTEM_CLOCK
) -> Batch:
    """Take the brake off; what was held is queued.

    Raises
    ------
    NotFound
        When there is no such batch.
    InvalidInput
        When there is no reason.
    Conflict
        When it is not paused, or cancelled.
    """
    why = journal.required_reason(reason)
    batch = lock_batch(session, batch_id)
    if batch.state == BatchState.CANCELLED:
        raise IllegalTransition("a batch that is cancelled cannot be resumed")
    if not batch.paused:
        raise Conflict(f"batch {batch.id} is not paused")
    now = clock.now()
    batch.paused, batch.pause_reason = False, None
    _move_payouts(session, batch, PayoutState.HELD, PayoutState.QUEUED, now)
    _record(session, batch, "resume_batch", actor, now, reason=why)
    return batch


def cancel_draft(
    session: Session, batch_id: str, *, actor: str, reason: str, clock: Clock = SYSTEM_CLOCK
) -> Batch:
    """Give up a batch that was not released.

    Its cases are free at once when nobody was asked to sign; otherwise its payouts are held until
    no signature can be used any more (decision 0021, :func:`free_overdue`).

    Raises
    ------
    NotFound
        When there is no such batch.
    InvalidInput
        When there is no reason.
    IllegalTransition
        When it is neither draft nor approved; a batch on chain is cancelled by a quorum.
    """
    why = journal.required_reason(reason)
    batch = lock_batch(session, batch_id)
    _require(batch, BatchState.DRAFT, BatchState.APPROVED)
    now = clock.now()
    unsigned = batch.signing_opened_at is None
    to = PayoutState.CANCELLED if unsigned else PayoutState.HELD
    waiting = Payout.own_state.in_([PayoutState.DRAFT.value, PayoutState.APPROVED.value])
    move_all(session, Payout, to, Payout.batch_id == batch.id, waiting, own_updated_at=now)
    _forget_payouts(session)
    batch.state = move(batch.state, BatchState.CANCELLED).value
    batch.paused, batch.pause_reason = False, None
    _record(session, batch, "cancel_draft", actor, now, reason=why)
    return batch


def cancelled_by_quorum(session: Session, batch: Batch) -> bool:
    """Tell whether a quorum cancels a batch on chain; else :func:`cancel_draft` does it here.

    Raises
    ------
    Conflict
        When there is nothing to cancel: a quorum would sign for nothing.
    IllegalTransition
        When it is released and not on chain: the contract does not know it yet.
    """
    if batch.state == BatchState.CANCELLED:
        raise Conflict(f"batch {batch.id} is cancelled already")
    if batch.state == BatchState.RELEASED:
        raise IllegalTransition(
            f"batch {batch.id} is released and not on chain yet: pause it, or wait until it is"
        )
    if batch.state in (BatchState.DRAFT, BatchState.APPROVED):
        return False
    to_run = select(Chunk.chunk_index).where(
        Chunk.batch_id == batch.id,
        Chunk.state.in_([ChunkState.WAITING.value, ChunkState.SENT.value]),
    )
    if session.scalar(to_run.limit(1)) is None:
        raise Conflict(
            f"nothing of batch {batch.id} is left to cancel: every chunk ran. What was skipped "
            "stays payable, and open streams are cancelled one by one"
        )
    return True


def free_overdue(session: Session, final_block_unix_s: int, *, clock: Clock = SYSTEM_CLOCK) -> int:
    """Free the cases of batches that no signature can bring on chain any more.

    Of cancelled ones the payouts that waited for this are let go; one that was released and is not
    on chain by its ``executeBefore`` is cancelled.

    Parameters
    ----------
    final_block_unix_s
        Timestamp of the newest block that is final and whose events were read. The machine's own
        clock would not do: the contract compares block times.

    Returns
    -------
    int
        How many payouts are ``cancelled`` now.
    """
    now = clock.now()
    over = Batch.execute_before_unix_s <= final_block_unix_s
    late = session.scalars(
        select(Batch).where(Batch.state == BatchState.RELEASED.value, over).with_for_update()
    ).all()
    for batch in late:
        batch.state = move(batch.state, BatchState.CANCELLED).value
        batch.last_error = "its time to execute is over, and it is not on chain"
        _record(session, batch, "cancel_overdue", "worker", now, reason=batch.last_error)
    session.flush()
    waiting = [PayoutState.HELD.value, PayoutState.QUEUED.value]
    freed = move_all(
        session,
        Payout,
        PayoutState.CANCELLED,
        # One that is on chain is let go when its cancellation is final: that may be taken back.
        Payout.batch_id.in_(
            select(Batch.id).where(
                Batch.state == BatchState.CANCELLED, over, Batch.approved_block_number.is_(None)
            )
        ),
        Payout.own_state.in_(waiting),
        own_updated_at=now,
    )
    _forget_payouts(session)
    return freed


def request_retry(
    session: Session,
    batch_id: str,
    index: int,
    *,
    actor: str,
    reason: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ChainRequest:
    """Ask that a skipped payout be tried again.

    The payout stays ``skipped`` until the chain says that it was paid (decision 0022).

    Raises
    ------
    NotFound
        When there is no such payout.
    Conflict
        When it was not skipped.
    """
    payout = get_payout(session, batch_id, index)
    if payout.state != PayoutState.SKIPPED:
        raise Conflict(f"payout {index} of batch {payout.batch_id} is {payout.state}, not skipped")
    return ask(
        session,
        RequestKind.RETRY_PAYOUT,
        {"batchId": payout.batch_id, "index": index},
        dedupe_key=f"retry_payout:{payout.batch_id}:{index}",
        actor=actor,
        reason=reason,
        clock=clock,
    )


# ---- Steps -------------------------------------------------------------------------------------


def _require(batch: Batch, *states: BatchState) -> None:
    if batch.state not in states:
        wanted = " or ".join(states)
        raise IllegalTransition(f"batch {batch.id} is {batch.state}; this needs it {wanted}")


def _move_payouts(
    session: Session,
    batch: Batch,
    source: PayoutState,
    to: PayoutState,
    now: datetime,
    *,
    expected: int | None = None,
) -> None:
    of_batch = Payout.batch_id == batch.id
    moved = move_all(session, Payout, to, of_batch, in_state(source), own_updated_at=now)
    _forget_payouts(session)
    if expected is not None and moved != expected:
        raise Conflict(f"{moved} of the {expected} payouts of batch {batch.id} are {source}")


def _forget_payouts(session: Session) -> None:
    """Have payouts that this session loaded read again: a statement went past them."""
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Payout):
            session.expire(loaded)


def _record(
    session: Session,
    batch: Batch,
    action: str,
    actor: str,
    now: datetime,
    *,
    reason: str | None = None,
) -> None:
    journal.record(
        session,
        at=now,
        actor=actor,
        action=action,
        object_type="batch",
        object_id=batch.id,
        reason=reason,
    )
