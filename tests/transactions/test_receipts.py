"""What became of our nonces, told by events and by receipts, and not told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from service.chain.rpc import RpcError
from service.transactions.models import Transaction
from tests.support.rows import SignedBatch, add_batch
from tests.support.world import Killed, World, leave_as_killed, run_as_stranger

Make = Callable[[int], World]

pytestmark = pytest.mark.chain


def batch_of(world: World, *amounts: int) -> SignedBatch:
    with world.session() as session:
        return add_batch(session, world.deployed, list(amounts), chunk_size=1)


def chunk_states(world: World) -> list[str]:
    ours = select(Transaction.state).where(Transaction.kind == "execute_chunk")
    with world.session() as session:
        return list(session.scalars(ours.order_by(Transaction.chunk_index)))


def asked_for(world: World, **options: Any) -> tuple[list[str], Callable[[], None]]:
    """Methods that a worker asks the node for, and a function that lets it work."""
    methods: list[str] = []

    def run() -> None:
        with world.worker(**options) as worker:
            real = worker._rpc.batch

            def batch(calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
                listed = list(calls)
                methods.extend(method for method, _ in listed)
                return real(listed)

            worker._rpc.batch = batch  # type: ignore[method-assign]
            worker.run_until_idle()

    return methods, run


def test_what_events_tell_needs_no_receipt_but_for_its_cost(world: World) -> None:
    batch = batch_of(world, 5, 6, 7)
    methods, run = asked_for(world)
    run()
    assert world.payout_states(batch.id) == ["paid"] * 3
    # Of the approval and three chunks, each once, when nothing else was left to do.
    assert methods.count("eth_getTransactionReceipt") == 4
    with world.session() as session:
        rows = session.scalars(select(Transaction)).all()
        assert all(row.state == "final" and row.gas_used for row in rows)


def beaten_by_a_stranger(world: World, batch: SignedBatch) -> Callable[[str], None]:
    """A hook: a stranger runs the chunks just before ours are sent, so that ours revert."""
    beaten: list[bool] = []

    def hook(point: str) -> None:
        if point == "send:before" and world.batch_state(batch.id) == "onchain" and not beaten:
            beaten.append(True)
            run_as_stranger(world, batch, approve=False, chunks=[0, 1])

    return hook


def test_another_workers_reading_does_not_make_our_reverts_a_strangers(world: World) -> None:
    """The other has stored the blocks: their events are here, and final, before our next round."""
    if world.engine.dialect.name == "sqlite":
        pytest.skip("one worker works alone on SQLite")
    batch = batch_of(world, 5, 6)
    stranger, sent = beaten_by_a_stranger(world, batch), []

    def hook(point: str) -> None:
        stranger(point)
        if point == "sent:after-commit" and world.batch_state(batch.id) == "onchain":
            sent.append(point)

    other = world.worker(signers=[world.signers[1]])
    with other, world.worker(hook=hook, signers=[world.signers[0]]) as worker:
        while not sent:
            worker.step()
        for _ in range(4):
            other.step()
        worker.run_until_idle()
    assert chunk_states(world) == ["superseded"] * 2
    assert world.payout_states(batch.id) == ["paid"] * 2


@pytest.mark.parametrize("lost", ["eth_getTransactionCount", "eth_getTransactionReceipt"])
def test_an_answer_that_says_nothing_leads_to_no_conclusion(make_world: Make, lost: str) -> None:
    """One node of a pool of them does not know the block, or the receipt, that the others know."""
    world = make_world(2)
    batch = batch_of(world, 5, 6)
    stranger = beaten_by_a_stranger(world, batch)

    def hook(point: str) -> None:
        stranger(point)
        if point == "sent:after-commit" and world.batch_state(batch.id) == "onchain":
            raise Killed(point)

    with world.worker(hook=hook) as worker:
        with pytest.raises(Killed):
            worker.run_until_idle()
        leave_as_killed(world, worker)
    world.deployed.mine(5)
    left = [3]
    with world.worker() as worker:
        real = worker._rpc.batch

        def batch_(calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
            asked = list(calls)
            answers = real(asked)
            if asked and asked[0][0] == lost and left[0]:
                left[0] -= 1
                answers[0] = RpcError(-32000, "header not found")
            return answers

        worker._rpc.batch = batch_  # type: ignore[method-assign]
        worker.run_until_idle()
    assert left[0] < 3
    assert chunk_states(world) == ["superseded"] * 2
