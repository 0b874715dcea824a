"""The crash matrix: the worker dies at each point of its way, one after the other.

The way is one that passes through everything the engine does: an approval, chunks, streams, a
withdrawal, a quorum action, a skip and its retry, a replacement, a re-org, an expiry. It is first
walked undisturbed, to learn its points; then again for each point, with a death there.

Usage::

    make crash-matrix                              # each point, first and last time
    make crash-matrix CAMPAIGN_ARGS=--every        # each time
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from sqlalchemy import select

from service.ledger.worker import Worker
from service.payouts.models import Payout, RequestKind
from service.payouts.requests import ask
from service.payouts.service import request_retry
from service.transactions.context import EngineOptions
from tests.conftest import start_postgres
from tests.faults import checks
from tests.faults.campaign import grounds
from tests.faults.checks import Violation
from tests.faults.ground import Ground, Stage
from tests.faults.node import Fault, FaultPlan
from tests.faults.points import Points
from tests.faults.run import EXPECTED, GWEI, quiet
from tests.support.deployed import account
from tests.support.rows import DAY_S, add_batch, add_batch_cancellation
from tests.support.world import Killed

DEPTH = 2
MATRIX_FAULTS = {
    Fault.DROP_REPLY: 0.06,
    Fault.DUPLICATE: 0.04,
    Fault.HIDE_RECEIPT: 0.04,
    Fault.STALE_HEAD: 0.03,
    Fault.EVICT: 0.03,
    Fault.HTTP_500: 0.02,
}


@dataclass(frozen=True, slots=True)
class Death:
    """One cell of the matrix: where to die, the so manieth time that the worker comes there."""

    point: str
    time: int


class Way:
    """Walks the way once.

    Parameters
    ----------
    death
        Where the worker dies; nowhere when None.
    faults
        Whether the node misbehaves meanwhile.
    """

    def __init__(self, stage: Stage, death: Death | None, *, faults: bool) -> None:
        self.stage = stage
        self.death = death
        self.faults = faults
        self.passed: Counter[str] = Counter()
        self.died = False
        self.worker: Worker | None = None
        self.points = Points()

    def walk(self) -> list[Violation]:
        """Walk it, dying once; returns what is wrong afterwards."""
        stage, node = self.stage, self.stage.node
        watcher, close = checks.watch(stage)
        try:
            self._way()
            node.plan, node.lag_requests = None, 0
            self._until_idle()
            node.mine(DEPTH + 1)
            stage.clock.step(301_000)
            self._until_idle()
            node.mine(DEPTH + 1)
            self._until_idle()
            return checks.after(
                stage,
                watcher,
                skippable=frozenset(self.skippable),
                cancelled=frozenset(self.cancelled),
            )
        finally:
            self._end()
            close()

    def _way(self) -> None:
        stage, node = self.stage, self.stage.node
        deployed = stage.deployed
        names = [account(f"payee {i}").address for i in range(9)]
        self.skippable = {names[1]}
        self.cancelled: set[str] = set()
        deployed.freeze(names[1])
        node.base_fee = GWEI
        node.mine()
        node.mine_on_request = 0.0
        if self.faults:
            node.plan = FaultPlan(Random(1), dict(MATRIX_FAULTS))
        with stage.session() as session:
            first = add_batch(
                session, deployed, [5, 6, 7], chunk_size=2, name="first", payees=names[:3]
            )
            streams = [90 * 10**6, 180 * 10**6]
            second = add_batch(
                session, deployed, streams, kind="stream", name="second", payees=names[3:5]
            )
        self._until_idle()
        # Chunks that wait: what is offered is below the market, until it is outbid.
        with stage.session() as session:
            add_batch(session, deployed, [8, 9], chunk_size=1, name="third", payees=names[5:7])
        node.mine_on_send = 0.0
        self._rounds(2)
        node.base_fee = 4 * GWEI
        stage.clock.step(61_000)
        self._rounds(2)
        node.mine_on_send = 1.0
        self._until_idle()
        node.reorg(DEPTH, blocks=1)
        node.base_fee = 0
        deployed.unfreeze(names[1])
        node.base_fee = GWEI
        node.advance(3 * DAY_S)
        self._until_idle()
        node.mine(DEPTH)
        self._until_idle()
        with stage.session() as session:
            skipped = session.scalars(select(Payout).where(Payout.state == "skipped")).first()
            if skipped is not None:
                request_retry(session, first.id, skipped.index, actor="matrix")
            if session.get_one(Payout, (second.id, 0)).state in ("included", "paid"):
                arguments = {"batchId": second.id, "index": 0}
                kind = RequestKind.WITHDRAW_STREAM
                ask(session, kind, arguments, dedupe_key="withdraw", actor="matrix")
        self._until_idle()
        self._end_of_a_batch(names[7:9])

    def _end_of_a_batch(self, payees: list[str]) -> None:
        """One that is cancelled by a quorum, and one whose time passes."""
        stage, node, deployed = self.stage, self.stage.node, self.stage.deployed
        with stage.session() as session:
            fourth = add_batch(
                session, deployed, [10, 11], chunk_size=1, name="fourth", payees=payees
            )
        node.mine_on_send = 0.0
        self._rounds(2)
        node.mine(limit=1)
        with stage.session() as session:
            add_batch_cancellation(session, deployed, fourth.id)
            self.cancelled.add(fourth.id)
        node.mine_on_send = 1.0
        self._until_idle()
        node.advance(8 * DAY_S)
        self._until_idle()

    def _at(self, name: str, _number: int, _is_open: bool) -> None:
        self.passed[name] += 1
        death = self.death
        if not self.died and death == Death(name, self.passed[name]):
            self.died = True
            raise Killed(name)

    def _step(self) -> bool:
        """One round; whether nothing is left to do. A dead worker is followed by another."""
        if self.worker is None:
            self.points = Points(self._at)
            options = EngineOptions(lease_seconds=15)
            self.worker = self.stage.watched_worker(self.points, options=options)
        try:
            return self.worker.step().idle
        except Killed:
            self._end()
            # The next one may begin when the lease is over.
            self.stage.clock.step(16_000)
        except EXPECTED:
            self.stage.clock.step(2_000)
        return False

    def _rounds(self, n: int) -> None:
        for _ in range(n):
            self._step()

    def _until_idle(self) -> None:
        for _ in range(80):
            if self._step():
                return
            self.stage.clock.step(11_000)
            if len(self.stage.node.pool):
                self.stage.node.mine()
        raise TimeoutError("still at work after 80 rounds")

    def _end(self) -> None:
        if self.worker is not None:
            self.worker._started = False
            self.points.dead, self.points.at = None, None
            self.worker.close()
            self.worker = None


def walk(
    ground: Ground, database: str, death: Death | None, *, faults: bool
) -> tuple[Way, list[Violation]]:
    """Walk the way on a new stage."""
    with ground.stage(database, DEPTH) as stage:
        way = Way(stage, death, faults=faults)
        try:
            found = way.walk()
        except Exception as error:
            found = [Violation("nothing_unexpected", f"{type(error).__name__}: {error}")]
        if death is not None and not way.died:
            found.append(Violation("the_point_is_passed", f"it did not come to {death}"))
        return way, found


def deaths(passed: Counter[str], times: Callable[[int], Sequence[int]]) -> list[Death]:
    """A death for each point, at those of its times that are asked for.

    Parameters
    ----------
    times
        Which times, of how many.
    """
    return [Death(point, time) for point, n in sorted(passed.items()) for time in times(n)]


def first_and_last(n: int) -> Sequence[int]:
    """The first time and the last."""
    return sorted({1, n})


def every(n: int) -> Sequence[int]:
    """Every time."""
    return range(1, n + 1)


def main() -> int:
    """Fill the matrix; 1 where a cell is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", action="store_true", help="each time a point is passed")
    parser.add_argument("--database", choices=["both", "sqlite", "postgresql"], default="both")
    options = parser.parse_args()
    quiet()
    wrong = 0
    databases = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    with start_postgres() as server, grounds(server) as made:
        for database in databases:
            for faults in (False, True):
                began = time.monotonic()
                way, found = walk(next(made), database, None, faults=faults)
                for each in found:
                    print(f"undisturbed: {each}")
                cells = deaths(way.passed, every if options.every else first_and_last)
                bad = len(found)
                for death in cells:
                    _, found = walk(next(made), database, death, faults=faults)
                    for each in found:
                        print(f"{database}, {death.point} ({death.time}): {each}", flush=True)
                    bad += bool(found)
                wrong += bad
                print(
                    f"{database}, {'with' if faults else 'without'} faults: {len(way.passed)} "
                    f"points, {len(cells)} deaths, {bad} wrong, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
