"""From a released batch to the posted ledger, on a real chain and both databases."""

from __future__ import annotations

from sqlalchemy import select

from service.confirmations.wallets import history
from service.payouts.models import Payout, Stream
from service.transactions.models import Transaction
from tests.support.rows import DAY_S, add_batch, add_request
from tests.support.world import World


def test_a_one_off_batch_is_paid_and_the_ledger_equals_the_chain(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1_000_000 + i for i in range(7)], chunk_size=3)

    world.run()

    assert world.batch_state(batch.id) == "done"
    assert world.payout_states(batch.id) == ["paid"] * 7
    for payee, amount in zip(batch.payees, batch.amounts, strict=True):
        assert world.balance_on_chain(payee) == amount
        assert world.balance_in_database(payee) == amount
    assert world.differences() == []
    with world.session() as session:
        rows = session.scalars(select(Transaction).order_by(Transaction.nonce)).all()
        assert [row.kind for row in rows] == ["approve_batch"] + ["execute_chunk"] * 3
        assert {row.state for row in rows} == {"final"}
        numbers = session.scalars(select(Payout.number).order_by(Payout.index)).all()
        assert numbers == list(range(numbers[0], numbers[0] + 7))
        (move,) = history(session, batch.payees[0])
        assert move.change_base_units == 1_000_000


def test_streams_open_and_pay_what_accrued(world: World) -> None:
    with world.session() as session:
        batch = add_batch(
            session, world.deployed, [90_000_000, 45_000_000, 7], kind="stream", chunk_size=2
        )
    world.run()
    world.deployed.advance(30 * DAY_S)
    with world.session() as session:
        for chunk in range(2):
            add_request(session, "withdraw_chunk", batchId=batch.id, chunkIndex=chunk)

    world.run()

    assert world.balance_on_chain(batch.payees[0]) == 30_000_000
    assert world.balance_on_chain(batch.payees[1]) == 15_000_000
    assert world.balance_on_chain(batch.payees[2]) == 2
    with world.session() as session:
        streams = session.scalars(select(Stream).order_by(Stream.index)).all()
        for stream in streams:
            _, total, _, withdrawn, _ = world.deployed.read(
                "vault", "stream", bytes.fromhex(batch.id[2:]), stream.index
            )
            assert stream.total_base_units == total
            assert stream.withdrawn_base_units == withdrawn
    assert world.differences() == []
