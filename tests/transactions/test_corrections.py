"""Holds, expiry and relayed payments by the engine: crashes, strangers, re-orgs, refusals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from service.approvals.actions import packed_action
from service.approvals.models import QuorumAction
from service.confirmations.expiry import Due, ask_for_all_due, ask_to_expire
from service.confirmations.models import Event
from service.db import transaction
from service.payouts.models import Batch, ChainRequest, RequestKind
from service.transactions.models import Transaction
from tests.confirmations.test_reorgs import Reorg
from tests.support.deployed import account
from tests.support.rows import DAY_S, SignedBatch, add_action, add_batch, add_request
from tests.support.world import Killed, World, killer, leave_as_killed, run_as_stranger

ZERO = "0x" + "00" * 20
HOLDER, SHOP = account("holder"), account("shop").address


def waiting_batch(world: World, *amounts: int, **how: Any) -> SignedBatch:
    """A batch on chain none of whose chunks was run; our worker leaves it alone."""
    with world.session() as session:
        batch = add_batch(session, world.deployed, list(amounts), **how)
        session.get_one(Batch, batch.id).paused = True
    run_as_stranger(world, batch, approve=True, chunks=[])
    world.run()
    return batch


def add_hold(world: World, batch: SignedBatch) -> str:
    """A hold that officer 3 signed; returns its id."""
    with world.session() as session:
        return add_action(
            session,
            world.deployed,
            kind="batch_hold",
            key="vault",
            primary_type="BatchHold",
            members=[("batchId", "bytes32")],
            message={"batchId": bytes.fromhex(batch.id[2:])},
            officers=(3,),
        ).id


def events_named(world: World, name: str) -> int:
    with world.session() as session:
        return len(session.scalars(select(Event).where(Event.name == name)).all())


@pytest.mark.parametrize(
    "point",
    [
        "planned",
        "signed:before-commit",
        "signed:after-commit",
        "send:after",
        "sent:before-commit",
        "receipts:before-commit",
        "finalised",
    ],
)
def test_a_crash_at_any_point_leaves_one_hold_and_one_expiry(world: World, point: str) -> None:
    batch = waiting_batch(world, 5)
    action = add_hold(world, batch)

    def crash() -> None:
        worker = world.worker(hook=killer(point, 1))
        try:
            worker.run_until_idle(20)
        except Killed:
            pass
        finally:
            leave_as_killed(world, worker)
        world.run()

    crash()
    with world.session() as session:
        assert session.get_one(QuorumAction, action).state == "done"
    world.deployed.advance(8 * DAY_S)
    crash()

    assert events_named(world, "BatchHeld") == events_named(world, "UnexecutedExpired") == 1
    assert world.payout_states(batch.id) == ["expired"]
    assert world.deployed.read("token", "committed") == 0
    with world.session() as session:
        (asked,) = session.scalars(select(ChainRequest)).all()
        assert (asked.kind, asked.actor, asked.state) == ("expire_batch", "worker", "done")
    assert world.differences() == []


def test_a_hold_that_a_stranger_sent_first_is_done(world: World) -> None:
    batch = waiting_batch(world, 5)
    action = add_hold(world, batch)
    stranger = account("stranger")
    sent = []

    def hook(point: str) -> None:
        if point == "planned" and not sent:
            sent.append(point)
            with world.session() as session:
                row = session.get_one(QuorumAction, action)
                now = datetime.fromtimestamp(world.deployed.now(), UTC)
                signatures = packed_action(session, action, now)
                deadline = row.deadline_unix_s
            ids = (bytes.fromhex(batch.id[2:]), bytes.fromhex(action[2:]))
            world.deployed.send(stranger, "vault", "holdBatch", *ids, deadline, signatures)

    world.run(hook=hook)

    assert sent
    with world.session() as session:
        row = session.get_one(QuorumAction, action)
        assert (row.state, row.last_error) == ("done", None)
        states = session.scalars(
            select(Transaction.state).where(Transaction.kind == "quorum_action")
        ).all()
        assert set(states) <= {"closed", "superseded"}


def test_another_hold_under_the_same_action_id_is_not_taken_for_ours(world: World) -> None:
    batch = waiting_batch(world, 5)
    action = add_hold(world, batch)
    with world.session() as session:
        session.get_one(QuorumAction, action).state = "expired"
    deployed, stranger = world.deployed, account("stranger")
    message = {
        "batchId": bytes.fromhex(batch.id[2:]),
        "actionId": bytes.fromhex(action[2:]),
        "deadline": deployed.now() + 2 * DAY_S,
    }
    members = [("batchId", "bytes32"), ("actionId", "bytes32"), ("deadline", "uint40")]
    signatures = deployed.sign_action("vault", "BatchHold", members, message, (2,))
    deployed.send(stranger, "vault", "holdBatch", *message.values(), signatures)

    world.run()

    assert events_named(world, "BatchHeld") == 1
    with world.session() as session:
        assert session.get_one(QuorumAction, action).state == "expired"


def test_what_the_worker_was_refused_is_left_to_people(world: World) -> None:
    deployed = world.deployed
    batch = waiting_batch(world, 5, payees=[ZERO])
    run_as_stranger(world, batch, approve=False, chunks=[0])
    deployed.send(deployed.roles["guardian"], "vault", "pause", 2)
    deployed.advance(97 * DAY_S)
    world.run()
    world.run()

    with world.session() as session:
        (asked,) = session.scalars(select(ChainRequest)).all()
        assert (asked.kind, asked.state) == ("expire_payout", "failed")
        assert "OperationPaused" in (asked.last_error or "")
    assert world.payout_states(batch.id) == ["skipped"]


def test_an_expiry_that_a_node_behind_thinks_too_early_is_tried_again(world: World) -> None:
    """Seed 7, run 955: one look at an earlier block, and the money never returned by itself."""
    batch = waiting_batch(world, 5)
    with world.session() as session:
        due = Due(RequestKind.EXPIRE_BATCH, batch.id, None, 5, world.deployed.now() + 7 * DAY_S)
        ask_to_expire(session, due, actor="worker", reason="its time is over")
    world.run()
    with world.session() as session:
        (asked,) = session.scalars(select(ChainRequest)).all()
        assert asked.state == "planned"
        assert "NotExpired" in (asked.last_error or "")

    world.deployed.advance(8 * DAY_S)
    with world.session() as session:
        session.execute(update(Transaction).values(retry_at_unix_ms=0))
    world.run()
    assert world.payout_states(batch.id) == ["expired"]
    with world.session() as session:
        assert session.scalars(select(ChainRequest.state)).all() == ["done"]
    assert world.differences() == []


def test_streams_and_payouts_that_can_never_be_paid_return_by_themselves(world: World) -> None:
    deployed = world.deployed
    one_off = waiting_batch(world, 5, 6, payees=[ZERO, deployed.vault])
    streams = waiting_batch(
        world, 90, 91, payees=[HOLDER.address, deployed.token], kind="stream", name="streams"
    )
    for batch in (one_off, streams):
        run_as_stranger(world, batch, approve=False, chunks=[0])
    world.run()
    assert world.payout_states(one_off.id) == ["skipped", "skipped"]
    deployed.advance(181 * DAY_S)
    world.run()

    assert world.payout_states(one_off.id) == ["expired", "expired"]
    assert deployed.read("token", "committed") == 90, "what the holder's stream still pays"
    assert world.differences() == []


def test_an_expiry_that_two_ask_for_at_the_same_moment_is_asked_for_once(world: World) -> None:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("on SQLite one writes at a time")
    waiting_batch(world, 5)
    world.deployed.advance(8 * DAY_S)
    other = transaction(world.sessions)
    waits = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))

    def let_it_wait() -> None:
        """End the other transaction once the worker's insert waits for it."""
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            with world.session() as session:
                if session.scalars(waits).one():
                    break
        other.__exit__(None, None, None)

    first = threading.Thread(target=let_it_wait)
    asked: list[str] = []

    def hook(point: str) -> None:
        if point == "ingested" and not asked:
            asked.append(point)
            ask_for_all_due(other.__enter__(), world.deployed.now(), ())
            first.start()

    world.run(hook=hook)
    first.join()

    assert asked
    with world.session() as session:
        (request,) = session.scalars(select(ChainRequest)).all()
        assert (request.kind, request.state) == ("expire_batch", "done")


# ---- payments ------------------------------------------------------------------------------------


def relay(world: World, message: dict[str, Any], signature: bytes) -> None:
    stranger = account("stranger")
    world.deployed.fund(stranger.address)
    world.deployed.send(
        stranger,
        "token",
        "transferWithAuthorization",
        *message.values(),
        signature[64],
        signature[:32],
        signature[32:64],
    )


def test_a_payment_that_a_stranger_relayed_is_made_again_when_a_reorg_takes_it_back(
    make_world: Callable[[int], World],
) -> None:
    world = make_world(8)
    with world.session() as session:
        add_batch(session, world.deployed, [500], payees=[HOLDER.address])
    world.run()
    members = [
        *(("from", "address"), ("to", "address"), ("value", "uint256")),
        *(("validAfter", "uint256"), ("validBefore", "uint256"), ("nonce", "bytes32")),
    ]
    message: dict[str, Any] = {
        "from": HOLDER.address,
        "to": SHOP,
        "value": 200,
        "validAfter": 0,
        "validBefore": 2**40,
        "nonce": b"\x06" * 32,
    }
    signature = world.deployed.sign(HOLDER, "token", "TransferWithAuthorization", members, message)
    with world.session() as session:
        asked = add_request(
            session,
            "transfer_with_authorization",
            **message | {"value": "200", "nonce": "0x" + "06" * 32},
            v=signature[64],
            r="0x" + signature[:32].hex(),
            s="0x" + signature[32:64].hex(),
        )
        asked.dedupe_key = f"transfer:{HOLDER.address}:0x{'06' * 32}"
        number = asked.id
    reorg = Reorg(world)
    relay(world, message, signature)
    world.run()
    assert state_of(world, number) == "done"
    assert world.balance_on_chain(SHOP) == 200

    reorg.happen(2)
    world.run()
    assert world.balance_on_chain(SHOP) == 200, "by our own transaction now"
    assert state_of(world, number) == "planned"
    world.deployed.mine(8)
    world.run()
    assert state_of(world, number) == "done"
    assert world.balance_in_database(SHOP) == 200


def state_of(world: World, number: int) -> str:
    with world.session() as session:
        return session.get_one(ChainRequest, number).state
