"""Pausing, resuming and cancelling at any moment: nothing is signed after, nobody is paid twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from service.errors import Conflict, InvalidInput
from service.payouts import journal
from service.payouts.models import Batch, Programme
from service.payouts.programmes import pause_programme, resume_programme
from service.payouts.service import batch_status, pause, release, resume
from service.transactions.context import EngineOptions
from service.transactions.in_flight import in_flight
from service.transactions.models import Transaction, TransactionAttempt
from tests.support.rows import DAY_S, SignedBatch, add_batch, add_programme
from tests.support.world import World, run_as_stranger

POINTS = ["planned", "signed:after-commit", "send:after", "receipts:after-commit"]
WHY = "the bank asked to wait"


def stop_batch(world: World, batch: SignedBatch) -> None:
    with world.session() as session:
        pause(session, batch.id, actor="chen", reason=WHY)


def go_on_with_batch(world: World, batch: SignedBatch) -> None:
    with world.session() as session:
        resume(session, batch.id, actor="chen", reason="it is well")


def stop_programme(world: World, _: SignedBatch) -> None:
    with world.session() as session:
        pause_programme(session, session.get_one(Programme, 1), actor="chen", reason=WHY)


def go_on_with_programme(world: World, _: SignedBatch) -> None:
    with world.session() as session:
        resume_programme(session, session.get_one(Programme, 1), actor="chen", reason="it is well")


Step = Callable[[World, SignedBatch], None]
BOTH = [
    pytest.param(stop_batch, go_on_with_batch, id="batch"),
    pytest.param(stop_programme, go_on_with_programme, id="programme"),
]


def signed(world: World) -> int:
    with world.session() as session:
        return session.scalars(select(func.count()).select_from(TransactionAttempt)).one()


@pytest.mark.parametrize("times", [1, 2], ids=["approval", "chunks"])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(("stop", "go_on"), BOTH)
def test_after_a_pause_at_any_moment_nothing_is_signed_and_a_resume_pays_once(
    world: World, stop: Step, go_on: Step, point: str, times: int
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7], chunk_size=1)
    left, before = [times], [-1]

    def hook(reached: str) -> None:
        left[0] -= reached == point
        if left[0] == 0 and before[0] < 0:
            stop(world, batch)
            before[0] = signed(world)

    # One after the other: what was mined of many at once is known when the batch is done.
    world.run(hook=hook, options=EngineOptions(max_in_flight=1))
    if before[0] < 0:
        pytest.fail(f"never came to {point}")
    world.run()
    assert signed(world) == before[0]

    go_on(world, batch)
    world.run()

    assert world.payout_states(batch.id) == ["paid"] * 3
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6, 7]
    assert world.differences() == []


def test_what_is_on_its_way_is_counted_by_a_pause(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7], chunk_size=2)
    counted: list[tuple[int, int]] = []

    def hook(reached: str) -> None:
        if reached == "signed:after-commit":
            with world.session() as session:
                found = in_flight(session, Batch.id == batch.id)
                counted.append((found.transactions, found.payouts))

    world.run(hook=hook)
    assert counted == [(1, 0), (2, 3)]
    with world.session() as session:
        assert in_flight(session, Batch.id == batch.id).words == ""


def test_a_batch_paused_by_itself_stays_so_when_its_programme_goes_on(world: World) -> None:
    with world.session() as session:
        one = add_batch(session, world.deployed, [5], name="one")
        other = add_batch(session, world.deployed, [6], name="other")
    stop_batch(world, one)
    stop_programme(world, one)
    world.run()
    assert (world.batch_state(one.id), world.batch_state(other.id)) == ("released", "released")
    with world.session() as session:
        codes = {stuck.code for stuck in batch_status(session, one.id).stuck}
        assert codes >= {"paused", "programme_paused"}

    go_on_with_programme(world, one)
    world.run()
    assert (world.batch_state(one.id), world.batch_state(other.id)) == ("released", "done")


def test_a_batch_that_is_resumed_after_its_time_expires_all_the_same(
    make_world: Callable[[int], World],
) -> None:
    """Seed 7, run 54: what the resume queued between the event and its finality stayed queued."""
    world = make_world(2)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    stop_batch(world, batch)
    run_as_stranger(world, batch, approve=True, chunks=[])
    world.deployed.advance(8 * DAY_S)
    world.run()
    assert world.payout_states(batch.id) == ["held", "held"]

    go_on_with_batch(world, batch)
    world.deployed.mine(2)
    world.run()
    assert world.payout_states(batch.id) == ["expired", "expired"]
    assert world.differences() == []


def test_a_batch_of_a_paused_programme_is_not_released_and_one_of_another_is_paid(
    world: World,
) -> None:
    world.deployed.create_programme(2, budget=10**9, payout_cap=10**9)
    with world.session() as session:
        add_programme(session, 2)
        ours = add_batch(session, world.deployed, [5], state="approved")
        other = add_batch(session, world.deployed, [6], programme=2, name="other")
    stop_programme(world, ours)
    with world.session() as session, pytest.raises(Conflict, match="P1 is paused: the bank"):
        release(session, ours.id, actor="chen")
    world.run()
    assert world.payout_states(other.id) == ["paid"]


def test_stopping_a_programme_has_an_actor_a_reason_and_an_order(world: World) -> None:
    with world.session() as session:
        add_programme(session)
        programme = session.get_one(Programme, 1)
        with pytest.raises(InvalidInput, match="reason"):
            pause_programme(session, programme, actor="chen", reason=" ")
        with pytest.raises(Conflict, match="not paused"):
            resume_programme(session, programme, actor="chen", reason="x")
        pause_programme(session, programme, actor="chen", reason=WHY)
        with pytest.raises(Conflict, match=WHY):
            pause_programme(session, programme, actor="wang", reason="too")
        resume_programme(session, programme, actor="wang", reason="it is well")
        rows = journal.history(session, "programme", "1")
        assert [(row.action, row.actor, row.reason) for row in rows] == [
            ("pause_programme", "chen", WHY),
            ("resume_programme", "wang", "it is well"),
        ]


def test_a_paused_batch_that_strangers_run_is_paid_and_says_so(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    stop_programme(world, batch)
    run_as_stranger(world, batch, approve=True, chunks=[0])
    world.run()
    assert world.payout_states(batch.id) == ["paid", "queued"]
    with world.session() as session:
        assert session.scalars(select(Transaction.state)).all() == []
