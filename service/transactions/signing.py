"""Signing what is built: tried out first, then a nonce and the signed bytes in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from service.chain.rpc import RpcError
from service.db import transaction
from service.payouts.models import ChainRequest
from service.payouts.states import RequestState
from service.payouts.states import move_all as move_payout_stages
from service.transactions import lanes, trail
from service.transactions.context import (
    FIRST_RETRY_MS,
    LAST_RETRY_MS,
    TRANSACTION_GAS_CAP,
    EngineContext,
    of,
    values_of,
)
from service.transactions.dbclock import has_come
from service.transactions.in_flight import hold_pauses
from service.transactions.lanes import Lease
from service.transactions.models import Lane, Transaction
from service.transactions.outcomes import ALREADY_DONE, TOO_EARLY
from service.transactions.owners import tell_owner
from service.transactions.states import IN_FLIGHT, Kind, State, move
from service.transactions.trials import Trials, plan_trials

GAS_MARGIN_PER_CENT = 20
"""Room over an estimate: the state may differ a little when the transaction is mined."""

CHUNK_GAS_BASE = 250_000
CHUNK_GAS_AN_ENTRY = 32_000
"""Above what a payee costs who is skipped (30,700) or new (24,900), so that one run is enough."""

ENTRY_BYTES = 28

USUAL_GAS = 1_000_000
"""Put down for a call before it is estimated."""


def sign_built(
    context: EngineContext, lease: Lease, newest: Mapping[str, Any] | None = None
) -> int:
    """Give nonces to what is built and would go through; returns how many rows moved.

    Parameters
    ----------
    newest
        The node's newest block; it is asked for where None.
    """
    newest = newest or context.rpc.header("latest")
    with transaction(context.sessions) as session:
        fitting = _fitting(context, _due(session, context, lease), newest)
        if not fitting:
            return 0
        rows = session.scalars(
            select(Transaction).where(Transaction.id.in_(fitting)).order_by(Transaction.id)
        ).all()
        trials = plan_trials(session, context.contracts, rows)
    results = _simulate(context, lease, rows, trials)
    good = [(row, gas) for row, gas in results if isinstance(gas, int)]
    bad = [(row, why) for row, why in results if not isinstance(why, int)]
    if bad:
        with context.write(lease) as (session, held):
            for row, why in bad:
                _record_refusal(context, session, row.id, why, now_ms=held.now_ms)
    if not good:
        return len(bad)
    fees = context.market(lease, newest)
    if fees is None:
        return len(bad)
    with context.write(lease) as (session, held):
        nonce = held.next_nonce
        paused = hold_pauses(session, {row.batch_id for row, _ in good if row.batch_id})
        gas_limits = {row.id: gas for row, gas in good}
        still_built = session.scalars(
            select(Transaction)
            .where(of(lease), Transaction.id.in_(gas_limits), Transaction.state == State.BUILT)
            .order_by(Transaction.id)
            .with_for_update()  # another worker may let it go at this moment
        ).all()
        for row in still_built:
            if row.batch_id in paused:
                continue
            row.nonce, row.gas_limit, row.error = nonce, gas_limits[row.id], None
            move(row, State.SIGNED)
            context.add_attempt(session, row, 0, "call", fees, now_ms=held.now_ms)
            nonce += 1
        signed = nonce - held.next_nonce
        lanes.change(session, lease, next_nonce=nonce)
        context.hook("signed:before-commit")
    context.hook("signed:after-commit")
    return len(bad) + signed


@dataclass(frozen=True, slots=True)
class _Due:
    """What may be signed now, as far as the database says.

    Attributes
    ----------
    rows
        Id, kind and bytes of calldata, in the order in which they were built.
    gas_in_flight
        Of all lanes.
    """

    rows: Sequence[tuple[int, str, int]]
    gas_in_flight: int


_IN_FLIGHT_OF_LANE = and_(
    Transaction.chain_id == Lane.chain_id,
    Transaction.sender == Lane.sender,
    Transaction.state.in_(values_of(IN_FLIGHT)),
)


def _due(session: Session, context: EngineContext, lease: Lease) -> _Due:
    ours = Lane.sender == lease.sender
    # What a lane without gas money has signed takes no room in the next block.
    out_of_funds, in_flight, gas_in_flight = session.execute(
        select(
            func.count().filter(ours, Lane.out_of_funds),
            func.count(Transaction.id).filter(ours),
            func.sum(Transaction.gas_limit).filter(Lane.out_of_funds.is_(False)),
        )
        .select_from(Lane)
        .outerjoin(Transaction, _IN_FLIGHT_OF_LANE)
        .where(Lane.chain_id == lease.chain_id)
    ).one()
    if out_of_funds:
        return _Due([], 0)
    rows = session.execute(
        select(Transaction.id, Transaction.kind, func.length(Transaction.calldata))
        .where(of(lease), Transaction.state == State.BUILT)
        .where(has_come(Transaction.retry_at_unix_ms, longest_ms=LAST_RETRY_MS))
        .order_by(Transaction.id)
        .limit(max(0, context.options.max_in_flight - in_flight))
    ).all()
    return _Due([tuple(row) for row in rows], int(gas_in_flight or 0))


def _fitting(context: EngineContext, due: _Due, newest: Mapping[str, Any] | None) -> Sequence[int]:
    """The first rows whose gas may be in flight beside what is; one, where nothing is."""
    block_gas = int(newest["gasLimit"], 16) if newest is not None else TRANSACTION_GAS_CAP
    blocks = context.options.max_in_flight_blocks + context.options.blocks_ahead
    room = int(block_gas * blocks) - due.gas_in_flight
    fitting: list[int] = []
    for row_id, kind, calldata_bytes in due.rows:
        room -= _chunk_gas(calldata_bytes) if kind == Kind.EXECUTE_CHUNK else USUAL_GAS
        if room < 0 and (fitting or due.gas_in_flight):
            break
        fitting.append(row_id)
    return fitting


def _simulate(
    context: EngineContext, lease: Lease, rows: Sequence[Transaction], trials: Trials
) -> list[tuple[Transaction, int | RpcError]]:
    """Ask the node for each row whether it would go through; its gas limit, or why not.

    Chunks that need no trial (:mod:`service.transactions.trials`) are not asked about.
    """
    answers = _try(context, lease, trials.first)
    passed = {batch for batch, row in trials.stands_for.items() if isinstance(answers[row], int)}
    answers |= _try(context, lease, [r for r in trials.like_first if r.batch_id not in passed])
    return [(row, answers.get(row.id) or _chunk_gas(len(row.calldata))) for row in rows]


def _try(
    context: EngineContext, lease: Lease, rows: Sequence[Transaction]
) -> dict[int, int | RpcError]:
    """Return the gas limit of each row that would go through now, or why it would not."""
    requests: list[tuple[str, Sequence[Any]]] = []
    for row in rows:
        call = {"from": lease.sender, "to": row.target, "data": "0x" + row.calldata.hex()}
        if row.kind == Kind.EXECUTE_CHUNK:
            gas_limit = hex(_chunk_gas(len(row.calldata)))
            requests.append(("eth_call", ({**call, "gas": gas_limit}, "latest")))
        else:
            requests.append(("eth_estimateGas", (call,)))
    answers: dict[int, int | RpcError] = {}
    for row, answer in zip(rows, context.rpc.batch(requests), strict=True):
        if isinstance(answer, RpcError):
            answers[row.id] = answer
        elif row.kind == Kind.EXECUTE_CHUNK:
            answers[row.id] = _chunk_gas(len(row.calldata))
        else:
            gas = int(answer, 16) * (100 + GAS_MARGIN_PER_CENT) // 100
            answers[row.id] = min(gas, TRANSACTION_GAS_CAP)
    return answers


def _record_refusal(
    context: EngineContext, session: Session, row_id: int, error: RpcError, *, now_ms: int
) -> None:
    """A simulation failed: no nonce was used, the reason goes where people look."""
    row = session.get_one(Transaction, row_id, populate_existing=True)
    if row.state != State.BUILT:
        return
    refusal = context.contracts.refusal(error)
    words = refusal.words if refusal is not None else error.message
    row.error = words
    done = refusal is not None and refusal.name in ALREADY_DONE
    trail.refused(session, row, words)
    if done and row.failures == 0:
        # Somebody else did it: the events, read before the next try, will say so, and the row
        # is dropped. If they do not, our rows are wrong, and whoever it is for must know.
        row.failures = 1
        row.retry_at_unix_ms = now_ms + FIRST_RETRY_MS
        return
    for_good = refusal is not None and refusal.name not in TOO_EARLY
    if row.request_id is not None and for_good:
        move(row, State.CLOSED)
        _fail_request(session, row.request_id, words)
        return
    row.failures += 1
    wait_ms = min(FIRST_RETRY_MS * 2 ** min(row.failures - 1, 10), LAST_RETRY_MS)
    row.retry_at_unix_ms = now_ms + wait_ms
    tell_owner(session, row, words)


def _chunk_gas(calldata_bytes: int) -> int:
    """Gas limit of a chunk, from its length."""
    gas = CHUNK_GAS_BASE + CHUNK_GAS_AN_ENTRY * (calldata_bytes // ENTRY_BYTES)
    return min(gas, TRANSACTION_GAS_CAP)


def _fail_request(session: Session, request_id: str, words: str) -> None:
    """Tell who asked; what an event has fulfilled meanwhile stays done."""
    this = ChainRequest.id == int(request_id)
    move_payout_stages(session, ChainRequest, RequestState.FAILED, this, last_error=words)
