"""What the campaign found in the engine, each as a test of its own."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from service.confirmations.models import ChainAlarm
from service.errors import ChainUnavailable
from service.transactions.models import TransactionAttempt
from tests.faults.ground import Ground
from tests.faults.node import Fault, FaultPlan
from tests.faults.points import Points
from tests.support.rows import add_batch
from tests.support.world import Killed, leave_as_killed, run_as_stranger

GWEI = 10**9

pytestmark = pytest.mark.chain


def test_a_worker_whose_node_was_away_at_first_does_not_lock_itself_out(ground: Ground) -> None:
    """Seed 1, run 1: its own lock on the SQLite file stood in its way for ever."""
    with ground.stage("sqlite", 0) as stage:
        with stage.session() as session:
            batch = add_batch(session, stage.deployed, [5])
        stage.node.plan = FaultPlan(stage.node.random, forced=[Fault.HTTP_500])
        with stage.watched_worker(Points()) as worker:
            with pytest.raises(ChainUnavailable):
                worker.step()
            while not worker.step().idle:
                pass
        assert stage.payout_states(batch.id) == ["paid"]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_fill_for_bytes_that_wait_in_the_pool_unknown_to_us_outbids_them(
    ground: Ground, database: str
) -> None:
    """Seed 7, run 4709: the same fill was signed again and again, and ended the worker each time.

    It died between sending a chunk and writing that down; a stranger ran the chunk meanwhile. The
    nonce was to be used up at the market's price, which the pool refused, since the chunk's own
    bytes, of the same price, waited there.
    """
    sent: list[str] = []

    def die(name: str, _number: int, _is_open: bool) -> None:
        if name == "hook send:after":
            sent.append(name)
            if len(sent) == 2:  # the approval, then the chunk
                raise Killed(name)

    with ground.stage(database, 0) as stage:
        node = stage.node
        node.mine_on_send = node.mine_on_request = 0.0
        node.base_fee = GWEI
        node.mine(empty=True)
        with stage.session() as session:
            batch = add_batch(session, stage.deployed, [5])
        worker = stage.watched_worker(Points(die))
        for _ in range(20):
            try:
                worker.step()
            except Killed:
                break
            node.mine()
        leave_as_killed(stage, worker)
        stage.wait_until_gone(worker)
        (waiting,) = node.pool.all()
        node.pool.drop(waiting.tx_hash)  # no miner takes it for now
        node.base_fee = 0
        run_as_stranger(stage, batch, approve=False, chunks=[0])
        node.base_fee = GWEI
        node.mine(empty=True)
        node.pool.put_back(waiting)
        node.mine_on_send = node.mine_on_request = 0.0
        with stage.watched_worker(Points()) as worker:
            for _ in range(10):
                worker.step()
                stage.clock.step(1_000)
            (outbidding,) = node.pool.all()
            assert (outbidding.nonce, outbidding.data) == (waiting.nonce, b"")
            assert outbidding.max_fee > waiting.max_fee
            for _ in range(10):
                node.mine()
                worker.step()
        assert stage.payout_states(batch.id) == ["paid"]
        assert stage.balance_on_chain(batch.payees[0]) == batch.amounts[0]
        with stage.session() as session:
            attempts = session.scalars(
                select(TransactionAttempt).order_by(TransactionAttempt.signed_unix_ms)
            ).all()
            assert [attempt.purpose for attempt in attempts] == ["call", "call", "fill", "fill"]


def test_a_worker_that_slept_over_a_reorg_takes_no_final_block_for_gone(ground: Ground) -> None:
    """Seed 7, run 8759: the gravest alarm of all, and the worker's end, for nothing.

    It asked for the block that was read last and slept. A re-org had taken that block; another
    worker went on to the new chain, until what stands in its place was final. Awake, the first
    looked for blocks that the two chains share among none, and said that a final block was gone.
    """
    slept: list[str] = []

    with ground.stage("postgresql", 2) as stage:
        node = stage.node

        def meanwhile(name: str, _number: int, _is_open: bool) -> None:
            if slept == ["soon"] and name == "after getBlockByNumber in ingest.fetch":
                slept.append("done")
                node.mine(5, empty=True)
                for _ in range(4):
                    other.step()

        with stage.session() as session:
            batch = add_batch(session, stage.deployed, [5])
        with (
            stage.watched_worker(Points(meanwhile)) as worker,
            stage.watched_worker(Points(), slot=2) as other,
        ):
            for _ in range(6):
                worker.step()
            assert node.reorg(2, keep=lambda _tx: True, blocks=3) == 2
            slept.append("soon")
            worker.step()
            assert slept == ["soon", "done"]
            for _ in range(20):
                node.mine()
                worker.step()
                other.step()
        assert stage.payout_states(batch.id) == ["paid"]
        with stage.session() as session:
            assert session.scalars(select(ChainAlarm.kind)).all() == []
