"""Two workers that both believe to be the one, as processes: one slept, or their clocks differ."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from subprocess import Popen

import pytest
from sqlalchemy import select

from service.chain.signers import LocalSigner
from service.errors import Conflict
from service.processes import wait_until
from service.transactions.models import Lane, Transaction, TransactionAttempt
from tests.support.deployed import account
from tests.support.rows import SignedBatch, add_batch
from tests.support.worker_process import end, start, wait_until_stopped
from tests.support.world import World

Make = Callable[[int], World]
HOUR_S = 3_600
PATIENCE_S = 90


@pytest.fixture
def processes() -> Iterator[list[Popen[bytes]]]:
    """Those a test started; killed at its end."""
    started: list[Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)


def quick(make_world: Make) -> World:
    """A world whose leases end after a second."""
    world = make_world(0)
    world.settings.lease_seconds = 1
    return world


def some_batch(world: World, count: int) -> SignedBatch:
    with world.session() as session:
        return add_batch(session, world.deployed, list(range(1, count + 1)), chunk_size=1)


def assert_paid_once(world: World, batch: SignedBatch) -> None:
    assert world.payout_states(batch.id) == ["paid"] * len(batch.amounts)
    assert [world.balance_on_chain(payee) for payee in batch.payees] == batch.amounts
    assert world.differences() == []
    with world.session() as session:
        rows = session.execute(select(Transaction.sender, Transaction.nonce)).all()
        assert len({tuple(row) for row in rows}) == len(rows)


@pytest.mark.parametrize("point", ["send:before", "send:after"])
def test_a_worker_that_wakes_after_its_lease_went_to_another_writes_nothing(
    make_world: Make, processes: list[Popen[bytes]], point: str
) -> None:
    world = quick(make_world)
    if world.engine.dialect.name == "sqlite":
        pytest.skip("one worker alone works on SQLite: the next test")
    batch = some_batch(world, 3)
    sleeper = start(world, "sleeper", stop_at=point)
    processes.append(sleeper)
    wait_until_stopped(sleeper)

    def expired() -> bool:
        with world.session() as session:
            lane = session.get_one(Lane, (31337, account("relayer").address))
            return bool(lane.lease_expires_unix_ms < time.time() * 1000)

    wait_until(expired, PATIENCE_S, "the lease to end")
    with world.worker() as awake:
        awake.run_until_idle(60)
        assert_paid_once(world, batch)
        with world.session() as session:
            before = session.execute(
                select(Transaction.id, Transaction.state, TransactionAttempt.raw).join(
                    TransactionAttempt
                )
            ).all()
        os.kill(sleeper.pid, signal.SIGCONT)
        log = world.folder / "sleeper.log"
        wait_until(lambda: "lane_lost" in log.read_text(), PATIENCE_S, "the sleeper to notice")
        awake.step()
        with world.session() as session:
            after = session.execute(
                select(Transaction.id, Transaction.state, TransactionAttempt.raw).join(
                    TransactionAttempt
                )
            ).all()
    assert end(sleeper) == 0
    assert sorted(before) == sorted(after)
    assert_paid_once(world, batch)


def test_on_sqlite_nobody_takes_over_from_a_worker_that_sleeps(
    make_world: Make, processes: list[Popen[bytes]]
) -> None:
    world = quick(make_world)
    if world.engine.dialect.name != "sqlite":
        pytest.skip("several workers share a PostgreSQL database")
    batch = some_batch(world, 3)
    sleeper = start(world, "sleeper", stop_at="signed:after-commit")
    processes.append(sleeper)
    wait_until_stopped(sleeper)
    with pytest.raises(Conflict, match="another worker works"):
        world.run()

    os.kill(sleeper.pid, signal.SIGKILL)  # it lets the file go, and only then
    sleeper.wait(30)
    world.run(60)
    assert_paid_once(world, batch)


def test_workers_whose_clocks_lie_hours_apart_share_the_work(
    make_world: Make, processes: list[Popen[bytes]]
) -> None:
    world = quick(make_world)
    if world.engine.dialect.name == "sqlite":
        pytest.skip("one worker alone works on SQLite")
    for name in ("relayer", "second relayer"):
        world.deployed.fund(account(name).address)
    batch = some_batch(world, 12)
    for name, offset in (("early", -5 * HOUR_S), ("late", 7 * HOUR_S)):
        keys = ("relayer", "second relayer")
        processes.append(start(world, name, clock_offset_s=offset, keys=keys))
    wait_until(lambda: world.payout_states(batch.id) == ["paid"] * 12, PATIENCE_S, "every payout")

    # One dies; its lanes go to the other by the database's clock, whatever either of them believes.
    processes[0].kill()
    processes[0].wait(30)
    with world.session() as session:
        other = add_batch(session, world.deployed, [5, 6], chunk_size=1, name="other")
    wait_until(lambda: world.payout_states(other.id) == ["paid"] * 2, PATIENCE_S, "every payout")
    assert end(processes[1]) == 0
    # It may have ended before it wrote down that its last transactions were mined.
    world.run(60, signers=[*world.signers, LocalSigner(account("second relayer"))])
    assert world.differences() == []
    with world.session() as session:
        rows = session.execute(select(Transaction.sender, Transaction.nonce)).all()
        assert len({tuple(row) for row in rows}) == len(rows)
