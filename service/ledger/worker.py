"""The worker: one loop of steps, each its own database transactions.

read events → plan → sign, send, look for receipts → mark final → post the ledger. Nothing it holds
in memory matters: killed at any moment, the next one goes on from the rows.

While transactions are on their way, the blocks that a round has fetched are written down after it
has sent the next ones: the node works on these meanwhile (decision 0080).
"""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from uuid import uuid4

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError as AskedAtOnce
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from service.approvals.grants import free_expired
from service.chain.contracts import Contracts
from service.chain.deployment import check_deployment, load_deployment
from service.chain.nodes import open_rpc
from service.chain.rpc import Rpc, RpcError
from service.chain.signers import Signer
from service.clock import StageTimes
from service.config import Settings
from service.confirmations import alarms
from service.confirmations.agreement import Agreement
from service.confirmations.expiry import ask_for_all_due
from service.confirmations.finality import FinalityResult, finalise
from service.confirmations.inclusion import blocks_of
from service.confirmations.ingest import LAG_PATIENCE_S, Fetched, Ingestor, IngestResult
from service.confirmations.projections import unknown_batch
from service.confirmations.roles import role_holders
from service.confirmations.wallets import ZERO_ADDRESS
from service.db import create_database_engine, session_factory, transaction
from service.errors import ChainUnavailable, ConfigurationError, Conflict, IntegrityError
from service.ledger.posting import post_final
from service.payouts.service import free_overdue
from service.telemetry.logs import note
from service.telemetry.metrics import LAST_ROUND, ROUNDS, STAGE_SECONDS
from service.transactions.context import LAST_RETRY_MS, EngineOptions, no_hook, values_of
from service.transactions.dbclock import has_come
from service.transactions.engine import SubmissionEngine
from service.transactions.models import Transaction, TransactionAttempt
from service.transactions.planner import ENOUGH_CHUNKS, Head, Planner, drop_unwanted
from service.transactions.states import IN_FLIGHT, State
from service.units import format_duration

log = logging.getLogger(__name__)

MAX_BLOCKS_LATER = 8
"""So many new blocks may be written down after the next transactions are sent, not before."""

NOTHING_READ = IngestResult(0, 0, 0, 0, 0, caught_up=False)

TIDY_EVERY_S = 1.0
"""While transactions are on their way, what only time brings is looked for so often."""

PART_AHEAD = 0.25
"""Of the blocks ahead a round may wait for so many: what was mined meanwhile counts as on its way
until it is stored, which is a round later, and the node must not run out of work before."""

MOST_REST_S = 0.5
"""The longest rest while more is to be sent: no guess of when the node is done holds longer."""

COLLECT_AFTER = (100_000, 20, 50)
"""As :func:`gc.set_threshold` has them: objects more than were let go, collections of the young."""

IDLE_PAUSE_S = 0.05
POLL_PAUSE_S = 1.0
OUTAGE_PAUSE_S = 2.0
TRY_AGAIN_STATES = ("40001", "40P01")
"""PostgreSQL's serialization failure and deadlock: whoever lost tries again at once."""
DRAIN_GRACE_S = 3.0
"""Once asked to end, a worker waits for its node so long, then breaks off."""
DRAIN_AGAIN_S = 1.0
NODE_TIMEOUT_S = 15.0
"""How long a node may take to answer: eth_estimateGas of a full block is the longest."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one round of the loop did.

    Attributes
    ----------
    head, final
        Newest block read, newest final one.
    events, planned, moved, settled, posted
        Rows: events read, transactions built, transactions moved, rows that became final, postings.
    rewound
        Blocks taken back by a re-org.
    pending
        Transactions built and due, or in flight.
    caught_up
        Whether the newest block was read.
    unsettled
        Transactions that are mined and not final yet: more blocks must follow. Nothing is left to
        do for them, and a re-org may still take them back.
    """

    head: int
    final: int
    events: int
    planned: int
    moved: int
    settled: int
    posted: int
    rewound: int
    pending: int
    caught_up: bool
    unsettled: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing happened and nothing is left to do until something changes."""
        work = self.events + self.planned + self.moved + self.settled + self.posted + self.rewound
        return self.caught_up and work == 0 and self.pending == 0

    @property
    def left(self) -> str:
        """What is left to do, for people."""
        if not self.caught_up:
            return f"blocks after {self.head} are not read yet"
        if self.pending:
            some = "1 transaction is" if self.pending == 1 else f"{self.pending} transactions are"
            return f"{some} due or not mined yet"
        return "the last round still found something to do"


class Worker:
    """Runs the way of a payout from a released batch to the posted ledger.

    Parameters
    ----------
    settings
        What the deployment is told.
    signers
        Keys it may send with. An account that holds a housekeeping role sends only what needs that
        role; the others relay everything else.
    rpc, hook, options, patience_s
        Take the place of the defaults, in tests.

    Raises
    ------
    ConfigurationError
        If the deployment or an artifact is missing, or there is no key to send with.
    """

    def __init__(
        self,
        settings: Settings,
        signers: Sequence[Signer],
        *,
        rpc: Rpc | None = None,
        hook: Callable[[str], None] = no_hook,
        options: EngineOptions | None = None,
        patience_s: float = LAG_PATIENCE_S,
    ) -> None:
        if not signers:
            raise ConfigurationError("the worker has no key to send transactions with")
        deployment = load_deployment(
            settings.resolved_deployment_file,
            finality_depth_blocks=settings.finality_depth_blocks,
        )
        self._deployment = deployment
        self._database: Engine = create_database_engine(settings.resolved_database_url)
        self._sessions: sessionmaker[Session] = session_factory(self._database)
        self._rpc = rpc or open_rpc(
            settings.rpc_urls,
            lambda node: check_deployment(node, deployment),
            timeout_s=NODE_TIMEOUT_S,
        )
        self._contracts = Contracts(deployment, settings.artifacts_dir)
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._hook = hook
        self._lock: IO[str] | None = None
        self._started = False
        self._last = NOTHING_READ
        self._ahead = False
        self._has_enough = False
        self._tidy_again_s = 0.0
        self._blocks_ahead = settings.blocks_ahead
        self._blocks_came_s = 0.0
        self._look_again_s = 0.0
        self._had_more = False
        self.times = StageTimes(
            on_end=lambda name, seconds: STAGE_SECONDS.labels(name).observe(seconds)
        )
        self._knows_the_chain = False
        self._engine = SubmissionEngine(
            self._sessions,
            self._rpc,
            self._contracts,
            signers,
            owner=self.owner,
            blocks_of=blocks_of,
            options=options
            or EngineOptions(
                lease_seconds=settings.lease_seconds,
                max_fee_per_gas_cap_wei=settings.max_fee_per_gas_cap_wei,
                max_in_flight_blocks=settings.max_in_flight_blocks,
                blocks_ahead=settings.blocks_ahead,
            ),
            hook=hook,
        )
        self._unpayable = (ZERO_ADDRESS, deployment.token, deployment.vault)
        self._ingestor = Ingestor(
            self._sessions, self._rpc, self._contracts, post=post_final, patience_s=patience_s
        )
        self._agreement = Agreement(
            self._sessions, self._rpc, deployment.chain_id, deployment.finality_depth_blocks
        )
        self._planner = Planner(self._contracts, [signer.address for signer in signers])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the lanes back and close what was opened."""
        try:
            if self._started:
                self._engine.release()
        finally:
            self._engine.close()
            self._rpc.close()
            self._database.dispose()
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    # ---- running -------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; an unreachable node is waited for.

        The round under way is finished: nothing is left half done, and the lanes are given back.
        Where a signal stops it (:func:`stop_on_signals`), a silent node cannot hold it up.

        Raises
        ------
        ConfigurationError
            If chain or contracts are not those of the deployment, or another worker runs on the
            same SQLite file.
        """
        while not stop.is_set():
            try:
                report = self.step()
            except (ChainUnavailable, RpcError) as error:  # no answer, or a refusal to answer
                self._broken_off("chain_unavailable", error.detail)
                another = isinstance(error, ChainUnavailable) and self._rpc.has_another
                stop.wait(0 if another else OUTAGE_PAUSE_S)
                continue
            except OperationalError as error:  # busy too long, or away: the rows are as they were
                self._broken_off("database_unavailable", str(error.orig))
                again = getattr(error.orig, "sqlstate", None) in TRY_AGAIN_STATES
                stop.wait(0 if again else OUTAGE_PAUSE_S)
                continue
            except IntegrityError as error:
                self._broken_off("stopped_by_alarm", error.detail)
                stop.wait(OUTAGE_PAUSE_S)
                continue
            if not report.idle:
                note(log, "round", **_shown(report))
            busy = report.events + report.planned + report.moved + report.posted
            if busy:
                stop.wait(max(0.0, self._look_again_s - time.monotonic()))
            else:
                stop.wait(IDLE_PAUSE_S if report.pending else POLL_PAUSE_S)
        self._engine.release()
        spent = {name: round(seconds, 3) for name, seconds in self.times.seconds.items()}
        note(log, "stopped", owner=self.owner, seconds_by_stage=spent)

    def hurry(self) -> None:
        """Wait for no node much longer: the process is asked to end.

        Raises
        ------
        ChainUnavailable
            In the middle of such a wait.
        """
        self._rpc.hurry()

    def run_until_idle(self, max_seconds: float = 60.0) -> StepReport:
        """Work until nothing is left to do, for tests and the demonstration.

        What waits for the chain's time, for more blocks to become final, or for a refused
        transaction to be tried again counts as nothing to do.

        Raises
        ------
        TimeoutError
            If it takes longer.
        ChainUnavailable, ConfigurationError, IntegrityError
            As the steps do.
        """
        deadline = time.monotonic() + max_seconds
        while True:
            report = self.step()
            if report.idle:
                return report
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"still at work after {format_duration(int(max_seconds))}: {report.left}"
                )
            if report.events + report.planned + report.moved + report.posted == 0:
                time.sleep(0.005)

    def step(self) -> StepReport:
        """One round of the loop, on one node.

        Raises
        ------
        ChainUnavailable
            If the node does not answer; the next round goes on.
        ConfigurationError
            As :meth:`run`.
        IntegrityError
            If an alarm is open or raised.
        """
        with self._rpc.pinned():
            try:
                return self._step()
            except ChainUnavailable:
                self._rpc.set_aside()  # it may answer, but not as it should
                raise

    def _step(self) -> StepReport:
        self._start()
        began_s = time.monotonic()
        with self.times.stage("read"):
            fetched = self._ingestor.fetch()
            self._agreement.check(fetched.last, fetched.hashes)
        last, read = self._last, None
        if not self._ahead or not self._can_wait(fetched):
            read = self._store(fetched)
        known = read or self._last
        # After an old backup was restored, rows say what is to be sent and events that it was:
        # without a lane nothing is signed or sent.
        self._knows_the_chain = self._knows_the_chain or known.caught_up
        if self._knows_the_chain:
            self._engine.take_lanes()
        tidy = self._is_time_to_tidy()
        # To plan in each round would cost more than all that is planned.
        enough, self._has_enough = self._has_enough, False
        if fetched.cursor.block_number != last.head or (read and not fetched.chunks_only):
            enough = False  # somebody else did something, or stored what they did
        planned = 0
        if known.caught_up and (tidy or not enough):
            planned = self._plan(known, tidy=tidy)
        stored: list[IngestResult] = [] if read is None else [read]

        def store() -> None:
            """Write down what the node did before, while it works on what is sent."""
            if not stored:
                stored.append(self._store(fetched))

        with self.times.stage("submit"):
            moved = self._engine.step(known.head, known.final, fetched.newest, store)
        (read,) = stored
        self._ahead = read.caught_up and moved > 0
        left = self._left()
        enough = left[State.BUILT] >= ENOUGH_CHUNKS
        self._keep_pace(began_s, len(fetched.headers), more=self._ahead and enough)
        self._has_enough = enough and fetched.chunks_only
        final, posted = None, 0
        if not read.blocks or tidy:
            # Else the transaction that stored the blocks has settled and posted them.
            final, posted = self._settle()
        ROUNDS.labels("done").inc()
        LAST_ROUND.set_to_current_time()
        return StepReport(
            head=read.head,
            final=final.block_number if final else read.final,
            events=read.events,
            planned=planned,
            moved=moved,
            settled=read.settled + (final.rows if final else 0),
            posted=read.posted + posted,
            rewound=read.rewound,
            pending=left.total() - left[State.INCLUDED],
            caught_up=read.caught_up,
            unsettled=left[State.INCLUDED],
        )

    def _settle(self) -> tuple[FinalityResult | None, int]:
        """Settle what is final now, let go what can come to pass no more, post the rest."""
        with self.times.stage("finalise"), transaction(self._sessions) as session:
            final = finalise(
                session, self._deployment.chain_id, self._deployment.finality_depth_blocks
            )
            if final is not None:
                free_overdue(session, final.timestamp_unix_s)
                free_expired(session, final.timestamp_unix_s)
            alarms.watch_refused(session, self._deployment.chain_id)
        self._hook("finalised")
        with self.times.stage("post"), transaction(self._sessions) as session:
            posted = post_final(session, self._deployment.chain_id)
        self._hook("posted")
        return final, posted

    def _is_time_to_tidy(self) -> bool:
        """Whether to look for what only time brings: in busy rounds once a second is enough."""
        now_s = time.monotonic()
        if self._ahead and now_s < self._tidy_again_s:
            return False
        self._tidy_again_s = now_s + TIDY_EVERY_S
        return True

    def _keep_pace(self, looked_s: float, blocks: int, *, more: bool) -> None:
        """Set when to look again: with much left to send, once a part of what is ahead is mined.

        A round costs much the same for one block as for some, and the node what it takes. Where it
        was done sooner than thought, more blocks have come, and the next rest is shorter.

        Parameters
        ----------
        looked_s
            When this round asked for blocks, and so many had come since the last that got some.
        """
        if not blocks:
            return
        a_block_s = (looked_s - self._blocks_came_s) / blocks
        self._blocks_came_s = self._look_again_s = looked_s
        if more and self._had_more:  # else it may have waited for work
            self._look_again_s += min(a_block_s * self._blocks_ahead * PART_AHEAD, MOST_REST_S)
        self._had_more = more

    def _can_wait(self, fetched: Fetched) -> bool:
        """Whether it is a few blocks in which nothing happened but that chunks of ours were run.

        Of anything else something may follow that is to be done now, such as a batch's chunks.
        """
        if not fetched.chunks_only or len(fetched.headers) > MAX_BLOCKS_LATER:
            return False
        if fetched.ours:
            return True
        hashes = {event.tx_hash for event in fetched.events}
        with transaction(self._sessions) as session:
            known = session.scalars(
                select(func.count())
                .select_from(TransactionAttempt)
                .where(TransactionAttempt.tx_hash.in_(hashes))
            ).one()
        return known == len(hashes)

    def _store(self, fetched: Fetched) -> IngestResult:
        with self.times.stage("store"):
            self._last = self._ingestor.store(fetched)
        self._hook("ingested")
        return self._last

    def _plan(self, read: IngestResult, *, tidy: bool) -> int:
        head = Head(read.head, read.timestamp_unix_s)
        with self.times.stage("plan"):
            if tidy:
                self._ask_for_expiry(head)
            with transaction(self._sessions) as session:
                # Its cases may be in a batch of ours that waits.
                with_approvals = unknown_batch(session) is None
                drop_unwanted(session, head, with_approvals=with_approvals)
                planned = self._planner.plan(
                    session,
                    head,
                    self._engine.senders,
                    with_approvals=with_approvals,
                    holders=role_holders(session),
                )
        self._hook("planned")
        return planned

    # ---- parts ---------------------------------------------------------------------------------

    def _broken_off(self, why: str, detail: str) -> None:
        note(log, why, logging.WARNING, detail=detail)
        ROUNDS.labels(why).inc()
        LAST_ROUND.set_to_current_time()

    def _start(self) -> None:
        if self._started:
            return
        self._hold_file()
        self._engine.start(alone=self._lock is not None)
        self._started = True
        note(log, "started", owner=self.owner, chain_id=self._deployment.chain_id)

    def _ask_for_expiry(self, head: Head) -> None:
        """Ask that what can never be paid return to the budget, now that its time is over."""
        try:
            with transaction(self._sessions) as session:
                ask_for_all_due(session, head.timestamp_unix_s, self._unpayable)
        except AskedAtOnce:
            log.info("another worker, or an officer, asked for the same expiry at this moment")

    @property
    def _is_on_file(self) -> bool:
        database = self._database.url.database
        return self._database.dialect.name == "sqlite" and database not in (None, "", ":memory:")

    def _hold_file(self) -> None:
        """On SQLite one worker works alone: an OS lock beside the database file."""
        if self._lock is not None or not self._is_on_file:
            return  # held since a start that its node broke off, or not needed
        database = self._database.url.database
        lock = Path(f"{database}.worker.lock").open("w")  # noqa: SIM115 - held until close
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise Conflict(f"another worker works on {database}") from error
        self._lock = lock

    def _left(self) -> Counter[str]:
        """Count transactions that are due, in flight, or mined and not final, by their state."""
        counted = [*IN_FLIGHT]
        if self._deployment.finality_depth_blocks:
            counted.append(State.INCLUDED)
        due = has_come(Transaction.retry_at_unix_ms, longest_ms=LAST_RETRY_MS)
        with transaction(self._sessions) as session:
            rows = session.execute(
                select(Transaction.state, func.count())
                .where(
                    Transaction.chain_id == self._deployment.chain_id,
                    Transaction.state.in_(values_of(counted))
                    | ((Transaction.state == State.BUILT) & due),
                )
                .group_by(Transaction.state)
            )
            return Counter({state: count for state, count in rows})  # noqa: C416 - rows are no tuples


def collect_seldom() -> None:
    """Have Python look seldom for garbage that refers to itself, in a process of a worker's own.

    The logs of a block are tens of thousands of objects that live for a round; to look through them
    over and over takes a tenth of a worker's time.
    """
    gc.collect()
    gc.freeze()  # what is there now stays
    gc.set_threshold(*COLLECT_AFTER)


@contextmanager
def stop_on_signals(worker: Worker) -> Iterator[threading.Event]:
    """Give an event that SIGTERM or SIGINT sets: the worker drains, and a second one ends it.

    The round under way is finished, but no node is waited for longer than a few seconds more:
    after :data:`DRAIN_GRACE_S` each wait is broken off, as if the reply was lost. Bytes that were
    committed and not sent go out by whoever takes the lane next.
    """
    stop = threading.Event()

    def drain(*_: object) -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, DRAIN_GRACE_S, DRAIN_AGAIN_S)

    signal.signal(signal.SIGALRM, lambda *_: worker.hurry())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, drain)
    try:
        yield stop
    finally:
        if stop.is_set():  # else its last alarm would end the process before its end does
            signal.setitimer(signal.ITIMER_REAL, 0)


def _shown(report: StepReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__slots__}
