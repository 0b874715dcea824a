"""What the database says of where money and work stand.

Each question is one statement over an index or a small table; only counting the payouts by state
reads as many entries of an index as there are payouts (decision 0094 has the times).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from service.application.survey.tally import PayoutTally
from service.confirmations.finality import EVENTS_CURSOR, FINAL_CURSOR
from service.confirmations.models import Block, ChainAlarm, Cursor
from service.db import Base
from service.ledger.posting import LEDGER_CURSOR
from service.payouts.building import allocated_base_units
from service.payouts.models import Batch, ChainRequest, Chunk, EmergencyGrant, Programme
from service.payouts.queries import StateSum
from service.payouts.states import (
    BatchState,
    ChunkState,
    GrantState,
    PayoutState,
    ProgrammeState,
    RequestState,
)
from service.transactions.dbclock import read_now_ms
from service.transactions.models import Lane, Transaction
from service.transactions.states import IN_FLIGHT, State

UNPAID_CHUNK = Chunk.state.in_([ChunkState.WAITING.value, ChunkState.SENT.value])

AWAITS_MONEY = (
    (Batch.state == BatchState.RELEASED.value)
    | (
        (Batch.state == BatchState.ONCHAIN.value)
        & exists(select(Chunk.batch_id).where(Chunk.batch_id == Batch.id, UNPAID_CHUNK))
    ),
)
"""Batches that officers released and that are not paid through."""

OVERDUE = "overdue"
_WORKING = (State.BUILT, *IN_FLIGHT, State.INCLUDED)


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """One sender.

    Attributes
    ----------
    owner
        Worker that holds it by a lease in force, or None.
    transactions
        How many it has by state: built, in flight, included.
    lowest_in_flight
        Lowest nonce that is not known to be used.
    """

    sender: str
    owner: str | None
    next_nonce: int
    out_of_funds: bool
    transactions: Mapping[str, int]
    lowest_in_flight: int | None

    @property
    def in_flight(self) -> int:
        """Transactions with a nonce that the chain has not used as far as we know."""
        return sum(self.transactions.get(state.value, 0) for state in IN_FLIGHT)

    @property
    def depth(self) -> int:
        """Transactions that wait to be signed or to be mined."""
        return self.in_flight + self.transactions.get(State.BUILT.value, 0)


@dataclass(frozen=True, slots=True)
class Position:
    """A block that a reader has got to, and its time (None where the block is not kept)."""

    block: int
    timestamp_unix_s: int | None


@dataclass(frozen=True, slots=True)
class BudgetFigures:
    """A programme's budget and what batches, drafts included, leave of it, base units."""

    programme: int
    code: str
    budget_base_units: int
    left_base_units: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the database said at one moment.

    Attributes
    ----------
    at
        Of the database's clock.
    payouts
        Count and amount by state.
    queue_since
        Since when the batch that waits longest could have been paid: it was released, and its
        challenge delay is over.
    next_deadline_unix_s
        The nearest time before which a released batch must be executed.
    refused
        Transactions that a node or contract refused and that are tried again.
    grants
        Emergency grants by state; those past their time are ``overdue``.
    requests
        Open and failed requests by state.
    """

    at: datetime
    payouts: Mapping[PayoutState, StateSum]
    batches: Mapping[str, int]
    queue_since: datetime | None
    next_deadline_unix_s: int | None
    lanes: Sequence[LaneFigures]
    refused: int
    events: Position | None
    final: Position | None
    posted: Position | None
    alarms: Mapping[str, int]
    grants: Mapping[str, int]
    requests: Mapping[str, int]
    budgets: Sequence[BudgetFigures]


def take_figures(session: Session, chain_id: int, tally: PayoutTally | None = None) -> Figures:
    """Ask the database for all of it.

    Parameters
    ----------
    tally
        What was counted before, of a caller who asks again and again.
    """
    now_ms = read_now_ms(session)
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    queue_since, deadline = _queue(session, at)
    return Figures(
        at=at,
        payouts=(tally or PayoutTally()).take(session),
        batches=_counts(session, Batch.state, Batch),
        queue_since=queue_since,
        next_deadline_unix_s=deadline,
        lanes=lane_figures(session, chain_id, now_ms),
        refused=session.scalars(
            select(func.count())
            .select_from(Transaction)
            .where(Transaction.state == State.BUILT.value, Transaction.failures > 0)
        ).one(),
        events=position(session, chain_id, EVENTS_CURSOR),
        final=position(session, chain_id, FINAL_CURSOR),
        posted=position(session, chain_id, LEDGER_CURSOR),
        alarms=_counts(session, ChainAlarm.kind, ChainAlarm, ChainAlarm.cleared_at.is_(None)),
        grants=grant_figures(session, int(at.timestamp())),
        requests=_counts(
            session,
            ChainRequest.state,
            ChainRequest,
            ChainRequest.state != RequestState.DONE.value,
        ),
        budgets=budget_figures(session),
    )


def _queue(session: Session, now: datetime) -> tuple[datetime | None, int | None]:
    """Return since when the first batch waits that could be paid, and the nearest deadline."""
    since: list[datetime] = []
    deadlines: list[int] = []
    for released_at, execute_from_unix_s, execute_before_unix_s in session.execute(
        select(Batch.released_at, Batch.execute_from_unix_s, Batch.execute_before_unix_s).where(
            *AWAITS_MONEY, Batch.paused.is_(False)
        )
    ):
        deadlines.append(execute_before_unix_s)
        may_run_at = datetime.fromtimestamp(execute_from_unix_s or 0, UTC)
        if released_at is not None and may_run_at <= now:
            since.append(max(released_at, may_run_at))
    return min(since, default=None), min(deadlines, default=None)


def position(session: Session, chain_id: int, reader: str) -> Position | None:
    """Return how far a reader has got, None before its first block."""
    found = session.execute(
        select(Cursor.block_number, Block.timestamp_unix_s)
        .outerjoin(Block, Block.number == Cursor.block_number)
        .where(Cursor.chain_id == chain_id, Cursor.name == reader)
    ).one_or_none()
    return None if found is None else Position(*found)


def lane_figures(session: Session, chain_id: int, now_ms: int) -> list[LaneFigures]:
    """Return the lanes with what they have to do."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    lowest: dict[str, int] = {}
    working = [state.value for state in _WORKING]
    flying = {state.value for state in IN_FLIGHT}
    for sender, state, count, nonce in session.execute(
        select(Transaction.sender, Transaction.state, func.count(), func.min(Transaction.nonce))
        .where(Transaction.chain_id == chain_id, Transaction.state.in_(working))
        .group_by(Transaction.sender, Transaction.state)
    ):
        counts[sender][state] = count
        if state in flying and nonce is not None:
            lowest[sender] = min(nonce, lowest.get(sender, nonce))
    lanes = session.scalars(select(Lane).where(Lane.chain_id == chain_id).order_by(Lane.sender))
    return [
        LaneFigures(
            sender=lane.sender,
            owner=lane.lease_owner if lane.lease_expires_unix_ms >= now_ms else None,
            next_nonce=lane.next_nonce,
            out_of_funds=lane.out_of_funds,
            transactions=dict(counts[lane.sender]),
            lowest_in_flight=lowest.get(lane.sender),
        )
        for lane in lanes
    ]


def grant_figures(session: Session, now_unix_s: int) -> dict[str, int]:
    """Return how many emergency grants are in each state, those past their time apart."""
    counts = Counter(_counts(session, EmergencyGrant.state, EmergencyGrant))
    overdue = session.scalars(
        select(func.count())
        .select_from(EmergencyGrant)
        .where(
            EmergencyGrant.state == GrantState.OUTSTANDING.value,
            EmergencyGrant.overdue_from_unix_s <= now_unix_s,
        )
    ).one()
    counts[GrantState.OUTSTANDING.value] -= overdue
    counts[OVERDUE] = overdue
    return {state: count for state, count in counts.items() if count}


def budget_figures(session: Session) -> list[BudgetFigures]:
    """Return the budgets of the programmes on chain."""
    programmes = session.scalars(
        select(Programme)
        .where(Programme.state == ProgrammeState.ONCHAIN.value)
        .order_by(Programme.id)
    )
    return [
        BudgetFigures(
            programme=programme.id,
            code=programme.code,
            budget_base_units=programme.budget_base_units,
            left_base_units=programme.budget_base_units - allocated_base_units(session, programme),
        )
        for programme in programmes
    ]


def _counts(session: Session, column: Any, model: type[Base], *where: Any) -> dict[str, int]:
    rows = session.execute(
        select(column, func.count()).select_from(model).where(*where).group_by(column)
    )
    return {str(value): count for value, count in rows}
