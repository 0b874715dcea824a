"""Where everything stands, for a person: what is paid, what moves, what is stuck and what to do.

What is paid is read from the ledger, so it is final; what moves from the rows of the stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.application.alarms import alarm_view
from service.application.batches import waiting_transactions
from service.application.context import Application
from service.application.requests import last_error
from service.application.survey.chain import (
    LOW_TRANSACTIONS,
    ChainFigures,
    take_chain_figures,
)
from service.application.survey.figures import AWAITS_MONEY, OVERDUE, Figures, take_figures
from service.application.survey.gauges import nonce_gap
from service.application.survey.probes import LAG_BLOCKS
from service.application.survey.tally import PayoutTally
from service.confirmations.alarms import list_alarms
from service.confirmations.models import Block
from service.errors import ReliefError
from service.ledger.models import LedgerEntry
from service.ledger.posting import CIRCULATING, PAYING
from service.payouts.models import Batch, Chunk, Payout, Programme, in_state
from service.payouts.queries import stuck_in
from service.payouts.states import BatchState, ChunkState, GrantState, PayoutState
from service.units import amounts, format_amount, format_duration, format_time, format_unix_s

MAX_BATCHES = 20
"""Batches shown; those that officers wait for longest first."""

DEADLINE_NEAR_S = 86_400
RESERVE_OLD_S = 3 * 86_400
"""So long before the attestation is too old it is time for a new one."""

NO_ATTENTION = frozenset({"challenge_delay", "held_after_cancel"})
"""What holds a batch up and ends by itself."""

COMMANDS = {
    "paused": "relief batch resume {id}",
    "programme_paused": "relief programme resume {programme}",
    "refused": "relief batch show {id}",
    "too_late_to_approve": "relief batch cancel {id}",
    "too_late_to_execute": "relief batch due",
    "skipped": "relief payout list --batch {id} --state skipped",
}
"""What to type about what is stuck, by its code."""


def status_view(
    app: Application, session: Session, *, midnight: datetime, tally: PayoutTally | None = None
) -> dict[str, Any]:
    """Return all of it, for JSON; a node that does not answer is one of the things to look at.

    Parameters
    ----------
    session
        Sees one moment and only reads.
    midnight
        When today began.
    tally
        What was counted before, of a caller who looks again and again.
    """
    figures = take_figures(session, app.deployment.chain_id, tally)
    chain, why = _chain(app, figures)
    batches = [_batch(session, batch, figures) for batch in _open_batches(session)]
    alarms = [alarm_view(session, alarm) for alarm in list_alarms(session)]
    view: dict[str, Any] = {
        "at": format_time(figures.at),
        "chain_id": app.deployment.chain_id,
        "paid": {
            **amounts(
                today=_paid(session, midnight),
                total=_paid(session, None),
            ),
            "today_since": format_time(midnight),
        },
        "payouts": [
            {"state": state.value, "count": s.count, **amounts(amount=s.amount_base_units)}
            for state, s in figures.payouts.items()
        ],
        "queue_since": figures.queue_since and format_time(figures.queue_since),
        "batches": batches,
        "batches_by_state": dict(figures.batches),
        "lanes": [_lane(figures, chain, lane.sender) for lane in figures.lanes],
        "workers": sorted({lane.owner for lane in figures.lanes if lane.owner}),
        "chain": _positions(figures, chain),
        "reserve": chain and _reserve(chain),
        "budgets": [
            {
                "programme": b.programme,
                "code": b.code,
                **amounts(budget=b.budget_base_units, left=b.left_base_units),
            }
            for b in figures.budgets
        ],
        "emergency_grants": dict(figures.grants),
        "alarms": alarms,
    }
    view["attention"] = list(_attention(view, figures, chain, why))
    return view


def _chain(app: Application, figures: Figures) -> tuple[ChainFigures | None, str]:
    try:
        senders = [lane.sender for lane in figures.lanes]
        return take_chain_figures(app.rpc, app.contracts, senders), ""
    except ReliefError as error:
        return None, error.detail


# ---- Money ---------------------------------------------------------------------------------------


def _paid(session: Session, since: datetime | None) -> int:
    """Sum what reached wallets and is final; one term a distinct amount, as SQLite cannot add."""
    paying = (*PAYING, "GrantMade")
    statement = (
        select(LedgerEntry.amount, func.count())
        .where(
            LedgerEntry.account == CIRCULATING,
            LedgerEntry.side == "debit",
            LedgerEntry.event_name.in_(paying),
        )
        .group_by(LedgerEntry.amount)
    )
    if since is not None:
        statement = statement.join(Block, Block.number == LedgerEntry.block_number).where(
            Block.timestamp_unix_s >= int(since.timestamp())
        )
    return sum(amount * count for amount, count in session.execute(statement))


def _reserve(chain: ChainFigures) -> dict[str, Any]:
    reserve = chain.reserve
    stale = reserve.stale_after_unix_s
    return {
        **amounts(
            in_force=reserve.in_force_base_units,
            supply=reserve.supply_base_units,
            committed=reserve.committed_base_units,
            cap=reserve.cap_base_units,
            headroom=reserve.headroom_base_units,
        ),
        "stale_after": format_unix_s(stale) if stale else None,
    }


# ---- Batches -------------------------------------------------------------------------------------


def _open_batches(session: Session) -> Sequence[Batch]:
    waiting = Batch.state.in_([BatchState.DRAFT.value, BatchState.APPROVED.value])
    skipped = Batch.id.in_(select(Payout.batch_id).where(in_state(PayoutState.SKIPPED)).distinct())
    return session.scalars(
        select(Batch)
        .where(AWAITS_MONEY[0] | waiting | skipped)
        .order_by(Batch.released_at.is_(None), Batch.released_at, Batch.created_at)
        .limit(MAX_BATCHES)
    ).all()


def _batch(session: Session, batch: Batch, figures: Figures) -> dict[str, Any]:
    counts = {
        state: int(count)
        for state, count in session.execute(
            select(Chunk.state, func.sum(Chunk.count))
            .where(Chunk.batch_id == batch.id)
            .group_by(Chunk.state)
        )
    }
    final = counts.get(ChunkState.FINAL.value, 0)
    moving = counts.get(ChunkState.SENT.value, 0) + counts.get(ChunkState.INCLUDED.value, 0)
    at_unix_s = int(figures.at.timestamp())
    stuck = [
        {"code": s.code, "count": s.count, "message": last_error(s.message)["last_error"]}
        for s in stuck_in(session, batch, at_unix_s)
    ] + waiting_transactions(session, batch.id)
    programme = session.get_one(Programme, batch.programme_id)
    return {
        "id": batch.id,
        "programme": programme.code,
        "kind": batch.kind,
        "state": batch.state,
        "paused": batch.paused,
        "count": batch.count,
        "executed": final,
        "moving": moving,
        "waiting": batch.count - final - moving,
        **amounts(total=batch.total_base_units),
        "execute_before": format_unix_s(batch.execute_before_unix_s),
        "seconds_left": batch.execute_before_unix_s - at_unix_s,
        "stuck": stuck,
    }


# ---- Lanes and chain -----------------------------------------------------------------------------


def _lane(figures: Figures, chain: ChainFigures | None, sender: str) -> dict[str, Any]:
    (lane,) = (each for each in figures.lanes if each.sender == sender)
    shown: dict[str, Any] = {
        "sender": sender,
        "worker": lane.owner,
        "next_nonce": lane.next_nonce,
        "built": lane.depth - lane.in_flight,
        "in_flight": lane.in_flight,
        "out_of_funds": lane.out_of_funds,
        "nonce_gap": None,
        "balance_wei": None,
        "transactions_affordable": None,
    }
    if chain is not None and sender in chain.balances_wei:
        shown["nonce_gap"] = nonce_gap(chain.nonces[sender], figures, sender)
        shown["balance_wei"] = str(chain.balances_wei[sender])
        shown["transactions_affordable"] = chain.affordable.get(sender)
    return shown


def _positions(figures: Figures, chain: ChainFigures | None) -> dict[str, Any]:
    read = figures.events.block if figures.events else None
    return {
        "head": chain.head if chain else None,
        "head_at": format_unix_s(chain.timestamp_unix_s) if chain else None,
        "read": read,
        "final": figures.final.block if figures.final else None,
        "posted": figures.posted.block if figures.posted else None,
        "lag_blocks": max(chain.head - read, 0) if chain and read is not None else None,
        "gas_price_wei": str(chain.gas_price_wei) if chain else None,
    }


# ---- What to do ----------------------------------------------------------------------------------


def _attention(
    view: dict[str, Any], figures: Figures, chain: ChainFigures | None, why: str
) -> Iterator[dict[str, str | None]]:
    for alarm in view["alarms"]:
        words = f"alarm {alarm['kind']}: {alarm['detail']}. {alarm['advice']}"
        command = f"relief alarms clear {alarm['id']} --reason ..."
        yield _look(f"alarm_{alarm['kind']}", words, command)
    if not view["workers"]:
        yield _look("no_worker", "no worker runs: nothing is sent or read", "relief worker run")
    if chain is None:
        yield _look("node", f"the node does not answer: {why}", "relief doctor")
    elif (view["chain"]["lag_blocks"] or 0) > LAG_BLOCKS:
        words = f"{view['chain']['lag_blocks']} blocks were not read yet"
        yield _look("lag", words, "relief doctor")
    for lane in view["lanes"]:
        yield from _of_lane(lane)
    for batch in view["batches"]:
        yield from _of_batch(batch)
    if chain is not None:
        yield from _of_reserve(figures, chain)
    if overdue := figures.grants.get(OVERDUE, 0):
        words = f"{_count(overdue, 'emergency grant')} overdue: the officer can grant no more"
        yield _look("grants_overdue", words, "relief emergency list --state overdue")
    if waiting := figures.grants.get(GrantState.OUTSTANDING.value, 0):
        words = f"{_count(waiting, 'emergency grant')} to be countersigned"
        yield _look("grants_outstanding", words, "relief emergency list --state outstanding")


def _of_lane(lane: dict[str, Any]) -> Iterator[dict[str, str | None]]:
    sender = lane["sender"]
    affordable = lane["transactions_affordable"]
    if lane["out_of_funds"]:
        yield _look("out_of_funds", f"lane {sender} has no gas money: send it some", None)
    elif affordable is not None and affordable < LOW_TRANSACTIONS:
        words = f"lane {sender} has gas money for {_count(affordable, 'large transaction')}"
        yield _look("gas_low", f"{words}: send it some", None)
    if lane["nonce_gap"]:
        words = f"lane {sender}: the chain waits for {_count(lane['nonce_gap'], 'nonce')}"
        yield _look("nonce_gap", f"{words} that no transaction has", "relief doctor")


def _of_batch(batch: dict[str, Any]) -> Iterator[dict[str, str | None]]:
    short = batch["id"][:12]
    for stuck in batch["stuck"]:
        if stuck["code"] in NO_ATTENTION:
            continue
        command = COMMANDS.get(stuck["code"], "relief batch show {id}").format(
            id=short, programme=batch["programme"]
        )
        yield _look(f"batch_{stuck['code']}", f"batch {short}: {stuck['message']}", command)
    unpaid = batch["state"] in (BatchState.RELEASED.value, BatchState.ONCHAIN.value)
    if unpaid and batch["waiting"] and 0 < batch["seconds_left"] < DEADLINE_NEAR_S:
        left = format_duration(batch["seconds_left"])
        words = f"batch {short}: {batch['waiting']} payouts wait, and can be run for {left} more"
        yield _look("deadline", words, f"relief batch show {short}")


def _of_reserve(figures: Figures, chain: ChainFigures) -> Iterator[dict[str, str | None]]:
    stale = chain.reserve.stale_after_unix_s
    attest = "relief reserve attest"
    if stale is None:
        yield _look("reserve", "no reserve is attested: nothing can be approved", attest)
    elif stale - chain.timestamp_unix_s < RESERVE_OLD_S:
        words = f"the reserve's attestation is too old from {format_unix_s(stale)} on"
        yield _look("reserve_old", words, attest)
    approved = figures.payouts.get(PayoutState.APPROVED)
    wanted = approved.amount_base_units if approved else 0
    headroom = chain.reserve.headroom_base_units
    if wanted > headroom:
        words = (
            f"batches of {format_amount(wanted)} are approved and the reserve leaves room for "
            f"{format_amount(headroom)}"
        )
        yield _look("reserve_short", words, attest)


def _look(code: str, message: str, command: str | None) -> dict[str, str | None]:
    return {"code": code, "message": message, "do": command}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
