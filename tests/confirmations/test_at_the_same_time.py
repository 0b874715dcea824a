"""Officers, events and several workers at the same moment, on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from service.approvals.models import QuorumAction
from service.confirmations.models import Block, Event
from service.confirmations.wallets import history
from service.errors import ReliefError
from service.payouts import service
from service.payouts.models import ChainRequest
from service.transactions import sending, signing
from service.transactions.models import Transaction
from tests.support.deployed import Deployed
from tests.support.rows import add_batch, add_batch_cancellation, add_request
from tests.support.world import World, run_as_stranger


@pytest.fixture
def world(
    deployed: Deployed, new_postgres_database: Callable[[], str], tmp_path: Path
) -> Iterator[World]:
    made = World(deployed, new_postgres_database(), tmp_path, 0)
    yield made
    made.engine.dispose()


def waiting_for_a_lock(world: World) -> int:
    with world.engine.connect() as connection:
        found: int = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND wait_event_type = 'Lock'"
            )
        )
        return found


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    gone = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        gone.wait(0.02)
    raise AssertionError("it did not come to pass")


def test_pausing_a_batch_whose_last_chunk_is_being_read_is_no_deadlock(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    run_as_stranger(world, batch, approve=True, chunks=[0])
    with world.worker() as worker:
        worker._ingestor.step()
        run_as_stranger(world, batch, approve=False, chunks=[1])
        raised: list[Exception] = []

        def read() -> None:
            try:
                worker._ingestor.step()
            except (ReliefError, DBAPIError) as error:
                raised.append(error)

        reading = threading.Thread(target=read)
        with world.session() as session:
            service.lock_batch(session, batch.id)
            reading.start()
            until(lambda: waiting_for_a_lock(world) == 1)
            service.pause(session, batch.id, actor="test", reason="to see")
        reading.join(20)

    assert raised == []
    assert world.batch_state(batch.id) == "done"
    assert world.payout_states(batch.id) == ["paid"] * 2


def test_two_workers_that_read_the_same_blocks_project_them_once(world: World) -> None:
    with world.session() as session:
        batches = [
            add_batch(session, world.deployed, [5, 6], chunk_size=1, name=f"batch {number}")
            for number in range(4)
        ]
    for batch in batches:
        run_as_stranger(world, batch, approve=True, chunks=[0, 1])
    head = world.deployed.rpc.block_number()
    raised: list[Exception] = []
    gate = threading.Barrier(3)

    def read() -> None:
        with world.worker() as worker:
            gate.wait()
            try:
                for _ in range(3):
                    worker._ingestor.step()
            except (ReliefError, DBAPIError) as error:
                raised.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)

    assert raised == []
    with world.session() as session:
        assert session.scalar(select(func.max(Block.number))) == head
        payees = {payee for batch in batches for payee in batch.payees}
        assert sum(len(history(session, payee)) for payee in payees) == 8
        seqs = session.scalars(select(Event.seq).where(Event.contract == "vault")).all()
    assert sorted(seq for seq in seqs if seq) == list(range(1, len(set(seqs) - {None}) + 1))
    assert all(world.payout_states(batch.id) == ["paid"] * 2 for batch in batches)


def test_workers_that_start_at_once_begin_once(world: World) -> None:
    raised: list[Exception] = []
    gate = threading.Barrier(6)

    def begin() -> None:
        with world.worker() as worker:
            gate.wait()
            try:
                worker._engine.start()
                worker._ingestor._position()
            except (ReliefError, DBAPIError) as error:
                raised.append(error)

    starting = [threading.Thread(target=begin) for _ in range(6)]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join(60)

    assert raised == []


def test_an_action_done_while_it_is_marked_submitted_stays_done(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
        action = add_batch_cancellation(session, world.deployed, batch.id)
    row = Transaction(kind="quorum_action", action_id=action.id)
    with world.sessions() as engine, engine.begin():
        assert engine.get_one(QuorumAction, action.id).state == "ready"
        with world.session() as events:
            events.get_one(QuorumAction, action.id).state = "done"
        sending._mark_sent(engine, [row])

    with world.session() as session:
        assert session.get_one(QuorumAction, action.id).state == "done"


def test_a_request_that_a_stranger_fulfilled_does_not_fail_afterwards(world: World) -> None:
    with world.session() as session:
        number = add_request(session, "apply_cap").id
    with world.sessions() as engine, engine.begin():
        assert engine.get_one(ChainRequest, number).state == "requested"
        with world.session() as events:
            events.get_one(ChainRequest, number).state = "done"
        signing._fail_request(engine, str(number), "NoCapPlanned")

    with world.session() as session:
        request = session.get_one(ChainRequest, number)
        assert (request.state, request.last_error) == ("done", None)
