"""Strangers and second workers: nobody makes us pay twice or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from service.clock import SYSTEM_CLOCK
from service.errors import Conflict
from service.payouts.models import Batch, Payout
from service.payouts.service import cancel_draft
from service.transactions import lanes
from service.transactions.lanes import LeaseLost
from service.transactions.models import Lane, Transaction
from tests.support.deployed import account
from tests.support.rows import add_batch
from tests.support.world import World, run_as_stranger


def test_a_stranger_who_runs_everything_first_changes_nothing(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7], chunk_size=1)
    run_as_stranger(world, batch, approve=True, chunks=[0, 2])

    world.run()

    assert world.payout_states(batch.id) == ["paid"] * 3
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6, 7]
    assert world.differences() == []


def test_a_chunk_run_by_a_stranger_after_we_signed_ours_is_superseded_and_paid(
    world: World,
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    stolen = []

    def hook(point: str) -> None:
        # The approval is mined; the chunks are signed and not sent yet.
        if point == "send:before" and world.batch_state(batch.id) == "onchain" and not stolen:
            stolen.append(point)
            run_as_stranger(world, batch, approve=False, chunks=[1])

    world.run(hook=hook)

    assert stolen
    assert world.payout_states(batch.id) == ["paid"] * 2
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6]
    with world.session() as session:
        states = session.execute(
            select(Transaction.chunk_index, Transaction.state).where(
                Transaction.kind == "execute_chunk"
            )
        ).all()
        assert sorted(tuple(row) for row in states) == [(0, "final"), (1, "superseded")]
    assert world.differences() == []


def test_a_worker_that_lost_its_lease_cannot_write(world: World) -> None:
    sender = account("relayer").address
    with world.session() as session:
        lanes.ensure_lane(session, 31337, sender)
    with world.session() as session:
        old = lanes.acquire(session, 31337, sender, "slow worker", 15)
    assert old is not None
    with world.session() as session:
        assert lanes.acquire(session, 31337, sender, "other worker", 15) is None
        session.execute(update(Lane).values(lease_expires_unix_ms=0))
    with world.session() as session:
        new = lanes.acquire(session, 31337, sender, "other worker", 15)
    assert new is not None
    assert new.fence > old.fence

    with world.session() as session, pytest.raises(LeaseLost):
        lanes.hold(session, old, 15)

    with world.session() as session:
        lanes.hold(session, new, 15)
        assert session.get_one(Lane, (31337, sender)).next_nonce == 0


def test_a_second_worker_on_the_same_sqlite_file_is_refused(world: World) -> None:
    if world.engine.dialect.name != "sqlite":
        pytest.skip("several workers share a PostgreSQL database")
    with world.worker() as first, world.worker() as second:
        first.step()
        with pytest.raises(Conflict, match="another worker"):
            second.step()


def test_a_paused_batch_is_left_alone_until_it_is_resumed(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
        session.execute(update(Batch).values(paused=True))
    world.run()
    assert world.batch_state(batch.id) == "released"

    with world.session() as session:
        session.execute(update(Batch).values(paused=False))
    world.run()
    assert world.payout_states(batch.id) == ["paid"]


def test_a_batch_given_up_here_that_comes_on_chain_all_the_same_is_paid(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], state="approved")
        session.get_one(Batch, batch.id).signing_opened_at = SYSTEM_CLOCK.now()
        session.execute(update(Payout).values(state="approved"))
    with world.session() as session:
        cancel_draft(session, batch.id, actor="maker", reason="wrong list")
    assert world.payout_states(batch.id) == ["held"] * 2
    run_as_stranger(world, batch, approve=True, chunks=[])

    world.run()

    assert world.payout_states(batch.id) == ["paid"] * 2
    assert world.differences() == []
