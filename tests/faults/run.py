"""One run of the campaign: a world drawn from a seed, disturbed, healed, checked.

The same seed and number give the same run: the chain's clock and the database's are the run's own,
workers take turns as drawn, and faults fall on requests by their count.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from service.chain.rpc import RpcError
from service.confirmations.alarms import REFUSED_FOR_S, AlarmKind
from service.errors import ChainUnavailable, Conflict, InvalidInput, NotFound
from service.ledger.worker import StepReport, Worker
from service.payouts import service as payouts
from service.payouts.models import Batch, Chunk, Payout, RequestKind
from service.payouts.requests import ask
from service.transactions.engine import EngineOptions
from service.transactions.models import Transaction
from service.transactions.states import IN_FLIGHT, State
from tests.faults import checks
from tests.faults.checks import Violation
from tests.faults.ground import RELAYERS, Ground, Stage
from tests.faults.node import Fault, FaultPlan
from tests.faults.points import Actor, Points
from tests.support.deployed import account
from tests.support.rows import DAY_S, SignedBatch, add_action, add_batch, add_batch_cancellation
from tests.support.world import RESERVE, Killed, run_as_stranger

EXPECTED = (ChainUnavailable, RpcError, OperationalError, Conflict)
"""What the worker's loop survives: the node or the database away, another worker's lane."""

WRITE_FOR_A_LANE = tuple(
    f"before commit in {module}."
    for module in ("nonces", "receipts", "replacing", "sending", "signing")
)
HEAL_ROUNDS = 14
GWEI = 10**9
LEASE_S = 15


@dataclass
class Outcome:
    """What a run did and found.

    Attributes
    ----------
    faults
        How often each fault was done, ``crash``, ``asleep`` and the depth of re-orgs among them.
    points
        Where workers died.
    story
        What happened, in order.
    """

    seed: int
    number: int
    database: str
    workers: int
    violations: list[Violation] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    payouts: int = 0
    deepest: int = 0

    def count(self, what: str, n: int = 1) -> None:
        """Note that something was done."""
        self.faults[what] = self.faults.get(what, 0) + n


@dataclass
class _Crew:
    """A worker with its points, or nobody after a crash."""

    slot: int
    worker: Worker | None = None
    points: Points = field(default_factory=Points)
    actor: Actor | None = None
    asleep: int = 0


class Run:
    """Draws and carries out one run."""

    def __init__(self, ground: Ground, seed: int, number: int, database: str) -> None:
        self.random = Random(f"{seed}/{number}")
        self.ground = ground
        draw = self.random
        self.database = database
        self.workers = 1 if database == "sqlite" else draw.choice([1, 2, 2, 3])
        self.outcome = Outcome(seed, number, database, self.workers)
        self.depth = draw.choice([0, 1, 2, 3, 5, 8])
        self.costly = draw.random() < 0.4
        # Lanes of role-holders cost a round as much as those of relayers, and have less to do.
        self.with_roles = draw.random() < 0.2
        self.batches: list[SignedBatch] = []
        self.frozen: set[str] = set()
        self.skippable: set[str] = set()
        self.cancelled: set[str] = set()
        self.paused: set[str] = set()
        self.held: set[str] = set()
        self.changed: dict[str, str] = {}
        # A shorter chain, and clocks that jump, look like it for a while.
        self.alarms = {AlarmKind.NODE_BEHIND.value}
        self.kill_at: tuple[int, int] | None = None
        self.stage: Stage
        self.watcher: checks.Watcher
        self.plan = FaultPlan(Random(0))

    def go(self) -> Outcome:
        """Carry it out."""
        with self.ground.stage(self.database, self.depth) as stage:
            self.stage = stage
            if not self.with_roles:
                stage.signers = stage.signers[: len(RELAYERS)]
            watcher, close = checks.watch(stage)
            self.watcher = watcher
            crews = [_Crew(slot) for slot in range(1, self.workers + 1)]
            try:
                self._set_up()
                for _ in range(self.random.randint(4, 14 if self.workers == 1 else 9)):
                    self._something_happens()
                    self._work(crews)
                    self._check_on_the_way()
                    if self.outcome.violations or watcher.violations:
                        break
                if not (self.outcome.violations or watcher.violations):
                    self._heal(crews)
                if not (self.outcome.violations or watcher.violations):
                    self.outcome.violations += checks.after(
                        stage,
                        watcher,
                        skippable=frozenset(self.skippable),
                        cancelled=frozenset(self.cancelled),
                        alarms=frozenset(self.alarms),
                        changed=self.changed,
                    )
            except Exception as error:
                words = "".join(traceback.format_exception(error)[-14:])
                self.outcome.violations.append(
                    Violation("nothing_unexpected", f"{type(error).__name__}: {error}\n{words}")
                )
            finally:
                # The first cause, where an online check saw it before something broke.
                if watcher.violations and watcher.violations[0] not in self.outcome.violations:
                    self.outcome.violations[:0] = watcher.violations
                for crew in crews:
                    self._end(crew)
                close()
                plan = self.plan
                for fault, n in plan.done.items():
                    self.outcome.count(fault.value, n)
                self.outcome.deepest = stage.node.deepest
                self.outcome.payouts = sum(len(batch.payees) for batch in self.batches)
        return self.outcome

    # ---- the world -----------------------------------------------------------------------------

    def _set_up(self) -> None:
        draw, node = self.random, self.stage.node
        node.random = Random(draw.random())
        node.final_depth = self.depth
        node.base_fee = GWEI if self.costly else 0
        if self.costly:
            node.mine()
        node.mine_on_send = draw.choice([1.0, 0.7, 0.3])
        node.mine_on_request = draw.choice([0.0, 0.05, 0.2])
        node.block_transactions = draw.choice([None, None, 1, 2])
        faults = [fault for fault in Fault if fault is not Fault.REORG or self.depth]
        some = draw.sample(faults, draw.randint(0, 5))
        total = draw.choice([0.03, 0.1, 0.25])
        self.plan = FaultPlan(
            Random(draw.random()),
            {fault: total / len(some) * (0.3 if fault is Fault.REORG else 1) for fault in some},
            reorg_depth=self.depth,
        )
        node.plan = self.plan
        for _ in range(draw.randint(1, 3)):
            self._new_batch()

    def _new_batch(self) -> None:
        draw = self.random
        number = len(self.batches)
        kind = "stream" if draw.random() < 0.3 else "one_off"
        count = draw.randint(1, 6)
        # Streams accrue by the day: amounts that their days divide.
        amounts = [
            draw.randint(1, 50) * (90 * 10**6 if kind == "stream" else 1) for _ in range(count)
        ]
        with self.stage.session() as session:
            self.batches.append(
                add_batch(
                    session,
                    self.stage.deployed,
                    amounts,
                    kind=kind,
                    chunk_size=draw.randint(1, 3),
                    name=f"batch {number}",
                    payees=[account(f"payee {number} {i}").address for i in range(count)],
                )
            )
        self._tell(f"batch {number}: {kind} of {count}")

    def _tell(self, words: str) -> None:
        story = self.outcome.story
        if not story or story[-1] != words:
            story.append(words)

    # ---- what happens beside the workers -------------------------------------------------------

    def _something_happens(self) -> None:
        events: list[tuple[float, Callable[[], None]]] = [
            (2.0, lambda: None),
            (0.5, self._new_batch),
            (0.7, self._pause),
            (0.7, self._resume),
            (0.4, self._cancel),
            (0.8, self._freeze),
            (0.5, self._unfreeze),
            (0.7, self._retry),
            (0.9, self._stranger),
            (0.5, self._withdraw),
            (0.4, self._change_wallet),
            (0.3, self._hold),
            (0.5, self._chain_time),
            (1.0, self._database_time),
            (0.4, self._gas_money),
            (0.6 if self.with_roles else 0.0, self._attest),
            (0.8, self._mine),
            (0.8, self._reorg),
        ]
        happened = self.random.choices([e for _, e in events], [w for w, _ in events])[0]
        name = getattr(happened, "__name__", "nothing").strip("_")
        if name not in ("nothing", "<lambda>"):
            self.outcome.count(name)
            self._tell(name)
        try:
            happened()
        except (Conflict, InvalidInput, NotFound) as refused:
            self._tell(f"refused: {refused.detail}")

    def _some_batch(self) -> SignedBatch:
        return self.random.choice(self.batches)

    def _pause(self) -> None:
        batch = self._some_batch()
        with self.stage.session() as session:
            payouts.pause(session, batch.id, actor="campaign", reason="drawn")
        self.paused.add(batch.id)

    def _resume(self) -> None:
        for batch_id in sorted(self.paused):
            self._resume_one(batch_id)

    def _resume_one(self, batch_id: str) -> None:
        self.paused.discard(batch_id)
        with self.stage.session() as session:
            row = session.get_one(Batch, batch_id)
            if row.paused and row.state != "cancelled":
                payouts.resume(session, batch_id, actor="campaign", reason="drawn")

    def _cancel(self) -> None:
        batch = self._some_batch()
        if batch.id in self.cancelled:
            return
        with self.stage.session() as session:
            row = session.get_one(Batch, batch.id)
            if payouts.cancelled_by_quorum(session, row):
                add_batch_cancellation(session, self.stage.deployed, batch.id)
                self.cancelled.add(batch.id)

    def _hold(self) -> None:
        batch = self._some_batch()
        if batch.id in self.held:
            return
        with self.stage.session() as session:
            if session.get_one(Batch, batch.id).state != "onchain":
                return
            self.held.add(batch.id)
            add_action(
                session,
                self.stage.deployed,
                kind="batch_hold",
                key="vault",
                primary_type="BatchHold",
                members=[("batchId", "bytes32")],
                message={"batchId": bytes.fromhex(batch.id[2:])},
                officers=(3,),
            )

    def _on_chain(self, work: Callable[[], object]) -> None:
        """Somebody else's gas-free transaction, whatever gas costs."""
        node = self.stage.node
        node.base_fee = 0
        try:
            work()
        finally:
            node.base_fee = GWEI if self.costly else 0
            if self.costly:
                node.mine(empty=True)

    def _freeze(self) -> None:
        payee = self.random.choice(self._some_batch().payees)
        if payee not in self.frozen:
            self.frozen.add(payee)
            self.skippable.add(payee)
            self._on_chain(lambda: self.stage.deployed.freeze(payee))

    def _unfreeze(self) -> None:
        for payee in sorted(self.frozen):
            self.frozen.discard(payee)
            self._on_chain(lambda: self._unfreeze_one(payee))  # noqa: B023 - called at once

    def _unfreeze_one(self, payee: str) -> None:
        # A re-org may have taken the freeze back.
        if self.stage.deployed.read("token", "isFrozen", payee):
            self.stage.deployed.unfreeze(payee)

    def _retry(self) -> None:
        with self.stage.session() as session:
            skipped = session.scalars(
                select(Payout)
                .where(Payout.state == "skipped")
                .order_by(Payout.batch_id, Payout.index)
            ).all()
            if skipped:
                row = self.random.choice(skipped)
                payouts.request_retry(session, row.batch_id, row.index, actor="campaign")

    def _stranger(self) -> None:
        batch = self._some_batch()
        state = self.stage.batch_state(batch.id)
        approve = state == "released"
        if state not in ("released", "onchain"):
            return
        count = -(-len(batch.payees) // batch.approval["chunkSize"])
        chunks = [i for i in range(count) if self.random.random() < 0.5]

        def work() -> None:
            try:
                if approve:
                    run_as_stranger(self.stage, batch, approve=True, chunks=[])
                for chunk in chunks:
                    run_as_stranger(self.stage, batch, approve=False, chunks=[chunk])
            except AssertionError as error:
                if "reverted" not in str(error):
                    raise
                self._tell("the stranger's call was refused")

        self._on_chain(work)

    def _withdraw(self) -> None:
        with self.stage.session() as session:
            opened = session.scalars(
                select(Payout)
                .where(Payout.kind == "stream", Payout.state.in_(["included", "paid"]))
                .order_by(Payout.batch_id, Payout.index)
            ).all()
            if opened:
                row = self.random.choice(opened)
                ask(
                    session,
                    RequestKind.WITHDRAW_STREAM,
                    {"batchId": row.batch_id, "index": row.index},
                    dedupe_key=f"withdraw:{row.batch_id}:{row.index}",
                    actor="campaign",
                )

    def _attest(self) -> None:
        """Something for the lane of a role: the reserve is attested again, and stays what it is."""
        number = self.outcome.faults["attest"]
        with self.stage.session() as session:
            ask(
                session,
                RequestKind.ATTEST_RESERVE,
                {
                    "amount": RESERVE,
                    "redemptionsIncluded": 0,
                    "asOf": self.stage.deployed.now(),
                    "documentHash": f"0x{number:064x}",
                },
                dedupe_key=f"attest:{number}",
                actor="campaign",
            )

    def _change_wallet(self) -> None:
        with self.stage.session() as session:
            rows = session.scalars(
                select(Payout)
                .where(Payout.state.in_(["skipped"]) | (Payout.kind == "stream"))
                .where(Payout.state.in_(["skipped", "paid"]))
                .order_by(Payout.batch_id, Payout.index)
            ).all()
            if not rows:
                return
            row = self.random.choice(rows)
            new = account(f"new wallet {row.batch_id} {row.index}").address
            if new in self.changed:
                return
            self.changed[new] = row.payee
            if row.payee in self.skippable:
                self.skippable.add(new)
            add_action(
                session,
                self.stage.deployed,
                kind="wallet_change",
                key="vault",
                primary_type="WalletChange",
                members=[
                    ("batchId", "bytes32"),
                    ("index", "uint256"),
                    ("from", "address"),
                    ("to", "address"),
                ],
                message={
                    "batchId": bytes.fromhex(row.batch_id[2:]),
                    "index": row.index,
                    "from": row.payee,
                    "to": new,
                },
            )

    def _chain_time(self) -> None:
        seconds = self.random.choice([60, 3600, DAY_S, 3 * DAY_S, 8 * DAY_S])
        self._tell(f"the chain's clock goes {seconds} s on")
        self.stage.node.advance(seconds)

    def _database_time(self) -> None:
        ms = self.random.choice([-600_000, -5_000, 3_000, 20_000, 61_000, 301_000])
        self._tell(f"the database's clock goes {ms} ms on")
        self.stage.clock.step(ms)
        if ms > REFUSED_FOR_S * 1000:
            self.alarms.add(
                AlarmKind.TRANSACTION_REFUSED.value
            )  # one refusal counts as a minute of them

    def _gas_money(self) -> None:
        """A relayer has no gas money any more, or has some again."""
        if self.costly:
            wei = self.random.choice([0, 10**20])
            address = account(self.random.choice(RELAYERS)).address
            self.stage.node.upstream.rpc("anvil_setBalance", address, hex(wei))

    def _mine(self) -> None:
        self.stage.node.mine(self.random.randint(1, 3))

    def _reorg(self) -> None:
        if not self.depth:
            return
        draw = self.random
        returned = draw.choice([1.0, 0.5, 0.0])
        depth = self.stage.node.reorg(
            draw.randint(1, self.depth),
            keep=lambda _tx: draw.random() < returned,
            blocks=draw.randint(1, self.depth + 1),
        )
        self._tell(f"re-org of {depth} blocks, {returned:.0%} of the transactions return")

    # ---- the workers ---------------------------------------------------------------------------

    def _at(self, crew: _Crew, name: str, number: int, _is_open: bool) -> None:
        """A worker passes a point: some are looked at, at one it may die."""
        if self.workers > 1 and "commit in engine.take_lanes" in name:
            self.watcher.lanes_taken(name)
        if self.workers > 1 and name.startswith(WRITE_FOR_A_LANE) and crew.points.lease:
            self.watcher.written(crew.points.lease, name)
        if self.kill_at is not None and number >= self.kill_at[0]:
            self.kill_at = None
            self.outcome.points.append(name)
            raise Killed(name)

    def _hire(self, crew: _Crew) -> Worker:
        if crew.worker is None:
            crew.points = Points(partial(self._at, crew))
            crew.worker = self.stage.watched_worker(
                crew.points, crew.slot, options=EngineOptions(lease_seconds=LEASE_S)
            )
        return crew.worker

    def _work(self, crews: list[_Crew]) -> None:
        """A round: one worker alone, or several at once, each to its next point in turn."""
        self.stage.clock.step(self.random.choice([50, 500, 2_500]))
        if len(crews) == 1:
            for _ in range(self.random.randint(1, 3)):
                if self._alone(crews[0]):
                    break  # the next round would find the same
            return
        for crew in crews:
            if crew.actor is None:
                worker = self._hire(crew)
                crew.actor = Actor(crew.points, worker.step)
        turns = 0
        while turns < 600:
            turns += 1
            ready = [c for c in crews if c.actor is not None and not c.asleep]
            if not ready:
                break
            crew = self.random.choice(ready)
            chance = self.random.random()
            if chance < 0.004:
                # Paused by its machine, with whatever it knew; it wakes in a later round.
                crew.asleep = self.random.randint(1, 3)
                self.outcome.count("asleep")
                self._tell(f"worker {crew.slot} sleeps at {crew.actor and crew.actor.where}")
                self.stage.clock.step(self.random.choice([0, 16_000, 40_000]))
                continue
            kill = chance > 0.996
            self._turn(crew, kill=kill)
        for crew in crews:
            crew.asleep = max(0, crew.asleep - 1)

    def _turn(self, crew: _Crew, *, kill: bool = False) -> None:
        actor = crew.actor
        assert actor is not None
        if kill:
            self.outcome.points.append(actor.where)
        actor.resume(kill=kill)
        if not actor.done:
            return
        crew.actor = None
        if actor.error is not None:
            self._survive(crew, actor.error)

    def _alone(self, crew: _Crew) -> bool:
        """A round of the only worker; whether it found nothing to do."""
        if self.random.random() < 0.3:
            already = len(crew.points.passed) if crew.worker is not None else 0
            self.kill_at = (already + self.random.randint(1, 120), 0)
        try:
            return self._hire(crew).step().idle
        except BaseException as error:
            self._survive(crew, error)
            return False

    def _survive(self, crew: _Crew, error: BaseException) -> None:
        if isinstance(error, Killed):
            self.outcome.count("crash")
            self._tell(f"worker {crew.slot} dies at {error}")
            self._end(crew)
            return
        if isinstance(error, EXPECTED):
            self._tell(f"worker {crew.slot}: {type(error).__name__}: {error!s:.120}")
            return
        raise error

    def _end(self, crew: _Crew) -> None:
        """Its process is gone: connections close, locks fall, leases stay."""
        if crew.actor is not None:
            while not crew.actor.done:
                crew.actor.resume(kill=True)
            crew.actor = None
        if crew.worker is not None:
            crew.worker._started = False
            crew.points.dead = None
            crew.points.at = None
            crew.worker.close()
            self.stage.wait_until_gone(crew.worker)
            crew.worker = None

    def _check_on_the_way(self) -> None:
        self.outcome.violations += checks.unfinal_postings(self.stage)
        self.outcome.violations += checks.given_up_too_early(self.stage)

    # ---- healing -------------------------------------------------------------------------------

    def _heal(self, crews: list[_Crew]) -> None:
        """Everything is well again and stays so; the workers finish."""
        node, stage = self.stage.node, self.stage
        node.plan, node.lag_requests = None, 0
        node.mine_on_send = 1.0
        node.mine_on_request = 0.2
        node.block_transactions = None
        self.kill_at = None
        for name in RELAYERS:
            node.upstream.rpc("anvil_setBalance", account(name).address, hex(10**20))
        self._resume()
        for crew in crews:
            crew.asleep = 0
            while crew.actor is not None:
                self._turn(crew)
        self._tell("healed")
        for attempt in range(HEAL_ROUNDS):
            self._work_until_idle(crews)
            if self._settled():
                break
            node.mine(self.depth + 1)
            wait_s = self._held_for()
            if attempt >= 1 and wait_s > 0:
                node.advance(wait_s + 1)
            if attempt == 6:
                # What officers signed for a day and the contract will never take.
                node.advance(DAY_S + 1)
            # Past every lease, and past the longest wait of what was refused.
            stage.clock.step(301_000)

    def _work_until_idle(self, crews: list[_Crew]) -> None:
        report: StepReport | None = None
        for _ in range(25):
            for crew in crews:
                worker = self._hire(crew)
                try:
                    report = worker.step()
                except EXPECTED as error:
                    self._tell(f"healing: {type(error).__name__}: {error!s:.120}")
            # Past what is sent again after 10 s; leases of 15 s are renewed.
            self.stage.clock.step(11_000)
            if report is not None and report.idle:
                return
            self.stage.node.mine(self.depth + 1)

    def _held_for(self) -> int:
        """Seconds of the chain until the last hold of a batch is over."""
        with self.stage.session() as session:
            times = session.scalars(
                select(Batch.execute_from_unix_s).where(Batch.state == "onchain")
            ).all()
        return max((time or 0 for time in times), default=0) - self.stage.deployed.now()

    def _settled(self) -> bool:
        with self.stage.session() as session:
            busy = session.scalars(
                select(Transaction.id)
                .where(
                    Transaction.state.in_(
                        [s.value for s in (*IN_FLIGHT, State.BUILT, State.INCLUDED)]
                    )
                )
                .limit(1)
            ).first()
            ends = ["paid", "skipped", "cancelled", "expired"]
            open_payout = session.scalars(
                select(Payout.index).where(Payout.state.not_in(ends)).limit(1)
            ).first()
            open_chunk = session.scalars(
                select(Chunk.chunk_index).where(Chunk.state == "included").limit(1)
            ).first()
        return busy is None and open_payout is None and open_chunk is None


def quiet() -> None:
    """The engine's warnings say what the run means to happen."""
    logging.getLogger("service").setLevel(logging.CRITICAL)
