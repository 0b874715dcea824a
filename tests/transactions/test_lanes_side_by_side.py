"""What is wrong with one lane, or one batch, holds up no other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from service.chain.rpc import Rpc
from service.chain.signers import LocalSigner
from service.errors import ChainUnavailable
from service.payouts.models import Chunk
from service.transactions.context import EngineOptions
from service.transactions.models import Lane, Transaction
from tests.support.deployed import account
from tests.support.rows import add_batch, add_request
from tests.support.world import RESERVE, World

MANY = 30
"""More chunks than are planned ahead."""


def test_a_lane_that_is_lost_in_a_round_is_left_alone_for_the_rest_of_it(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5], name="first")
    world.run()
    stolen: list[str] = []

    def steal(point: str) -> None:
        if point == "planned" and not stolen:
            with world.session() as session:
                # What it cost is not known yet: that is asked for where nothing else is done.
                session.execute(update(Transaction).values(gas_used=None))
                session.execute(update(Lane).values(fence=Lane.fence + 1, lease_owner="another"))
            stolen.append(point)

    with world.worker() as worker:
        worker.step()
        with world.session() as session:
            add_batch(session, world.deployed, [6], name="second")
        worker._hook = steal
        worker.step()
        assert stolen
        assert account("relayer").address not in worker._engine.senders


def test_what_waits_for_a_lane_without_gas_money_is_made_by_another(costly: World) -> None:
    world, poor, rich = costly, account("relayer"), account("second relayer")
    world.deployed.node.rpc("anvil_setBalance", poor.address, "0x1")
    world.deployed.fund(rich.address)
    with world.session() as session:
        amounts = list(range(1, 2 * MANY + 1))
        batch = add_batch(session, world.deployed, amounts, chunk_size=1)
    both = [LocalSigner(poor), LocalSigner(rich)]
    with world.worker(signers=[LocalSigner(rich)]) as worker:  # so that the batch is on chain
        while world.batch_state(batch.id) != "onchain":
            worker.step()
        with world.session() as session:
            session.execute(update(Lane).values(out_of_funds=False))
    with world.worker(signers=both, options=EngineOptions(max_in_flight=4)) as worker:
        for _ in range(60):
            worker.step()

    with world.session() as session:
        left = session.scalars(
            select(Transaction.sender).where(Transaction.state.in_(["built", "signed", "sent"]))
        ).all()
    unpaid = [state for state in world.payout_states(batch.id) if state != "paid"]
    assert set(left) <= {poor.address}
    # Only what had got a nonce there before the node said that the lane has no money.
    assert len(unpaid) == len(left) == 4


def test_a_batch_whose_chunks_are_refused_holds_up_no_other(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [1] * MANY, chunk_size=1, name="broken")
        session.flush()
        session.execute(update(Chunk).values(entries=bytes(28)))
    world.run()
    with world.session() as session:
        other = add_batch(session, world.deployed, [5, 6], chunk_size=1, name="sound")
    world.run()
    assert world.payout_states(other.id) == ["paid"] * 2


class Deaf(Rpc):
    """A node that never answers what one sender asks."""

    def __init__(self, world: World, sender: str) -> None:
        super().__init__(world.settings.rpc_url)
        self.sender = sender
        self.asked = 0

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        wanted = list(calls)
        if any(m == "eth_estimateGas" and p[0]["from"] == self.sender for m, p in wanted):
            self.asked += 1
            raise ChainUnavailable("no answer")
        return super().batch(wanted)


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_a_lane_whose_question_is_not_answered_holds_up_no_other(
    world: World, *, first: bool
) -> None:
    attestor = world.role_signer("attestor")
    relayer = LocalSigner(account("relayer"))
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
        args = {"amount": str(RESERVE + 1), "redemptionsIncluded": "0"}
        args |= {"asOf": world.deployed.now(), "documentHash": "0x" + "00" * 32}
        add_request(session, "attest_reserve", **args)
    node = Deaf(world, attestor.address)
    signers = [attestor, relayer] if first else [relayer, attestor]
    with world.worker(rpc=node, signers=signers) as worker:
        for _ in range(12):
            try:
                worker.step()
            except ChainUnavailable:
                continue
    assert node.asked > 1
    assert world.payout_states(batch.id) == ["paid"] * 2
