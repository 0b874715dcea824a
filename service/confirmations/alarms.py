"""Alarms: what a person must look at, which of them stop the worker, and what to do about each.

A row is written once while the same alarm is open, and stays open until a person clears it, with
their name and reason in the journal: that its cause is gone settles nothing (decision 0089).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.confirmations.models import ChainAlarm
from service.db import lock
from service.errors import Conflict, IntegrityError, NotFound
from service.payouts import journal
from service.telemetry.logs import after_commit, note_after_commit
from service.telemetry.metrics import ALARMS_RAISED
from service.transactions.dbclock import now_ms
from service.transactions.models import Transaction, TransactionAttempt
from service.transactions.outcomes import SendOutcome
from service.transactions.states import IN_FLIGHT

log = logging.getLogger(__name__)

REFUSED_FOR_S = 60
"""A transaction refused for so long, in words that mean nothing to us, needs a person."""


class AlarmKind(StrEnum):
    """What an alarm is about."""

    REORG_PAST_FINALITY = "reorg_past_finality"
    SEQUENCE_GAP = "sequence_gap"
    NODES_DISAGREE = "nodes_disagree"
    NODE_REFUSED = "node_refused"
    NODE_BEHIND = "node_behind"
    TRANSACTION_REFUSED = "transaction_refused"
    UNKNOWN_BATCH = "unknown_batch"
    BATCH_MISMATCH = "batch_mismatch"
    CHUNK_MISMATCH = "chunk_mismatch"
    GRANT_MISMATCH = "grant_mismatch"
    GRANTED_AND_IN_A_BATCH = "granted_and_in_a_batch"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an alarm of a kind does, and what people do.

    Attributes
    ----------
    stops
        Whether the worker reads and pays nothing while one is open.
    advice
        What to do, a sentence or two.
    """

    stops: bool
    advice: str


MEANINGS: dict[AlarmKind, Meaning] = {
    AlarmKind.REORG_PAST_FINALITY: Meaning(
        stops=True,
        advice="Ask the chain's operators which of the two chains is the right one. If the node is "
        "wrong, repair it or take it out of RELIEF_RPC_URL; then clear the alarm.",
    ),
    AlarmKind.SEQUENCE_GAP: Meaning(
        stops=True,
        advice="The node left out an event: have its log index rebuilt, or read from another node; "
        "then clear the alarm.",
    ),
    AlarmKind.NODES_DISAGREE: Meaning(
        stops=True,
        advice="Two nodes have different final blocks. Find out which of them is on the chain of "
        "its validators and take the other out of RELIEF_RPC_URL; then clear the alarm.",
    ),
    AlarmKind.NODE_REFUSED: Meaning(
        stops=False,
        advice="The node is of another chain, or the contracts there have another code: it is not "
        "used. Correct or remove its address in RELIEF_RPC_URL.",
    ),
    AlarmKind.NODE_BEHIND: Meaning(
        stops=False,
        advice="The node has fallen behind what was read before, and no other is ahead: wait until "
        "it has caught up, or read from another node.",
    ),
    AlarmKind.TRANSACTION_REFUSED: Meaning(
        stops=False,
        advice="The node refuses a signed transaction in words that say nothing about it: look at "
        "the node's log and state. The same bytes are sent again until one takes them.",
    ),
    AlarmKind.UNKNOWN_BATCH: Meaning(
        stops=False,
        advice="Restore the batch from its manifest: until then no batch is approved on chain.",
    ),
    AlarmKind.BATCH_MISMATCH: Meaning(
        stops=False,
        advice="The batch's rows were changed after officers signed: compare with its manifest "
        "(relief audit) and restore them.",
    ),
    AlarmKind.CHUNK_MISMATCH: Meaning(
        stops=False,
        advice="The chunk's rows were changed after officers signed: compare with the manifest "
        "(relief audit); what was paid is what the chain says.",
    ),
    AlarmKind.GRANT_MISMATCH: Meaning(
        stops=False,
        advice="The grant's row was changed, or its officer signed other terms: what was paid is "
        "what the chain says. Ask the officer.",
    ),
    AlarmKind.GRANTED_AND_IN_A_BATCH: Meaning(
        stops=False,
        advice="A case was granted in an emergency and stands in a batch too: hold its payout, or "
        "have a quorum cancel the batch, before it is paid twice.",
    ),
}

STOPPING = tuple(kind.value for kind, meaning in MEANINGS.items() if meaning.stops)
"""While an alarm of one of these kinds is open the worker only waits."""


def meaning(kind: str) -> Meaning:
    """Return what an alarm of a kind does; one that this version does not know stops nothing."""
    try:
        return MEANINGS[AlarmKind(kind)]
    except ValueError:
        return Meaning(stops=False, advice="This version of the service does not know the kind.")


def raise_alarm(session: Session, kind: str, detail: str, block_number: int | None) -> None:
    """Write an alarm for a person, once."""
    same = select(ChainAlarm).where(
        ChainAlarm.kind == kind, ChainAlarm.detail == detail, ChainAlarm.cleared_at.is_(None)
    )
    if session.scalars(same.limit(1)).first() is None:
        note_after_commit(
            session, log, "alarm", logging.ERROR, kind=kind, detail=detail, block=block_number
        )
        after_commit(session, ALARMS_RAISED.labels(kind).inc)
        session.add(
            ChainAlarm(
                kind=AlarmKind(kind).value,
                detail=detail,
                block_number=block_number,
                created_at=SYSTEM_CLOCK.now(),
            )
        )


def refuse_while_alarmed(session: Session) -> None:
    """Go no further while an alarm is open that stops the worker.

    Raises
    ------
    IntegrityError
        With what the oldest says and what to do.
    """
    alarm = session.scalars(
        select(ChainAlarm)
        .where(ChainAlarm.cleared_at.is_(None), ChainAlarm.kind.in_(STOPPING))
        .order_by(ChainAlarm.id)
        .limit(1)
    ).first()
    if alarm is not None:
        raise IntegrityError(
            f"{alarm.kind}: {alarm.detail}. {meaning(alarm.kind).advice} "
            f"(relief alarms clear {alarm.id} --reason …)"
        )


def list_alarms(
    session: Session,
    *,
    with_cleared: bool = False,
    before: int | None = None,
    limit: int | None = None,
) -> Sequence[ChainAlarm]:
    """Return the alarms, newest first; only the open ones unless told otherwise.

    Parameters
    ----------
    before
        Only those with a smaller number, for the next page.
    """
    statement = select(ChainAlarm).order_by(ChainAlarm.id.desc()).limit(limit)
    if not with_cleared:
        statement = statement.where(ChainAlarm.cleared_at.is_(None))
    if before is not None:
        statement = statement.where(ChainAlarm.id < before)
    return session.scalars(statement).all()


def get_alarm(session: Session, alarm_id: int) -> ChainAlarm:
    """Return one alarm as it is now.

    Raises
    ------
    NotFound
        When there is none of that number.
    """
    row = session.get(ChainAlarm, alarm_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    return row


def clear(
    session: Session, alarm_id: int, *, actor: str, reason: str, clock: Clock = SYSTEM_CLOCK
) -> ChainAlarm:
    """Settle an alarm: the worker goes on, and raises it anew if its cause is still there.

    Raises
    ------
    NotFound
        When there is none of that number.
    InvalidInput
        When there is no reason.
    Conflict
        When it is cleared already.
    """
    why = journal.required_reason(reason)
    row = lock(session, get_alarm(session, alarm_id))
    if row.cleared_at is not None:
        raise Conflict(f"alarm {row.id} is cleared already")
    row.cleared_at = clock.now()
    journal.record(
        session,
        at=row.cleared_at,
        actor=actor,
        action="clear_alarm",
        object_type="alarm",
        object_id=str(row.id),
        reason=why,
    )
    return row


def watch_refused(session: Session, chain_id: int) -> None:
    """Raise an alarm for each transaction in flight that a node has refused for a minute.

    A lane without gas money and an offer below the market are no such refusals: they have rows,
    metrics and remedies of their own.
    """
    # A fill that is wrong cannot be replaced by a fill.
    wrong_fill = (TransactionAttempt.answer == SendOutcome.INVALID) & (
        TransactionAttempt.purpose == "fill"
    )
    refused = session.execute(
        select(Transaction.id, TransactionAttempt.error)
        .join(TransactionAttempt, TransactionAttempt.transaction_id == Transaction.id)
        .where(
            Transaction.chain_id == chain_id,
            Transaction.state.in_([state.value for state in IN_FLIGHT]),
            TransactionAttempt.refused_since_unix_ms < now_ms() - REFUSED_FOR_S * 1000,
            TransactionAttempt.answer.in_([SendOutcome.UNKNOWN, SendOutcome.BUSY]) | wrong_fill,
        )
        .order_by(Transaction.id)
    ).all()
    for row_id, words in refused:
        detail = f"transaction {row_id} was not taken: {words}"
        raise_alarm(session, AlarmKind.TRANSACTION_REFUSED, detail, None)
