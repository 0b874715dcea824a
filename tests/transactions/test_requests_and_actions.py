"""What people ask for, and what quorums sign, becomes calls; refusals are told to who asked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from service.approvals.models import Officer, OfficerSigner, QuorumAction
from service.confirmations.models import Event
from service.confirmations.roles import role_holders
from service.payouts.models import Batch, ChainRequest, Payout, Programme, Stream
from service.payouts.service import request_retry, resume
from service.transactions import lanes
from service.transactions.models import Transaction
from service.transactions.planner import Head, Planner
from tests.support.deployed import account
from tests.support.rows import (
    DAY_S,
    add_action,
    add_batch,
    add_batch_cancellation,
    add_request,
    wallet,
)
from tests.support.world import World, run_as_stranger


def request_of(world: World, number: int) -> ChainRequest:
    with world.session() as session:
        return session.get_one(ChainRequest, number)


def test_a_programme_and_a_reserve_are_made_by_the_holders_of_the_roles(world: World) -> None:
    world.deployed.advance(60)
    with world.session() as session:
        made = add_request(
            session,
            "create_programme",
            id=7,
            regionCode=51,
            regionDigits=2,
            budget="1000000",
            payoutCap="5000",
            tiers_=[{"upTo": "1000000", "reviewers": 1, "challengeDelay": 0}],
            metadataHash="0x" + "11" * 32,
        )
        attested = add_request(
            session,
            "attest_reserve",
            amount="123456",
            redemptionsIncluded="0",
            asOf=world.deployed.now(),
            documentHash="0x" + "22" * 32,
        )
        numbers = (made.id, attested.id)

    world.run()

    assert [request_of(world, number).state for number in numbers] == ["done", "done"]
    assert world.deployed.read("vault", "programme", 7)["budget"] == 1_000_000
    assert world.deployed.read("token", "reserve") == 123_456
    with world.session() as session:
        assert session.get_one(Programme, 7).state == "onchain"
    assert world.differences() == []


def test_a_refused_request_fails_with_the_contracts_reason_and_uses_no_nonce(
    world: World,
) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5])
    world.run()
    relayer = account("relayer").address
    used = int(world.deployed.rpc.call("eth_getTransactionCount", relayer, "latest"), 16)
    with world.session() as session:
        asked = add_request(session, "retry_payout", batchId=batch.id, index=0).id

    world.run()

    request = request_of(world, asked)
    assert request.state == "failed"
    assert request.last_error is not None
    assert "NotSkipped" in request.last_error
    after = int(world.deployed.rpc.call("eth_getTransactionCount", relayer, "latest"), 16)
    assert after == used


def test_a_request_whose_role_has_no_key_here_waits_and_says_so(world: World) -> None:
    with world.session() as session:
        asked = add_request(session, "decrease_budget", id=1, budget="1").id

    world.run(signers=world.signers[:1])

    request = request_of(world, asked)
    assert request.state == "requested"
    assert request.last_error == "this worker has no key of a programme manager"


def test_a_frozen_payee_is_skipped_and_paid_by_a_retry(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7])
    world.deployed.freeze(batch.payees[1])
    world.run()
    assert world.payout_states(batch.id) == ["paid", "skipped", "paid"]
    with world.session() as session:
        assert session.get_one(Payout, (batch.id, 1)).skip_reason == "frozen"
    assert world.differences() == []

    world.deployed.unfreeze(batch.payees[1])
    with world.session() as session:
        add_request(session, "retry_payout", batchId=batch.id, index=1)
    world.run()

    assert world.payout_states(batch.id) == ["paid"] * 3
    assert world.balance_on_chain(batch.payees[1]) == 6
    assert world.differences() == []


def test_a_wallet_redeems_by_its_signature_alone(world: World) -> None:
    holder = account("holder")
    with world.session() as session:
        add_batch(session, world.deployed, [500], payees=[holder.address])
    world.run()
    members = [
        ("from", "address"),
        ("value", "uint256"),
        ("paymentReference", "bytes32"),
        ("validAfter", "uint256"),
        ("validBefore", "uint256"),
        ("nonce", "bytes32"),
    ]
    message: dict[str, Any] = {
        "from": holder.address,
        "value": 200,
        "paymentReference": b"\x05" * 32,
        "validAfter": 0,
        "validBefore": 2**40,
        "nonce": b"\x06" * 32,
    }
    signature = world.deployed.sign(holder, "token", "RedeemWithAuthorization", members, message)
    with world.session() as session:
        add_request(
            session,
            "redeem_with_authorization",
            **{
                **message,
                "value": "200",
                "paymentReference": "0x" + "05" * 32,
                "nonce": "0x" + "06" * 32,
                "v": signature[64],
                "r": "0x" + signature[:32].hex(),
                "s": "0x" + signature[32:64].hex(),
            },
        )

    world.run()

    assert world.balance_on_chain(holder.address) == 300
    assert world.balance_in_database(holder.address) == 300
    assert world.differences() == []


def test_a_quorum_cancels_streams_and_what_accrued_stays_theirs(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [90_000_000] * 3, kind="stream")
    world.run()
    world.deployed.advance(10 * DAY_S)
    with world.session() as session:
        action = add_action(
            session,
            world.deployed,
            kind="stream_cancellation",
            key="vault",
            primary_type="StreamCancellation",
            members=[
                ("batchId", "bytes32"),
                ("chunkIndex", "uint256"),
                ("maskLow", "uint256"),
                ("maskHigh", "uint256"),
            ],
            message={
                "batchId": bytes.fromhex(batch.id[2:]),
                "chunkIndex": 0,
                "maskLow": 0b010,
                "maskHigh": 0,
            },
        ).id
    world.run()
    world.deployed.advance(100 * DAY_S)
    with world.session() as session:
        assert session.get_one(QuorumAction, action).state == "done"
        add_request(session, "withdraw_chunk", batchId=batch.id, chunkIndex=0)

    world.run()

    with world.session() as session:
        streams = session.scalars(select(Stream).order_by(Stream.index)).all()
    assert [stream.withdrawn_base_units for stream in streams] == [
        world.balance_on_chain(payee) for payee in batch.payees
    ]
    assert streams[0].withdrawn_base_units == 90_000_000
    assert 10_000_000 <= streams[1].withdrawn_base_units < 10_001_000
    assert (
        streams[1].withdrawn_base_units + streams[1].returned_base_units
        == streams[1].total_base_units
    )
    assert world.differences() == []


def test_streams_skipped_while_frozen_and_withdrawn_alone_stay_equal_to_the_chain(
    world: World,
) -> None:
    with world.session() as session:
        batch = add_batch(
            session, world.deployed, [90_000_001, 7_000_003, 90_000_000, 11], kind="stream"
        )
    world.run()

    def withdraw(kind: str, **more: Any) -> None:
        with world.session() as session:
            add_request(session, kind, batchId=batch.id, **more)
        world.run()
        with world.session() as session:
            for stream in session.scalars(select(Stream)).all():
                _, _, _, withdrawn, _ = world.deployed.read(
                    "vault", "stream", bytes.fromhex(batch.id[2:]), stream.index
                )
                assert stream.withdrawn_base_units == withdrawn, stream.index
                assert withdrawn == world.balance_on_chain(stream.payee), stream.index

    world.deployed.advance(7 * DAY_S)
    withdraw("withdraw_stream", index=1)
    world.deployed.freeze(batch.payees[0])
    world.deployed.advance(7 * DAY_S)
    withdraw("withdraw_chunk", chunkIndex=0)
    world.deployed.advance(7 * DAY_S)
    world.deployed.unfreeze(batch.payees[0])
    withdraw("withdraw_stream", index=0)
    world.deployed.advance(80 * DAY_S)
    withdraw("withdraw_chunk", chunkIndex=0)
    assert world.balance_on_chain(batch.payees[0]) == 90_000_001
    assert world.differences() == []


def test_a_quorum_cancels_a_batch_and_the_rest_returns_to_the_budget(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    paused = []

    def hook(point: str) -> None:
        # Paused once it is on chain, before its chunks are planned.
        if point == "ingested" and not paused and world.batch_state(batch.id) == "onchain":
            paused.append(point)
            with world.session() as session:
                session.get_one(Batch, batch.id).paused = True

    world.run(hook=hook)
    assert world.payout_states(batch.id) == ["queued", "queued"]
    with world.session() as session:
        add_batch_cancellation(session, world.deployed, batch.id)

    world.run()

    assert world.batch_state(batch.id) == "cancelled"
    assert world.payout_states(batch.id) == ["cancelled", "cancelled"]
    assert world.deployed.read("token", "committed") == 0
    assert world.differences() == []


def test_one_reviewer_holds_a_batch_and_its_chunks_wait(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])
        session.get_one(Batch, batch.id).paused = True
    run_as_stranger(world, batch, approve=True, chunks=[])
    world.run()
    with world.session() as session:
        action = add_action(
            session,
            world.deployed,
            kind="batch_hold",
            key="vault",
            primary_type="BatchHold",
            members=[("batchId", "bytes32")],
            message={"batchId": bytes.fromhex(batch.id[2:])},
            officers=(3,),
        ).id
    world.run()
    with world.session() as session:
        assert session.get_one(QuorumAction, action).state == "done"
        row = session.get_one(Batch, batch.id)
        held_until = row.execute_from_unix_s
        resume(session, batch.id, actor="chen", reason="seen")
    assert held_until is not None
    assert 2 * DAY_S < held_until - world.deployed.now() <= 3 * DAY_S

    world.run()
    assert world.payout_states(batch.id) == ["queued"] * 2
    world.deployed.advance(3 * DAY_S)
    world.run()

    assert world.payout_states(batch.id) == ["paid"] * 2
    assert world.differences() == []


def test_governors_add_and_remove_an_officer(world: World) -> None:
    new = account("new officer").address
    with world.session() as session:
        add_action(
            session,
            world.deployed,
            kind="officer_addition",
            key="registry",
            primary_type="OfficerAddition",
            members=[
                ("officerId", "uint32"),
                ("roles", "uint16"),
                ("regionCode", "uint24"),
                ("regionDigits", "uint8"),
                ("signerType", "uint8"),
                ("signer", "bytes"),
            ],
            message={
                "officerId": 9,
                "roles": 2,
                "regionCode": 51,
                "regionDigits": 2,
                "signerType": 1,
                "signer": bytes.fromhex(new[2:]),
            },
            role=8,
        )
    world.run()
    with world.session() as session:
        officer = session.get_one(Officer, 9)
        assert (officer.roles, officer.region_code, officer.removed) == (2, 51, False)
        assert session.get_one(OfficerSigner, (1, new.lower())).officer_id == 9
        add_action(
            session,
            world.deployed,
            kind="officer_removal",
            key="registry",
            primary_type="OfficerRemoval",
            members=[("officerId", "uint32")],
            message={"officerId": 9},
            role=8,
        )

    world.run()

    with world.session() as session:
        assert session.get_one(Officer, 9).removed


def test_an_action_that_too_few_signed_stays_ready_with_the_reason(world: World) -> None:
    with world.session() as session:
        action = add_action(
            session,
            world.deployed,
            kind="minter_addition",
            key="token",
            primary_type="MinterAddition",
            members=[("minter", "address"), ("cap", "uint80")],
            message={"minter": wallet(3), "cap": 10},
            role=8,
            officers=(2,),
        ).id
    world.run()
    with world.session() as session:
        row = session.get_one(QuorumAction, action)
        assert row.state == "ready"
        assert row.last_error == "NotEnoughOfficers(required=2, given=1)"


def test_a_role_granted_by_the_chain_is_held_and_one_revoked_is_not(world: World) -> None:
    world.run()
    new, old = account("new attestor").address, world.deployed.roles["attestor"].address
    with world.session() as session:
        assert role_holders(session)["attestor"] == {old}
        granted = {"roleId": 3, "account": new, "delay": 0, "since": 0, "newMember": True}
        revoked = {"roleId": "3", "account": old}
        for number, (name, args) in enumerate([("RoleGranted", granted), ("RoleRevoked", revoked)]):
            session.add(
                Event(
                    block_number=10**6,
                    block_hash="0x00",
                    tx_hash="0x00",
                    log_index=number,
                    contract="manager",
                    name=name,
                    args=args,
                )
            )
        session.flush()
        assert role_holders(session)["attestor"] == {new}
        lanes.ensure_lane(session, 31337, new)
        asked = {"redemptionsIncluded": "0", "asOf": 1, "documentHash": "0x" + "22" * 32}
        add_request(session, "attest_reserve", amount="5", **asked)
        planner = Planner(world.deployed.contracts, [new, old])
        head = Head(10**6, world.deployed.now())

        planner.plan(session, head, [new, old], holders=role_holders(session))

        rows = session.scalars(select(Transaction).where(Transaction.kind == "request")).all()
        assert [row.sender for row in rows] == [new]


def test_a_payout_that_a_stranger_retries_first_leaves_no_failed_request(world: World) -> None:
    payee, stranger = account("frozen for now").address, account("stranger")
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5], payees=[payee])
    world.deployed.freeze(payee)
    world.run()
    world.deployed.unfreeze(payee)
    world.deployed.fund(stranger.address)
    with world.session() as session:
        number = request_retry(session, batch.id, 0, actor="chen").id
    left = [1]

    def hook(point: str) -> None:
        if point == "planned" and left.pop() if left else False:
            world.deployed.send(stranger, "vault", "retryPayout", batch.approval["batchId"], 0)

    world.run(hook=hook)

    assert left == []
    assert world.payout_states(batch.id) == ["paid"]
    request = request_of(world, number)
    assert (request.state, request.last_error) == ("done", None)
    assert world.balance_on_chain(payee) == 5
