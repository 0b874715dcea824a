"""Engines broken on purpose: the campaign must notice each of them, or it proves nothing.

Usage::

    make campaign-broken                                   # every break, a table
    make campaign-broken CAMPAIGN_ARGS='--break fencing_off'
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.confirmations import ingest, projections
from service.errors import ChainUnavailable
from service.ledger import worker as worker_module
from service.payouts.models import Chunk
from service.transactions import engine, lanes, receipts, sending
from service.transactions.context import FILL_GAS, EngineContext
from service.transactions.dbclock import read_now_ms
from service.transactions.engine import SubmissionEngine
from service.transactions.lanes import Held, Lease
from service.transactions.models import Lane, Transaction, TransactionAttempt
from service.transactions.states import State
from tests.conftest import start_postgres
from tests.faults.campaign import REPORT, grounds
from tests.faults.run import Run, quiet

Break = Callable[[ExitStack], None]

BREAKS: dict[str, tuple[str, Break]] = {}
"""By name: the databases whose runs show it, and what breaks the engine."""


def breaks(database: str = "both") -> Callable[[Break], Break]:
    """Register a break."""

    def register(made: Break) -> Break:
        BREAKS[made.__name__] = (database, made)
        return made

    return register


@breaks("postgresql")
def fencing_off(stack: ExitStack) -> None:
    """A worker that lost its lease writes all the same."""

    def hold(session: Session, lease: Lease, _lease_seconds: int) -> Held:
        lane = session.get_one(Lane, (lease.chain_id, lease.sender), populate_existing=True)
        return Held(lane.next_nonce, lane.out_of_funds, read_now_ms(session))

    stack.enter_context(patch.object(lanes, "hold", hold))


@breaks("postgresql")
def lease_never_checked(stack: ExitStack) -> None:
    """A lane is taken from whoever holds it."""

    def acquire(
        session: Any, chain_id: int, sender: str, owner: str, lease_seconds: int
    ) -> Lease | None:
        session.execute(
            update(Lane)
            .where(Lane.chain_id == chain_id, Lane.sender == sender)
            .values(lease_owner=None)
        )
        return right(session, chain_id, sender, owner, lease_seconds)

    right = lanes.acquire
    stack.enter_context(patch.object(lanes, "acquire", acquire))


@breaks()
def sent_before_committed(stack: ExitStack) -> None:
    """Bytes leave while they are signed; the commit comes after, or never."""
    right = EngineContext.add_attempt

    def add_attempt(self: EngineContext, session: Any, *args: Any, **named: Any) -> None:
        right(self, session, *args, **named)
        attempt = next(a for a in session.new if isinstance(a, TransactionAttempt))
        self.rpc.batch([("eth_sendRawTransaction", ("0x" + attempt.raw.hex(),))])

    stack.enter_context(patch.object(EngineContext, "add_attempt", add_attempt))


@breaks()
def bytes_not_kept(stack: ExitStack) -> None:
    """What is sent is signed anew each time, under the same nonce."""
    right = engine.sendable

    def sendable(session: Session, context: EngineContext, lease: Lease, *, held: bool) -> Any:
        made = []
        for attempt in right(session, context, lease, held=held):
            row = session.get_one(Transaction, attempt.transaction_id)
            fill = attempt.purpose == "fill"
            raw = context.signers[row.sender].sign_transaction(
                {
                    "chainId": context.chain_id,
                    "nonce": row.nonce,
                    "to": row.sender if fill else row.target,
                    "value": 0,
                    "data": b"" if fill else row.calldata,
                    "gas": (FILL_GAS if fill else row.gas_limit) + 1,
                    "type": 2,
                    "maxFeePerGas": int(attempt.max_fee_per_gas),
                    "maxPriorityFeePerGas": int(attempt.priority_fee_per_gas),
                }
            )
            made.append(SimpleNamespace(id=attempt.id, raw=raw, tx_hash=attempt.tx_hash))
        return made

    stack.enter_context(patch.object(engine, "sendable", sendable))
    stack.enter_context(patch.object(sending, "_is_intact", lambda _attempt: True))


@breaks()
def nonce_reused(stack: ExitStack) -> None:
    """The next nonce is not written down."""
    right = lanes.change

    def change(session: Session, lease: Lease, **values: Any) -> None:
        if "next_nonce" not in values:
            right(session, lease, **values)

    stack.enter_context(patch.object(lanes, "change", change))


@breaks()
def nonce_from_the_node(stack: ExitStack) -> None:
    """The next nonce is what the node says at that moment, as most scripts do."""
    right = EngineContext.write

    @contextmanager
    def write(self: EngineContext, lease: Lease) -> Iterator[tuple[Session, Held]]:
        with right(self, lease) as (session, held):
            used = int(self.rpc.call("eth_getTransactionCount", lease.sender, "latest"), 16)
            yield session, replace(held, next_nonce=used)

    stack.enter_context(patch.object(EngineContext, "write", write))


@breaks()
def replacement_not_persisted(stack: ExitStack) -> None:
    """A higher offer is sent and never written down."""
    right = EngineContext.add_attempt

    def add_attempt(
        self: EngineContext, session: Any, row: Any, n: int, *args: Any, **more: Any
    ) -> None:
        right(self, session, row, n, *args, **more)
        if n > 0:
            attempt = next(a for a in session.new if isinstance(a, TransactionAttempt))
            session.expunge(attempt)
            self.rpc.batch([("eth_sendRawTransaction", ("0x" + attempt.raw.hex(),))])

    stack.enter_context(patch.object(EngineContext, "add_attempt", add_attempt))


@breaks()
def receipts_trusted_events_ignored(stack: ExitStack) -> None:
    """A payout is paid when our own transaction has a receipt."""
    right, told = receipts._record, receipts._told_by_events

    def record(session: Any, row: Any, *how: Any) -> None:
        right(session, row, *how)
        if row.state == State.INCLUDED and row.chunk_index is not None:
            at = {"batch_id": row.batch_id, "chunk_index": row.chunk_index}
            chunk = session.get_one(Chunk, tuple(at.values()))
            chunk.state = "included"
            chunk.executed_block_number = row.block_number
            chunk.executed_block_hash = row.block_hash

    def not_told(context: EngineContext, lease: Lease) -> Any:
        attempts, _ = told(context, lease)
        return attempts, {}

    stack.enter_context(patch.object(receipts, "_record", record))
    stack.enter_context(patch.object(receipts, "_told_by_events", not_told))
    project = projections.project

    def without(session: Any, events: Any) -> None:
        project(session, [event for event in events if event.name != "ChunkPaid"])

    stack.enter_context(patch.object(projections, "project", without))


@breaks()
def reorg_takes_nothing_back(stack: ExitStack) -> None:
    """The blocks are read anew; what followed from the old ones stays."""
    stack.enter_context(patch.object(projections, "take_back", lambda *_args: None))


@breaks()
def reorg_leaves_transactions(stack: ExitStack) -> None:
    """Transactions whose block is gone count as mined."""
    stack.enter_context(patch.object(ingest.reorgs, "take_back", lambda *_args: 0))


@breaks()
def retried_under_another_nonce(stack: ExitStack) -> None:
    """No answer means not sent: the effect is planned anew."""
    right = SubmissionEngine._send

    def send(self: SubmissionEngine, to_send: Mapping[Lease, Any], meanwhile: Any) -> Any:
        try:
            return right(self, to_send, meanwhile)
        except ChainUnavailable:
            for lease in to_send:
                with self._context.write(lease) as (session, _):
                    session.execute(
                        update(Transaction)
                        .where(
                            Transaction.sender == lease.sender,
                            Transaction.state == State.SIGNED,
                            Transaction.kind != "fill",
                        )
                        .values(state=State.CLOSED)
                    )
            raise

    stack.enter_context(patch.object(SubmissionEngine, "_send", send))


@breaks()
def hidden_receipt_believed(stack: ExitStack) -> None:
    """A used nonce without a receipt was a stranger's, final or not."""

    def used(context: EngineContext, sender: str, *_blocks: int) -> tuple[int, int]:
        latest = int(context.rpc.call("eth_getTransactionCount", sender, "latest"), 16)
        return latest, latest

    stack.enter_context(patch.object(receipts, "_nonces_used", used))


@breaks()
def never_sent_again(stack: ExitStack) -> None:
    """Once the node took it, it is believed to keep it."""
    right = engine.sendable

    def sendable(session: Session, context: EngineContext, lease: Lease, *, held: bool) -> Any:
        sent = set(
            session.scalars(
                select(TransactionAttempt.id).where(
                    TransactionAttempt.first_sent_unix_ms.is_not(None)
                )
            )
        )
        found = right(session, context, lease, held=held)
        return [attempt for attempt in found if attempt.id not in sent]

    stack.enter_context(patch.object(engine, "sendable", sendable))


@breaks()
def finality_ignored(stack: ExitStack) -> None:
    """The newest block is final."""
    right = worker_module.finalise
    stack.enter_context(
        patch.object(
            worker_module,
            "finalise",
            lambda session, chain_id, _depth: right(session, chain_id, 0),
        )
    )


# ---- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caught:
    """How a break was noticed."""

    name: str
    check: str
    runs: int
    seconds: float
    detail: str


@contextmanager
def broken(name: str) -> Iterator[None]:
    """The engine with one break."""
    with ExitStack() as stack:
        BREAKS[name][1](stack)
        yield


def catch(name: str, grounds_: Any, *, seed: int, seconds: float) -> Caught | None:
    """Run the broken engine until a check fails; None where none does in time."""
    database = BREAKS[name][0]
    began = time.monotonic()
    number = -1
    while time.monotonic() - began < seconds:
        number += 1
        where = database if database != "both" else ("sqlite" if number % 4 else "postgresql")
        with broken(name):
            outcome = Run(next(grounds_), seed, number, where).go()
        if outcome.violations:
            first = outcome.violations[0]
            if first.detail.startswith(("AttributeError", "TypeError")):
                raise TypeError(f"{name} does not fit the engine: {first.detail}")
            whole = Run(next(grounds_), seed, number, where).go()
            if whole.violations:
                # Not the break's doing: the engine as it is fails here too.
                print(f"    run {number} fails unbroken: {whole.violations[0]}", flush=True)
                continue
            took = time.monotonic() - began
            return Caught(name, first.check, number + 1, took, first.detail.split("\n")[0])
    return None


def main() -> int:
    """Try every break; 1 where one is not noticed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--break", dest="names", action="append", choices=sorted(BREAKS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300, help="for each")
    options = parser.parse_args()
    quiet()
    missed = []
    rows = []
    with start_postgres() as server, grounds(server) as made:
        print(f"{'break':34} {'caught by':24} {'runs':>5} {'s':>6}  what it said")
        for name in options.names or BREAKS:
            caught = catch(name, made, seed=options.seed, seconds=options.seconds)
            if caught is None:
                missed.append(name)
                print(f"{name:34} NOT CAUGHT", flush=True)
                continue
            rows.append(caught)
            print(
                f"{name:34} {caught.check:24} {caught.runs:>5} {caught.seconds:>6.1f}  "
                f"{caught.detail[:90]}",
                flush=True,
            )
    REPORT.mkdir(parents=True, exist_ok=True)
    Path(REPORT / "broken.json").write_text(
        json.dumps(
            {
                "caught": [
                    {"break": c.name, "check": c.check, "runs": c.runs, "seconds": c.seconds}
                    for c in rows
                ],
                "missed": missed,
            },
            indent=1,
        )
        + "\n"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
