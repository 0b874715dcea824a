"""Holds, other wallets and expiry, as they happen, become final, or are taken back by a re-org."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.audit.replay import Options, replay
from service.audit.rpc import Node
from service.payouts.models import Batch, Payout, Stream
from tests.confirmations.test_reorgs import Reorg
from tests.support.deployed import account
from tests.support.rows import DAY_S, SignedBatch, add_batch
from tests.support.world import World, run_as_stranger

Make = Callable[[int], World]
ACTION = [("actionId", "bytes32"), ("deadline", "uint40")]
DEPTH = 30


def sent(world: World, function: str, *args: Any) -> None:
    """Send what anybody may."""
    stranger = account("stranger")
    world.deployed.fund(stranger.address)
    world.deployed.send(stranger, "vault", function, *args)


def signed(
    world: World, name: str, members: list[tuple[str, str]], message: dict[str, Any], *by: int
) -> tuple[Any, ...]:
    """What officers signed of an action, as the vault takes it."""
    action, deadline = bytes(31) + b"\x07", world.deployed.now() + 30 * DAY_S
    full = {**message, "actionId": action, "deadline": deadline}
    return (
        *message.values(),
        action,
        deadline,
        world.deployed.sign_action("vault", name, [*members, *ACTION], full, by),
    )


def approved(world: World, *amounts: int, **how: Any) -> SignedBatch:
    """A batch that is on chain and was not run; the worker leaves it alone."""
    with world.session() as session:
        batch = add_batch(session, world.deployed, list(amounts), **how)
        session.get_one(Batch, batch.id).paused = True
    run_as_stranger(world, batch, approve=True, chunks=[])
    return batch


def execute_from(world: World, batch: SignedBatch) -> int | None:
    with world.session() as session:
        return session.get_one(Batch, batch.id).execute_from_unix_s


def test_a_hold_delays_the_batch_until_a_reorg_takes_it_back(make_world: Make) -> None:
    world = make_world(DEPTH)
    batch = approved(world, 5)
    world.run()
    before = execute_from(world, batch)
    reorg = Reorg(world)
    message = {"batchId": bytes.fromhex(batch.id[2:])}
    sent(world, "holdBatch", *signed(world, "BatchHold", [("batchId", "bytes32")], message, 2))
    held_at = world.deployed.now()
    world.run()
    assert execute_from(world, batch) == held_at + 3 * DAY_S

    reorg.happen(2)
    world.run()
    assert execute_from(world, batch) == before


def test_what_no_chunk_paid_is_held_and_expires_when_that_is_final(make_world: Make) -> None:
    world = make_world(DEPTH)
    batch = approved(world, 5, 6)
    world.run()
    reorg = Reorg(world)
    world.deployed.advance(7 * DAY_S)
    sent(world, "expireUnexecuted", bytes.fromhex(batch.id[2:]))
    world.run()
    assert world.payout_states(batch.id) == ["held", "held"]

    reorg.happen(1)
    world.run()
    world.deployed.advance(7 * DAY_S)
    sent(world, "expireUnexecuted", bytes.fromhex(batch.id[2:]))
    world.deployed.mine(DEPTH)
    world.run()
    assert world.payout_states(batch.id) == ["expired", "expired"]
    assert world.differences() == []


@pytest.mark.parametrize("between", [0, DEPTH], ids=["at once", "one after the other"])
def test_what_is_cancelled_after_its_time_has_expired_for_us_and_for_the_audit(
    make_world: Make, between: int
) -> None:
    """Campaign, seed 11, run 1: it is cancelled for nothing, since its money had returned."""
    world = make_world(DEPTH)
    batch = approved(world, 5, 6)
    batch_id = bytes.fromhex(batch.id[2:])
    world.deployed.advance(7 * DAY_S)
    sent(world, "expireUnexecuted", batch_id)
    world.deployed.mine(between)
    world.run()
    message, members = {"batchId": batch_id}, [("batchId", "bytes32")]
    sent(world, "cancelBatch", *signed(world, "BatchCancellation", members, message, 2, 3))
    world.deployed.mine(DEPTH)
    world.run()
    assert world.batch_state(batch.id) == "cancelled"
    assert world.payout_states(batch.id) == ["expired", "expired"]
    options = Options(
        bytes.fromhex(world.deployed.vault[2:]), database=world.settings.resolved_database_url
    )
    with Node(world.deployed.rpc.url) as node:
        assert replay(node, options).findings == []


def test_a_payout_that_can_never_be_paid_stays_skipped_until_its_expiry_is_final(
    make_world: Make,
) -> None:
    world = make_world(DEPTH)
    batch = approved(world, 5, payees=["0x" + "00" * 20])
    run_as_stranger(world, batch, approve=False, chunks=[0])
    world.deployed.advance(97 * DAY_S)
    sent(world, "expirePayout", bytes.fromhex(batch.id[2:]), 0)
    world.run()
    assert world.payout_states(batch.id) == ["skipped"]
    world.deployed.mine(DEPTH)
    world.run()
    assert world.payout_states(batch.id) == ["expired"]
    assert world.differences() == []


def test_another_wallet_is_paid_until_a_reorg_takes_the_change_back(make_world: Make) -> None:
    world = make_world(DEPTH)
    batch = approved(world, 90_000_000, kind="stream")
    run_as_stranger(world, batch, approve=False, chunks=[0])
    world.run()
    reorg = Reorg(world)
    old, new = batch.payees[0], account("another wallet").address
    members = [("batchId", "bytes32"), ("index", "uint256"), ("from", "address"), ("to", "address")]
    message = {"batchId": bytes.fromhex(batch.id[2:]), "index": 0, "from": old, "to": new}
    sent(world, "changeWallet", *signed(world, "WalletChange", members, message, 2, 3))
    world.run()
    assert wallets(world, batch) == [new, new]

    reorg.happen(2)
    world.run()
    assert wallets(world, batch) == [old, old]


def wallets(world: World, batch: SignedBatch) -> list[str]:
    """The wallet of the payout's row and of its stream's."""
    with world.session() as session:
        key = (batch.id, 0)
        return [session.get_one(Payout, key).payee, session.get_one(Stream, key).payee]


def test_a_stream_that_can_never_be_paid_is_cut_where_it_was_paid(world: World) -> None:
    batch = approved(world, 90, payees=["0x" + "00" * 20], kind="stream")
    run_as_stranger(world, batch, approve=False, chunks=[0])
    world.deployed.advance(181 * DAY_S)
    sent(world, "expireStreams", bytes.fromhex(batch.id[2:]), 0)
    world.run()
    with world.session() as session:
        stream = session.get_one(Stream, (batch.id, 0))
        assert (stream.cancelled_cut_s, stream.returned_base_units) == (0, 90)
    assert world.differences() == []
