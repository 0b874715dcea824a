"""A re-org below finality is taken back and comes right; one past it stops everything."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from service.approvals.models import KeyVerifier
from service.confirmations.models import Block, ChainAlarm, Event
from service.confirmations.wallets import history
from service.errors import IntegrityError
from service.payouts.models import Batch, Payout, Stream
from service.payouts.service import pause
from service.transactions.models import Transaction
from tests.support.rows import DAY_S, add_batch, add_batch_cancellation, add_request
from tests.support.world import World, run_as_stranger

Make = Callable[[int], World]


def count(world: World, model: type) -> int:
    with world.session() as session:
        return session.scalars(select(func.count()).select_from(model)).one()


class Reorg:
    """Brings the chain back to a moment and lets other blocks follow."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.snapshot = world.deployed.node.rpc("evm_snapshot")

    def happen(self, blocks: int) -> None:
        node = self.world.deployed.node
        node.rpc("evm_revert", self.snapshot)
        node.rpc("evm_increaseTime", 7)  # other timestamps, so other hashes
        self.world.deployed.mine(blocks)


@pytest.mark.parametrize("blocks", [0, 1, 6], ids=["shorter", "one block", "longer"])
@pytest.mark.parametrize("signing", [1, 2], ids=["approval and chunks", "chunks"])
def test_payments_that_a_reorg_took_back_are_made_again(
    make_world: Make, signing: int, blocks: int
) -> None:
    world = make_world(8)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7], chunk_size=1)
    reorgs: list[Reorg] = []

    def hook(point: str) -> None:
        if point == "signed:after-commit":
            reorgs.append(Reorg(world))

    with world.worker(hook=hook) as worker:
        assert worker.run_until_idle(30).unsettled == 4
    assert world.payout_states(batch.id) == ["included"] * 3

    reorgs[signing - 1].happen(blocks)
    world.run()

    assert world.payout_states(batch.id) == ["included"] * 3
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6, 7]
    world.deployed.mine(8)
    with world.worker() as worker:
        assert worker.run_until_idle(30).unsettled == 0
    assert world.payout_states(batch.id) == ["paid"] * 3
    with world.session() as session:
        assert [len(history(session, payee)) for payee in batch.payees] == [1, 1, 1]
    assert world.differences() == []
    with world.session() as session:
        assert session.scalars(select(Transaction.state)).all() == ["final"] * 4


def test_streams_are_recomputed_from_the_events_that_are_left(make_world: Make) -> None:
    world = make_world(10)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [90_000_000], kind="stream")
    world.run()
    world.deployed.advance(10 * DAY_S)
    with world.session() as session:
        add_request(session, "withdraw_stream", batchId=batch.id, index=0)
    reorg = Reorg(world)
    world.run()
    assert world.balance_on_chain(batch.payees[0]) == 10_000_000

    reorg.happen(1)
    with world.worker() as worker:
        report = worker.step()
        assert report.rewound == 1
        with world.session() as session:
            stream = session.scalars(select(Stream)).one()
            assert stream.withdrawn_base_units == 0
            assert stream.paid_through_s == 0
        worker.run_until_idle(20)

    with world.session() as session:
        stream = session.scalars(select(Stream)).one()
        _, _, _, withdrawn, _ = world.deployed.read(
            "vault", "stream", bytes.fromhex(batch.id[2:]), 0
        )
        assert stream.withdrawn_base_units == withdrawn == 10_000_000
    world.deployed.mine(10)
    world.run()
    assert world.differences() == []


def test_a_reorg_past_finality_raises_an_alarm_and_stops_the_worker(make_world: Make) -> None:
    world = make_world(0)
    with world.session() as session:
        add_batch(session, world.deployed, [5])
    reorg = Reorg(world)
    world.run()
    reorg.happen(2)

    with pytest.raises(IntegrityError, match="final"):
        world.run()
    with pytest.raises(IntegrityError, match="reorg_past_finality"):
        world.run()

    with world.session() as session:
        alarm = session.scalars(select(ChainAlarm)).one()
        assert alarm.kind == "reorg_past_finality"


def test_blocks_read_link_up_and_events_have_no_gap(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5, 6], chunk_size=1)
    world.run()

    with world.session() as session:
        blocks = session.scalars(select(Block).order_by(Block.number)).all()
        for before, after in pairwise(blocks):
            assert after.parent_hash == before.hash
        for contract in ("vault", "registry"):
            seqs = session.scalars(
                select(Event.seq)
                .where(Event.contract == contract, Event.seq.is_not(None))
                .order_by(Event.seq)
            ).all()
            assert seqs == list(range(1, len(seqs) + 1))
            assert world.deployed.read(contract, "seq") == len(seqs)


def test_a_nonce_used_by_a_failure_in_a_lost_block_is_used_again(make_world: Make) -> None:
    world = make_world(4)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    moments: list[Reorg] = []

    def hook(point: str) -> None:
        """A stranger's chunk makes ours fail; both are gone before their events are read."""
        if point == "send:before" and world.batch_state(batch.id) == "onchain" and not moments:
            moments.append(Reorg(world))
            run_as_stranger(world, batch, approve=False, chunks=[0])
        elif point == "receipts:after-commit" and len(moments) == 1 and failed(world):
            moments.append(moments[0])
            moments[0].happen(6)

    world.run(hook=hook)
    world.deployed.mine(4)
    world.run()

    assert len(moments) == 2
    assert world.payout_states(batch.id) == ["paid"] * 2
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6]
    assert world.differences() == []


def failed(world: World) -> bool:
    with world.session() as session:
        states = session.scalars(select(Transaction.state)).all()
    return "superseded" in states


def test_what_a_cancellation_leaves_unpaid_is_held_until_the_cancellation_is_final(
    make_world: Make,
) -> None:
    world = make_world(8)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    run_as_stranger(world, batch, approve=True, chunks=[])
    reorg = Reorg(world)
    with world.session() as session:
        session.get_one(Batch, batch.id).paused = True
        add_batch_cancellation(session, world.deployed, batch.id)
    world.run()
    assert world.batch_state(batch.id) == "cancelled"
    assert world.payout_states(batch.id) == ["held"] * 2

    reorg.happen(1)
    with world.session() as session:
        session.get_one(Batch, batch.id).paused = False
    with world.worker() as worker:
        assert worker.step().rewound > 0
    assert world.batch_state(batch.id) == "onchain"
    world.run()
    world.deployed.mine(8)
    world.run()

    assert world.payout_states(batch.id) == ["cancelled"] * 2
    assert world.differences() == []


def test_what_was_let_go_is_not_queued_again_when_a_cancellation_is_taken_back(
    make_world: Make,
) -> None:
    world = make_world(8)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    run_as_stranger(world, batch, approve=True, chunks=[])
    reorg = Reorg(world)
    with world.session() as session:
        add_batch_cancellation(session, world.deployed, batch.id)
        session.get_one(Batch, batch.id).paused = True
    world.run()
    with world.session() as session:
        session.get_one(Batch, batch.id).paused = False
        first = select(Payout).where(Payout.batch_id == batch.id, Payout.index == 0)
        session.scalars(first).one().own_state = "cancelled"  # and its case may be in another batch

    reorg.happen(1)
    with world.worker() as worker:
        worker._ingestor.step()

    assert world.batch_state(batch.id) == "onchain"
    assert world.payout_states(batch.id) == ["cancelled", "queued"]


@pytest.mark.parametrize("approved_before", [True, False])
def test_what_a_stranger_ran_of_a_paused_batch_is_held_again_after_a_reorg(
    make_world: Make,
    approved_before: bool,  # noqa: FBT001
) -> None:
    world = make_world(8)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
        pause(session, batch.id, actor="chen", reason="look again")
    if approved_before:
        run_as_stranger(world, batch, approve=True, chunks=[])
    reorg = Reorg(world)
    run_as_stranger(world, batch, approve=not approved_before, chunks=[0])
    world.run()
    assert world.payout_states(batch.id) == ["included", "held"]

    reorg.happen(2)
    world.run()

    assert world.payout_states(batch.id) == ["held", "held"]


def test_a_done_batch_whose_vain_cancellation_a_reorg_took_back_stays_done(
    make_world: Make,
) -> None:
    world = make_world(8)
    deployed = world.deployed
    with world.session() as session:
        batch = add_batch(session, deployed, [5])
    world.run()
    reorg = Reorg(world)
    batch_id, action, deadline = (
        bytes.fromhex(batch.id[2:]),
        bytes(31) + b"\x05",
        deployed.now() + DAY_S,
    )
    message = {"batchId": batch_id, "actionId": action, "deadline": deadline}
    kinds = list(zip(message, ("bytes32", "bytes32", "uint40"), strict=True))
    signed = deployed.sign_action("vault", "BatchCancellation", kinds, message, (2, 3))
    deployed.send(deployed.deployer, "vault", "cancelBatch", batch_id, action, deadline, signed)
    world.run()
    assert world.batch_state(batch.id) == "done"

    reorg.happen(2)
    world.run()

    assert world.batch_state(batch.id) == "done"


def test_a_batch_that_nobody_here_released_is_not_sent_again_after_a_reorg(
    make_world: Make,
) -> None:
    world = make_world(8)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], state="approved")
        session.get_one(Batch, batch.id).released_at = None
    reorg = Reorg(world)
    run_as_stranger(world, batch, approve=True, chunks=[])
    with world.worker() as worker:
        worker.step()
        assert world.batch_state(batch.id) == "onchain"
        reorg.happen(1)
        worker.run_until_idle(20)

    assert world.batch_state(batch.id) == "cancelled"
    assert world.payout_states(batch.id) == ["held"] * 2
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [0, 0]


def test_nothing_goes_on_chain_while_a_batch_there_is_unknown_here(make_world: Make) -> None:
    world = make_world(0)
    with world.sessions() as session:
        unknown = add_batch(session, world.deployed, [5], name="unknown")
        session.rollback()
    run_as_stranger(world, unknown, approve=True, chunks=[])
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5], payees=unknown.payees)

    world.run()

    assert world.batch_state(batch.id) == "released"
    assert world.balance_on_chain(batch.payees[0]) == 0


def test_a_verifier_that_a_reorg_brought_back_counts_again(make_world: Make) -> None:
    world = make_world(8)
    deployed = world.deployed
    verifier = deployed.deployment.p256_verifier
    world.run()
    members = [("verifier", "address"), ("actionId", "bytes32"), ("deadline", "uint40")]
    action, deadline = bytes(31) + b"\x01", deployed.now() + DAY_S
    message = {"verifier": verifier, "actionId": action, "deadline": deadline}
    signed = deployed.sign_action("registry", "VerifierRemoval", members, message, (2, 3))
    reorg = Reorg(world)
    deployed.send(
        deployed.deployer, "registry", "removeVerifier", verifier, action, deadline, signed
    )
    world.run()

    def removed() -> bool:
        with world.session() as session:
            return session.get_one(KeyVerifier, verifier.lower()).removed

    assert removed()
    reorg.happen(2)
    world.run()
    assert not removed()
