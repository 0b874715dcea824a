"""Stuck, replaced, out of gas money, nonces used by others: the lane always comes right again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, update

from service.chain.devnode import DevNode
from service.chain.fees import Fees, outbid, suggest
from service.chain.rpc import Rpc
from service.errors import LimitExceeded
from service.transactions.context import EngineOptions
from service.transactions.models import Lane, Transaction, TransactionAttempt
from tests.support.deployed import account, send
from tests.support.rows import add_batch
from tests.support.world import Killed, World, killer, leave_as_killed

CAP = 10**12


def test_a_nonce_used_by_a_foreign_transaction_is_given_up_and_the_payout_is_made_anew(
    world: World,
) -> None:
    relayer = account("relayer")
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    used: list[str] = []

    def hook(point: str) -> None:
        if point == "signed:after-commit" and not used:
            used.append(point)
            send(world.deployed.rpc, relayer, relayer.address, b"")

    world.run(hook=hook)

    assert world.payout_states(batch.id) == ["paid"]
    assert world.balance_on_chain(batch.payees[0]) == 5
    with world.session() as session:
        rows = session.scalars(select(Transaction).order_by(Transaction.id)).all()
        assert [(row.kind, row.state) for row in rows] == [
            ("approve_batch", "closed"),
            ("approve_batch", "final"),
            ("execute_chunk", "final"),
        ]
        assert rows[0].error is not None
        assert "not ours" in rows[0].error


def test_a_lane_behind_the_chain_catches_up_with_its_nonce(world: World) -> None:
    relayer = account("relayer")
    for _ in range(3):
        send(world.deployed.rpc, relayer, relayer.address, b"")
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    world.run()
    assert world.payout_states(batch.id) == ["paid"]


def test_a_nonce_without_a_row_is_filled_so_that_the_later_ones_are_mined(world: World) -> None:
    relayer = account("relayer")
    used = int(world.deployed.rpc.call("eth_getTransactionCount", relayer.address, "latest"), 16)
    with world.session() as session:
        session.add(Lane(chain_id=31337, sender=relayer.address, next_nonce=used + 2))
        batch = add_batch(session, world.deployed, [5])

    world.run()

    assert world.payout_states(batch.id) == ["paid"]
    with world.session() as session:
        rows = session.execute(
            select(Transaction.nonce, Transaction.kind).order_by(Transaction.nonce)
        ).all()
        assert [tuple(row) for row in rows] == [
            (used, "fill"),
            (used + 1, "fill"),
            (used + 2, "approve_batch"),
            (used + 3, "execute_chunk"),
        ]


def test_a_sent_transaction_that_nobody_remembers_is_sent_again(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    world.deployed.node.rpc("evm_setAutomine", False)
    options = EngineOptions(resend_after_s=0.0)
    try:
        with world.worker(options=options) as worker:
            worker.step()
            worker.step()
            world.deployed.node.rpc("anvil_dropAllTransactions")
            worker.step()
            worker.step()
            world.deployed.node.rpc("evm_setAutomine", True)
            world.deployed.mine()
            worker.run_until_idle(20)
    finally:
        world.deployed.node.rpc("evm_setAutomine", True)

    assert world.payout_states(batch.id) == ["paid"]
    with world.session() as session:
        assert {a.n for a in session.scalars(select(TransactionAttempt))} == {0}


# ---- a chain with a base fee ---------------------------------------------------------------------


def test_a_stuck_transaction_is_replaced_at_a_higher_fee_under_its_nonce(costly: World) -> None:
    world, node = costly, costly.deployed.node
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    options = EngineOptions(replace_after_s=0.0, max_fee_per_gas_cap_wei=CAP)
    node.rpc("evm_setAutomine", False)
    try:
        with world.worker(options=options) as worker:
            for _ in range(3):
                worker.step()
            node.rpc("evm_setAutomine", True)
            node.rpc("evm_mine")
            worker.run_until_idle(20)
    finally:
        node.rpc("evm_setAutomine", True)

    assert world.payout_states(batch.id) == ["paid"]
    with world.session() as session:
        first = session.scalars(select(Transaction).order_by(Transaction.id).limit(1)).one()
        attempts = session.scalars(
            select(TransactionAttempt)
            .where(TransactionAttempt.transaction_id == first.id)
            .order_by(TransactionAttempt.n)
        ).all()
        assert len(attempts) > 1
        for earlier, later in pairwise(attempts):
            assert later.max_fee_per_gas * 1000 >= earlier.max_fee_per_gas * 1125
            assert later.priority_fee_per_gas * 1000 >= earlier.priority_fee_per_gas * 1125
            assert later.max_fee_per_gas <= CAP


@pytest.mark.parametrize("point", ["replaced:before-commit", "replaced:after-commit"])
def test_a_crash_while_replacing_leaves_every_payout_paid_once(costly: World, point: str) -> None:
    world, node = costly, costly.deployed.node
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    options = EngineOptions(replace_after_s=0.0, max_fee_per_gas_cap_wei=CAP)
    node.rpc("evm_setAutomine", False)
    worker = world.worker(options=options, hook=killer(point, 1))
    try:
        with pytest.raises(Killed):
            worker.run_until_idle(20)
    finally:
        leave_as_killed(world, worker)
        node.rpc("evm_setAutomine", True)
    node.rpc("evm_mine")

    world.run(options=options)

    assert world.payout_states(batch.id) == ["paid"] * 2
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6]


def test_a_lane_out_of_gas_money_keeps_its_row_signed_and_goes_on_when_funded(
    costly: World,
) -> None:
    world, relayer = costly, account("relayer").address
    world.deployed.node.rpc("anvil_setBalance", relayer, "0x1")
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    options = EngineOptions(max_fee_per_gas_cap_wei=CAP)
    with world.worker(options=options) as worker:
        for _ in range(3):
            worker.step()
    with world.session() as session:
        row = session.scalars(select(Transaction)).one()
        lane = session.get_one(Lane, (31337, relayer))
        assert (row.state, lane.out_of_funds) == ("signed", True)
        session.execute(update(Transaction).values(retry_at_unix_ms=0))

    world.deployed.fund(relayer)
    world.run(options=options)

    assert world.payout_states(batch.id) == ["paid"]
    with world.session() as session:
        assert session.scalars(select(TransactionAttempt.n)).all() == [0, 0]


def test_a_worker_waits_while_gas_costs_more_than_the_cap(costly: World) -> None:
    world, node = costly, costly.deployed.node
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    options = EngineOptions(replace_after_s=0.0, max_fee_per_gas_cap_wei=CAP)
    node.rpc("evm_setAutomine", False)
    try:
        with world.worker(options=options) as worker:
            worker.step()
            worker.step()
            set_base_fee(world, 2 * CAP)
            worker.step()
            assert world.payout_states(batch.id) == ["queued"]
            set_base_fee(world, 10**9)
            node.rpc("evm_setAutomine", True)
            node.rpc("evm_mine")
            worker.run_until_idle(20)
    finally:
        node.rpc("evm_setAutomine", True)

    assert world.payout_states(batch.id) == ["paid"]


def test_a_nonce_without_a_row_waits_to_be_filled_while_gas_costs_more_than_the_cap(
    costly: World,
) -> None:
    world, relayer = costly, account("relayer").address
    used = int(world.deployed.rpc.call("eth_getTransactionCount", relayer, "latest"), 16)
    with world.session() as session:
        session.add(Lane(chain_id=31337, sender=relayer, next_nonce=used + 1))
        batch = add_batch(session, world.deployed, [5])
    with world.worker(options=EngineOptions(max_fee_per_gas_cap_wei=1)) as worker:
        worker.step()
        assert relayer not in worker._engine.senders

    world.run(options=EngineOptions(max_fee_per_gas_cap_wei=CAP))

    assert world.payout_states(batch.id) == ["paid"]


def test_a_replacement_that_came_too_late_for_the_base_fee_is_replaced_again(
    costly: World,
) -> None:
    world = costly
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    dearer = {"signed:after-commit": 10 * 10**9, "replaced:after-commit": 100 * 10**9}

    def hook(point: str) -> None:
        if point in dearer:
            set_base_fee(world, dearer.pop(point))

    with world.worker(options=EngineOptions(max_fee_per_gas_cap_wei=CAP), hook=hook) as worker:
        for _ in range(3):
            worker.step()
            with world.session() as session:
                session.execute(update(Transaction).values(retry_at_unix_ms=0))
        worker.run_until_idle(20)

    assert dearer == {}
    assert world.payout_states(batch.id) == ["paid"]
    with world.session() as session:
        first = session.scalars(select(Transaction).order_by(Transaction.id).limit(1)).one()
        attempts = select(TransactionAttempt.n).where(TransactionAttempt.transaction_id == first.id)
        assert sorted(session.scalars(attempts)) == [0, 1, 2]


def set_base_fee(world: World, wei: int) -> None:
    """Give the next block this base fee, and mine it empty so that offers see it."""
    world.deployed.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))
    world.deployed.mine()


# ---- offers --------------------------------------------------------------------------------------


def test_nothing_is_offered_where_gas_is_free(chain: DevNode) -> None:
    with Rpc(chain.rpc_url) as rpc:
        assert suggest(rpc, cap_wei=CAP) == Fees(0, 0)


class Answers(Rpc):
    """A node with fixed answers."""

    def __init__(self, **answers: Any) -> None:
        super().__init__("http://127.0.0.1:1")
        self.answers = answers

    def call(self, method: str, *params: Any) -> Any:
        return self.answers[method]


def test_a_chain_before_london_is_paid_a_gas_price() -> None:
    with Answers(eth_getBlockByNumber={"number": "0x1"}, eth_gasPrice="0x64") as rpc:
        fees = suggest(rpc, cap_wei=CAP)
    assert fees == Fees(100, 100, legacy=True)
    assert fees.transaction_fields() == {"gasPrice": 100}


def test_an_offer_covers_a_doubled_base_fee_and_stops_at_the_cap() -> None:
    header = {"number": "0x1", "baseFeePerGas": hex(100)}
    with Answers(eth_getBlockByNumber=header, eth_maxPriorityFeePerGas="0x5") as rpc:
        assert suggest(rpc, cap_wei=CAP) == Fees(205, 5)
        assert suggest(rpc, cap_wei=150) == Fees(150, 5)
        with pytest.raises(LimitExceeded, match="base fee"):
            suggest(rpc, cap_wei=99)


def test_a_replacement_outbids_both_fees_by_an_eighth() -> None:
    assert outbid(Fees(1000, 10), Fees(900, 5), cap_wei=CAP) == Fees(1125, 12)
    assert outbid(Fees(1000, 10), Fees(5000, 50), cap_wei=CAP) == Fees(5000, 50)


def test_a_replacement_never_passes_the_cap() -> None:
    assert outbid(Fees(1000, 10), Fees(900, 5), cap_wei=1124) is None
    assert outbid(Fees(0, 0), Fees(0, 0), cap_wei=CAP) is None
