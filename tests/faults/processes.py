"""Runs with real worker processes, killed with ``kill -9`` at requests drawn from a seed.

``relief worker run`` itself, with its keystores, speaks HTTP to the faulty node. It is killed just
before or just after the node carries out one of its requests, or by the clock. Unlike the runs in
process these depend on the machine's speed too: the seed draws the same world, faults and kills,
not the same moments.

Usage::

    make campaign-processes CAMPAIGN_ARGS='--runs 300 --seed 7'
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

from sqlalchemy import select
from sqlalchemy.engine import make_url

from service.chain.signers import import_keystore
from service.config import Settings
from service.payouts.models import Payout
from service.processes import environment_of, start_relief
from service.transactions.models import Transaction
from service.transactions.states import IN_FLIGHT
from tests.conftest import start_postgres
from tests.faults import checks
from tests.faults.campaign import Summary, argument_parser, grounds, numbers_of, report, tell
from tests.faults.ground import RELAYERS, Ground, Stage
from tests.faults.node import Fault, FaultPlan
from tests.faults.proxy import serve
from tests.faults.run import GWEI, Outcome, quiet
from tests.support.deployed import account
from tests.support.rows import SignedBatch, add_batch
from tests.support.world import run_as_stranger

RUN_LIMIT_S = 240.0
CHEAP_SCRYPT = 2
PASSPHRASE = "a test's passphrase"
GENTLE = {
    Fault.DROP_REPLY: 0.02,
    Fault.DUPLICATE: 0.02,
    Fault.HIDE_RECEIPT: 0.02,
    Fault.EVICT: 0.01,
    Fault.DELAY: 0.02,
    Fault.STALE_HEAD: 0.01,
    Fault.HTTP_500: 0.005,
}


@dataclass
class Killer:
    """Kills one of the running workers at requests by their count.

    Attributes
    ----------
    at
        For each kill: how many requests after the last one, and ``before`` or ``after``.
    """

    random: Random
    at: list[tuple[int, str]]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    _seen: int = 0

    def watch(self, when: str, body: bytes) -> None:
        """A request passes."""
        if not self.at:
            return
        self._seen += when == "before"
        count, wanted = self.at[0]
        if self._seen < count or when != wanted:
            return
        alive = [worker for worker in self.workers if worker.poll() is None]
        if not alive:
            return
        asked = json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        self.random.choice(alive).kill()
        self.points.append(f"{when} {calls[0]['method'].removeprefix('eth_')}")
        self._seen = 0
        self.at.pop(0)


class ProcessRun:
    """One run with real workers."""

    def __init__(self, ground: Ground, seed: int, number: int) -> None:
        self.random = Random(f"processes {seed}/{number}")
        self.ground = ground
        self.database = "postgresql" if number % 3 == 2 else "sqlite"
        self.workers = 2 if self.database == "postgresql" else 1
        self.outcome = Outcome(seed, number, self.database, self.workers)
        self.depth = self.random.choice([0, 1, 2])
        self.batches: list[SignedBatch] = []
        self._started_with: dict[str, str] = {}

    def go(self) -> Outcome:
        """Carry it out."""
        with self.ground.stage(self.database, self.depth) as stage:
            watcher, close = checks.watch(stage)
            try:
                self._with(stage)
                self.outcome.violations += checks.after(
                    stage, watcher, alarms=frozenset({"node_behind"})
                )
            except Exception as error:
                self.outcome.violations.append(
                    checks.Violation("nothing_unexpected", f"{type(error).__name__}: {error}")
                )
            finally:
                close()
        return self.outcome

    def _with(self, stage: Stage) -> None:
        draw, node = self.random, stage.node
        self._set_up(stage)
        plan = FaultPlan(Random(draw.random()), dict(GENTLE), reorg_depth=self.depth)
        if self.depth:
            plan.rates[Fault.REORG] = 0.005
        node.plan = plan if draw.random() < 0.7 else None
        kills = [
            (draw.randint(1, 40), draw.choice(["before", "after"]))
            for _ in range(draw.randint(1, 4))
        ]
        killer = Killer(Random(draw.random()), kills)
        with serve(node, killer.watch) as (url, lock):
            try:
                self._disturbed(stage, killer, lock, self._environment(stage, url))
                killer.at.clear()
                with lock:
                    node.plan, node.lag_requests = None, 0
                deadline = time.monotonic() + RUN_LIMIT_S
                while time.monotonic() < deadline and not self._settled(stage, finally_=True):
                    with lock:
                        node.mine(self.depth + 1)
                    time.sleep(0.5)
                    self._keep_working(stage, killer, self._started_with)
            finally:
                for worker in killer.workers:
                    worker.terminate()
                for worker in killer.workers:
                    worker.wait(30)
        self.outcome.points += killer.points
        self.outcome.deepest = node.deepest
        for fault, n in plan.done.items():
            self.outcome.count(fault.value, n)

    def _set_up(self, stage: Stage) -> None:
        draw, node = self.random, stage.node
        node.random = Random(draw.random())
        node.final_depth = self.depth
        node.base_fee = draw.choice([0, GWEI])
        node.mine()
        node.mine_on_send = draw.choice([1.0, 0.6])
        node.mine_on_request = 0.3
        for number in range(draw.randint(1, 3)):
            count = draw.randint(2, 8)
            with stage.session() as session:
                self.batches.append(
                    add_batch(
                        session,
                        stage.deployed,
                        [draw.randint(1, 99) for _ in range(count)],
                        chunk_size=draw.randint(1, 3),
                        name=f"batch {number}",
                        payees=[account(f"payee {number} {i}").address for i in range(count)],
                    )
                )
            self.outcome.payouts += count

    def _disturbed(
        self,
        stage: Stage,
        killer: Killer,
        lock: threading.Lock,
        environment: dict[str, str],
    ) -> None:
        """Workers run, die and are started again until everything is paid."""
        self._started_with = environment
        stranger_after_s = 2 + self.random.random() if self.random.random() < 0.3 else None
        began = time.monotonic()
        while time.monotonic() - began < RUN_LIMIT_S and not self._settled(stage):
            self._keep_working(stage, killer, environment)
            time.sleep(0.1)
            waited_s = time.monotonic() - began
            if stranger_after_s is not None and waited_s > stranger_after_s:
                stranger_after_s = None
                self._stranger(stage, lock)

    def _keep_working(self, stage: Stage, killer: Killer, environment: dict[str, str]) -> None:
        """Start a worker in the place of each that was killed; none may end by itself."""
        for worker in [w for w in killer.workers if w.poll() is not None]:
            killer.workers.remove(worker)
            if worker.returncode != -signal.SIGKILL:
                said = (stage.folder / "said").read_text(errors="replace")[-1500:]
                raise AssertionError(f"the worker ended by itself: {said}")
            self.outcome.count("kill -9")
        while len(killer.workers) < self.workers:
            killer.workers.append(self._worker(stage, environment))

    def _stranger(self, stage: Stage, lock: threading.Lock) -> None:
        node = stage.node
        with lock:
            fee, node.base_fee = node.base_fee, 0
            try:
                batch = self.random.choice(self.batches)
                if stage.batch_state(batch.id) == "onchain":
                    run_as_stranger(stage, batch, approve=False, chunks=[0])
                    self.outcome.count("stranger")
            except AssertionError:
                pass  # its chunk ran already
            finally:
                node.base_fee = fee
                node.mine(empty=True)

    def _settled(self, stage: Stage, *, finally_: bool = False) -> bool:
        with stage.session() as session:
            states = set(session.scalars(select(Payout.state)))
            busy = session.scalars(
                select(Transaction.id)
                .where(Transaction.state.in_([*(s.value for s in IN_FLIGHT), "included"]))
                .limit(1)
            ).first()
        if not finally_:
            return states <= {"paid", "included"}
        return states == {"paid"} and busy is None

    def _environment(self, stage: Stage, url: str) -> dict[str, str]:
        keys = stage.folder / "keys"
        keys.mkdir(mode=0o700)
        passphrase = stage.folder / "passphrase"
        passphrase.write_text(PASSPHRASE)
        passphrase.chmod(0o600)
        for number, name in enumerate(RELAYERS):
            key = bytes(account(name).key)
            import_keystore(keys, f"relayer-{number}", key, PASSPHRASE, scrypt_cost=CHEAP_SCRYPT)
        # Without the campaign's own clock: these workers live by the real one.
        database = make_url(stage.url).difference_update_query(["options"])
        return environment_of(
            Settings(
                data_dir=stage.folder,
                database_url=database.render_as_string(hide_password=False),
                rpc_url=url,
                deployment_file=stage.folder / "deployment.json",
                keys_dir=keys,
                key_passphrase_file=passphrase,
                finality_depth_blocks=self.depth,
                lease_seconds=2,
            )
        )

    def _worker(self, stage: Stage, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with (stage.folder / "said").open("ab") as said:
            return start_relief("worker", "run", environment=environment, stdout=said, stderr=said)


def carry_out(
    seed: int, numbers: range, *, seconds: float | None = None, stop_at_first: bool = True
) -> Summary:
    """Carry out runs with processes; begin none after `seconds`."""
    quiet()
    summary = Summary(seed)
    began = time.monotonic()
    with ExitStack() as stack:
        ground = stack.enter_context(grounds(stack.enter_context(start_postgres())))
        for number in numbers:
            if seconds is not None and time.monotonic() - began > seconds:
                break
            try:
                outcome = ProcessRun(next(ground), seed, number).go()
            except KeyboardInterrupt:
                break  # what was done so far is told
            summary.add(outcome)
            summary.seconds = time.monotonic() - began
            if outcome.violations:
                tell(outcome, target="campaign-processes")
                if stop_at_first:
                    break
            if summary.runs % 20 == 0:
                print(f"[campaign] {summary.runs} runs, {summary.seconds:.0f} s", flush=True)
    return summary


def main() -> int:
    """Read the arguments, run, report; 1 where something was violated."""
    options = argument_parser(__doc__, runs=300).parse_args()
    print(f"[campaign] seed {options.seed}", flush=True)
    numbers = numbers_of(options)
    summary = carry_out(
        options.seed, numbers, seconds=options.seconds, stop_at_first=not options.keep_going
    )
    return report(summary, f"processes-{options.seed}-{numbers.start}")


if __name__ == "__main__":
    sys.exit(main())
