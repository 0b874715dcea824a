"""What gas a chunk gets, and how much is in flight at once: what fits a block, never nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from service.chain.signers import LocalSigner
from service.transactions.context import EngineOptions
from service.transactions.models import Lane, Transaction
from service.transactions.states import IN_FLIGHT
from tests.support.deployed import account
from tests.support.rows import add_batch
from tests.support.world import World

GAS_OF_A_CHUNK_OF_ONE = 730_000
BLOCK_GAS = 60_000_000


def test_a_chunk_whose_payees_are_all_frozen_has_gas_enough(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5 * 10**6] * 200)
    for payee in batch.payees:
        world.deployed.freeze(payee)

    world.run()

    assert world.payout_states(batch.id) == ["skipped"] * 200


@pytest.mark.parametrize(
    ("blocks", "ahead", "most"),
    [
        (0.0, 0.0, 1),
        (2.5 * GAS_OF_A_CHUNK_OF_ONE / BLOCK_GAS, 0.0, 2),
        (0.0, 2.5 * GAS_OF_A_CHUNK_OF_ONE / BLOCK_GAS, 2),
        (1.0, 0.0, 5),
    ],
    ids=["no room at all", "room for two and a half", "ahead of the block", "a whole block"],
)
def test_as_many_chunks_are_in_flight_as_fit_and_at_least_one(
    world: World, blocks: float, ahead: float, most: int
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1, 2, 3, 4, 5], chunk_size=1)
    seen: list[int] = []

    def hook(point: str) -> None:
        if point == "send:before":
            with world.session() as session:
                in_flight = Transaction.state.in_(IN_FLIGHT)
                seen.append(session.scalars(select(func.count()).where(in_flight)).one())

    options = EngineOptions(max_in_flight_blocks=blocks, blocks_ahead=ahead)
    world.run(hook=hook, options=options)

    assert max(seen) == most
    assert world.payout_states(batch.id) == ["paid"] * 5


def test_a_lane_without_gas_money_neither_takes_the_others_room_nor_gets_their_work(
    costly: World,
) -> None:
    world, poor, rich = costly, account("relayer"), account("second relayer")
    world.deployed.node.rpc("anvil_setBalance", poor.address, "0x1")
    world.deployed.fund(rich.address)
    with world.session() as session:
        batches = [add_batch(session, world.deployed, [7, 8], chunk_size=1, name=n) for n in "ab"]
    both = [LocalSigner(poor), LocalSigner(rich)]
    options = EngineOptions(max_in_flight_blocks=0.0)

    with world.worker(signers=both, options=options) as worker:
        for _ in range(12):
            worker.step()

    states = {batch.id: world.batch_state(batch.id) for batch in batches}
    assert sorted(states.values()) == ["done", "released"]
    with world.session() as session:
        assert session.get_one(Lane, (31337, poor.address)).out_of_funds
        (waits,) = session.scalars(select(Transaction).where(Transaction.state == "signed"))
        assert (waits.sender, states[waits.batch_id or ""]) == (poor.address, "released")
