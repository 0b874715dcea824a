"""The worker dies at each point of the engine; the next one pays everything exactly once."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from service.chain.rpc import Rpc
from service.errors import ChainUnavailable
from service.transactions.models import Transaction, TransactionAttempt
from tests.support.rows import add_batch
from tests.support.world import Killed, World, killer, leave_as_killed

POINTS = [
    "ingested",
    "planned",
    "signed:before-commit",
    "signed:after-commit",
    "send:before",
    "send:after",
    "sent:before-commit",
    "sent:after-commit",
    "receipts:before-commit",
    "receipts:after-commit",
    "finalised",
    "posted",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_leaves_every_payout_paid_once(world: World, point: str) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1_000_000, 2_000_000, 3_000_000], chunk_size=2)

    # The first time is the approval, later ones are the chunks.
    for times in (1, 2, 3):
        worker = world.worker(hook=killer(point, times))
        try:
            worker.run_until_idle(20)
        except Killed:
            pass
        finally:
            leave_as_killed(world, worker)
    world.run()

    assert world.payout_states(batch.id) == ["paid"] * 3
    for payee, amount in zip(batch.payees, batch.amounts, strict=True):
        assert world.balance_on_chain(payee) == amount
    assert world.differences() == []
    with world.session() as session:
        assert session.scalars(select(Transaction.state).distinct()).all() == ["final"]
        attempts = session.scalars(select(func.count()).select_from(TransactionAttempt)).one()
        assert attempts == 3


class LosesReplies(Rpc):
    """The node takes what is sent, and the answer never arrives."""

    lost = 0

    def batch(self, calls):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        calls = list(calls)
        answers = super().batch(calls)
        if calls and calls[0][0] == "eth_sendRawTransaction" and self.lost < 3:
            self.lost += 1
            raise ChainUnavailable("the reply was lost")
        return answers


def test_lost_replies_make_the_same_bytes_go_out_again(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1_000_000] * 3, chunk_size=1)
    with world.worker(rpc=LosesReplies(world.settings.rpc_url)) as worker:
        for _ in range(4):
            try:
                worker.run_until_idle(20)
            except ChainUnavailable:
                continue

    assert world.payout_states(batch.id) == ["paid"] * 3
    assert world.differences() == []
    with world.session() as session:
        nonces = session.scalars(select(Transaction.nonce).order_by(Transaction.nonce)).all()
        assert nonces == list(range(nonces[0], nonces[0] + 4))
