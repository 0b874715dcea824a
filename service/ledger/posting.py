"""Final events turned into double entries, each exactly once.

============================================  ==================================
event                                         from → to
============================================  ==================================
ProgrammeCreated, BudgetChanged (higher)      funding → budget
BudgetChanged (lower)                         budget → funding
BatchApproved                                 budget → committed
ChunkPaid, PayoutRetried, StreamWithdrawn,    committed → circulating
StreamsWithdrawn
BatchCancelled, StreamsCancelled,             committed → budget
UnexecutedExpired, PayoutExpired,
StreamsExpired
Redeemed                                      circulating → redeemed
GrantMade                                     emergency → circulating
============================================  ==================================

The account the money leaves is credited, the one it goes to debited; `funding` is where all of it
comes from, so its balance is negative and all balances sum to zero. `emergency` is the same for
what the emergency lane granted, beside every programme.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.confirmations.finality import FINAL_CURSOR, lock_cursors
from service.confirmations.models import Cursor, Event
from service.confirmations.projections import previous_budget
from service.errors import IntegrityError, InvalidInput
from service.ledger.models import LedgerAccount, LedgerEntry
from service.telemetry.logs import after_commit, note_after_commit
from service.telemetry.metrics import POSTINGS

log = logging.getLogger(__name__)

LEDGER_CURSOR = "ledger"
FUNDING, CIRCULATING, REDEEMED = "funding", "circulating", "redeemed"
EMERGENCY = "emergency"

PAYING = {
    "ChunkPaid": "paid",
    "PayoutRetried": "amount",
    "StreamWithdrawn": "amount",
    "StreamsWithdrawn": "paid",
}
"""Events that turn commitment into supply, and the argument that says how much."""

RETURNING = {
    "BatchCancelled": "returned",
    "StreamsCancelled": "returned",
    "UnexecutedExpired": "returned",
    "PayoutExpired": "amount",
    "StreamsExpired": "returned",
}
"""Events that turn commitment back into budget, and the argument that says how much."""

BUDGETS = ("ProgrammeCreated", "BudgetChanged")
OUTSIDE_PROGRAMMES = ("Redeemed", "GrantMade")
POSTED = (*BUDGETS, "BatchApproved", *PAYING, *RETURNING, *OUTSIDE_PROGRAMMES)


def budget_account(programme: int) -> str:
    """Code of a programme's budget that nothing was approved from yet."""
    return f"budget:{programme}"


def committed_account(programme: int) -> str:
    """Code of what a programme approved and did not pay yet."""
    return f"committed:{programme}"


def check_account(session: Session, code: str) -> str:
    """Return the code of an account that the ledger has, or will have with its first posting.

    Raises
    ------
    InvalidInput
        When there is none; names those there are.
    """
    stored = session.scalars(select(LedgerAccount.code))
    accounts = {FUNDING, CIRCULATING, REDEEMED, EMERGENCY, *stored}
    if code not in accounts:
        raise InvalidInput(f"{code!r} is no account of the ledger: {', '.join(sorted(accounts))}")
    return code


@dataclass(frozen=True, slots=True)
class _Posting:
    source: str
    target: str
    amount: int


def post_final(session: Session, chain_id: int) -> int:
    """Post the events that became final since the last call; returns how many were posted."""
    cursors = lock_cursors(session, chain_id)
    final = cursors.get(FINAL_CURSOR)
    if final is None:
        return 0
    cursor = cursors.get(LEDGER_CURSOR)
    if cursor is None:
        cursor = cursors[LEDGER_CURSOR] = Cursor(
            chain_id=chain_id, name=LEDGER_CURSOR, block_number=-1, block_hash=final.block_hash
        )
        session.add(cursor)
    if cursor.block_number >= final.block_number:
        return 0
    events = session.scalars(
        select(Event)
        .where(
            Event.final.is_(True),
            Event.name.in_(POSTED),
            Event.block_number > cursor.block_number,
            Event.block_number <= final.block_number,
        )
        .order_by(Event.block_number, Event.log_index)
    ).all()
    programmes: dict[str, int] = {}
    entries = []
    known: dict[str, int | None] = dict.fromkeys((FUNDING, CIRCULATING, REDEEMED, EMERGENCY))
    for event in events:
        posting = _posting(session, event, programmes, known)
        if posting is not None and posting.amount:
            entries += _entries(event, posting)
            facts = {"batch": event.batch_id, "tx_hash": event.tx_hash}
            note_after_commit(session, log, "posted", name=event.name, **facts)
    _add_accounts(session, known)
    if entries:
        session.execute(insert(LedgerEntry), entries)
    cursor.block_number, cursor.block_hash = final.block_number, final.block_hash
    after_commit(session, lambda: POSTINGS.inc(len(entries) // 2))
    return len(entries) // 2


def _posting(
    session: Session,
    event: Event,
    programmes: dict[str, int],
    accounts: dict[str, int | None],
) -> _Posting | None:
    if event.name in OUTSIDE_PROGRAMMES:
        return _outside_programmes(event)
    programme = _programme(session, event, programmes)
    budget, committed = budget_account(programme), committed_account(programme)
    accounts[budget] = accounts[committed] = programme
    if event.name in BUDGETS:
        change = int(event.args["budget"]) - (previous_budget(session, event) or 0)
        if change >= 0:
            return _Posting(FUNDING, budget, change)
        return _Posting(budget, FUNDING, -change)
    if event.name == "BatchApproved":
        return _Posting(budget, committed, int(event.args["approval"]["total"]))
    if event.name in RETURNING:
        return _Posting(committed, budget, int(event.args[RETURNING[event.name]]))
    return _Posting(committed, CIRCULATING, int(event.args[PAYING[event.name]]))


def _outside_programmes(event: Event) -> _Posting:
    if event.name == "Redeemed":
        return _Posting(CIRCULATING, REDEEMED, int(event.args["amount"]))
    return _Posting(EMERGENCY, CIRCULATING, int(event.args["grant"]["amount"]))


def _programme(session: Session, event: Event, programmes: dict[str, int]) -> int:
    if event.programme is not None:
        if event.batch_id is not None:
            programmes[event.batch_id] = event.programme
        return event.programme
    batch_id = str(event.batch_id)
    if batch_id not in programmes:
        approved = session.scalars(
            select(Event.programme).where(Event.name == "BatchApproved", Event.batch_id == batch_id)
        ).one_or_none()
        if approved is None:
            raise IntegrityError(f"{event.name} of batch {batch_id}, which was never approved")
        programmes[batch_id] = approved
    return programmes[batch_id]


def _entries(event: Event, posting: _Posting) -> list[dict[str, object]]:
    common = {
        "posting_id": f"{event.block_hash}:{event.log_index}",
        "amount": posting.amount,
        "event_name": event.name,
        "batch_id": event.batch_id,
        "block_number": event.block_number,
        "block_hash": event.block_hash,
        "tx_hash": event.tx_hash,
        "log_index": event.log_index,
    }
    return [
        {**common, "line": 0, "account": posting.source, "side": "credit"},
        {**common, "line": 1, "account": posting.target, "side": "debit"},
    ]


def _add_accounts(session: Session, accounts: dict[str, int | None]) -> None:
    there = set(session.scalars(select(LedgerAccount.code).where(LedgerAccount.code.in_(accounts))))
    for code, programme in accounts.items():
        if code not in there:
            session.add(LedgerAccount(code=code, programme=programme))
    session.flush()
