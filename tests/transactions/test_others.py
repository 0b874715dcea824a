"""Strangers, thieves, second workers: nobody makes us pay wrongly or twice."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from service.approvals.models import ApprovalSignature
from service.errors import Conflict
from service.payouts.chunk_tree import chunk_leaf, chunk_proofs
from service.payouts.entries import pack_entries
from service.payouts.models import Batch, Chunk, Payout
from service.transactions import lanes
from service.transactions.lanes import LeaseLost
from service.transactions.models import Lane, Transaction
from tests.support.deployed import account, pack, send
from tests.support.rows import SignedBatch, add_batch, wallet
from tests.support.world import World


def run_as_stranger(world: World, batch: SignedBatch, *, approve: bool, chunks: list[int]) -> None:
    """Somebody with a node of their own sends what officers signed."""
    deployed = world.deployed
    stranger = account("stranger")
    deployed.fund(stranger.address)
    if approve:
        signatures = pack(
            {n: (deployed.officers[n].address, s) for n, s in batch.signatures.items()}
        )
        deployed.send(
            stranger, "vault", "approveBatch", deployed.approval_tuple(batch.approval), signatures
        )
    size = batch.approval["chunkSize"]
    words = list(zip(batch.payees, batch.amounts, strict=True))
    pieces = [pack_entries(words[at : at + size]) for at in range(0, len(words), size)]
    batch_id = batch.approval["batchId"]
    proofs = chunk_proofs([chunk_leaf(batch_id, i, piece) for i, piece in enumerate(pieces)])
    for index in chunks:
        deployed.send(
            stranger, "vault", "executeChunk", batch_id, index, pieces[index], proofs[index]
        )


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


def test_a_stolen_relayer_key_pays_nobody_who_was_not_approved(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    world.run()
    thief = account("relayer")
    deployed = world.deployed
    supply = deployed.read("token", "totalSupply")
    entries = pack_entries([(thief.address, 10**6)])
    batch_id = batch.approval["batchId"]
    proof = chunk_proofs([chunk_leaf(batch_id, 0, entries)])[0]
    forged = {**batch.approval, "batchId": bytes(31) + b"\x01"}
    attempts = [
        ("vault", "executeChunk", (batch_id, 0, entries, proof)),
        ("vault", "approveBatch", (deployed.approval_tuple(forged), b"")),
        ("token", "mintBatch", (pack_entries([(wallet(7), 10**6)]), 10**9)),
        ("token", "commit", (10**6,)),
        ("vault", "createProgramme", (9, 0, 0, 10**9, 10**9, [(10**9, 1, 0)], bytes(32))),
        ("token", "attestReserve", (2**79, 0, deployed.now(), bytes(32))),
    ]

    for contract, function, args in attempts:
        data = deployed.contracts.encode_call(contract, function, *args)
        receipt = send(deployed.rpc, thief, deployed.contracts.address(contract), data)
        assert receipt["status"] == "0x0", function

    assert deployed.read("token", "totalSupply") == supply
    assert world.balance_on_chain(thief.address) == 0


@pytest.mark.parametrize("edit", ["total", "chunk", "signature"])
def test_a_row_edited_behind_the_officers_backs_is_refused_and_nothing_is_paid(
    world: World, edit: str
) -> None:
    thief = wallet(999)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])
        if edit == "total":
            session.execute(update(Batch).values(total_base_units=12))
        elif edit == "signature":
            session.execute(
                update(ApprovalSignature)
                .where(ApprovalSignature.officer_id == 2)
                .values(officer_id=3)
            )
        else:
            entries = pack_entries([(thief, 5), (batch.payees[1], 6)])
            session.execute(update(Chunk).values(entries=entries))
            session.execute(update(Payout).where(Payout.index == 0).values(payee=thief))

    world.run()

    with world.session() as session:
        row = session.get_one(Batch, batch.id)
        assert row.state == ("onchain" if edit == "chunk" else "released")
        error = {
            "total": "WrongSignature",
            "chunk": "ChunkNotApproved",
            "signature": "SignerNotOfficers",
        }[edit]
        assert row.last_error is not None
        assert error in row.last_error
        refused = session.scalars(select(Transaction).where(Transaction.state == "built")).one()
        assert refused.nonce is None
    assert set(world.payout_states(batch.id)) == {"queued"}
    assert world.balance_on_chain(thief) == 0
    assert world.balance_on_chain(batch.payees[1]) == 0


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
