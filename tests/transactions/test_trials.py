"""The first chunk of a batch is tried out, the others only where something went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, update

from service.chain.rpc import Rpc
from service.payouts.models import Chunk
from service.transactions.context import EngineOptions
from service.transactions.models import Transaction
from tests.support.rows import add_batch
from tests.support.world import World

ONE_BY_ONE = EngineOptions(max_in_flight_blocks=0.0)


class Watched(Rpc):
    """The node's client, which counts how often a call is run without being sent."""

    tried = 0

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        asked = list(calls)
        self.tried += sum(method == "eth_call" for method, _ in asked)
        return super().batch(asked)


def test_one_chunk_of_a_batch_is_tried_and_all_are_paid(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1, 2, 3, 4, 5], chunk_size=1)
    rpc = Watched(world.deployed.node.rpc_url)

    with world.worker(rpc=rpc, options=ONE_BY_ONE) as worker:
        worker.run_until_idle()

    assert rpc.tried == 1
    assert world.payout_states(batch.id) == ["paid"] * 5


def test_a_chunk_that_somebody_changed_is_tried_and_gets_no_nonce(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1, 2, 3], chunk_size=1)
        first, second = (session.get_one(Chunk, (batch.id, index)).entries for index in (0, 2))
        of_third = (Chunk.batch_id == batch.id) & (Chunk.chunk_index == 2)
        session.execute(update(Chunk).where(of_third).values(entries=first))
    assert first != second
    rpc = Watched(world.deployed.node.rpc_url)

    with world.worker(rpc=rpc, options=ONE_BY_ONE) as worker:
        for _ in range(8):
            worker.step()

        with world.session() as session:
            changed = session.scalars(select(Transaction).where(Transaction.chunk_index == 2)).one()
    assert rpc.tried >= 2
    assert (changed.state, changed.nonce) == ("built", None)
    assert changed.error is not None
    assert world.payout_states(batch.id) == ["paid", "paid", "queued"]


def test_after_a_revert_every_chunk_is_tried(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1, 2, 3, 4, 5, 6], chunk_size=1)
    rpc = Watched(world.deployed.node.rpc_url)
    with world.worker(rpc=rpc, options=ONE_BY_ONE) as worker:
        while world.payout_states(batch.id).count("paid") < 2:
            worker.step()
        with world.session() as session:
            went = session.scalars(select(Transaction).where(Transaction.chunk_index == 0)).one()
            went.state = "reverted"
        before = rpc.tried

        worker.run_until_idle()

    assert rpc.tried - before >= 2
