"""What else happens in the field: deadlines, strangers before us, old nodes, old networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select, update

from service.chain.devcontracts import mined
from service.chain.devnode import start_anvil
from service.chain.fees import suggest
from service.chain.rpc import Rpc
from service.chain.signers import LocalSigner
from service.payouts.models import Batch, ChainRequest
from service.transactions.models import Transaction
from tests.support.deployed import account
from tests.support.rows import DAY_S, add_batch, add_request
from tests.support.world import World, run_as_stranger

Make = Callable[[int], World]


@pytest.mark.parametrize("resumed", [True, False], ids=["run in time", "not run"])
def test_a_batch_near_its_deadline_is_run_in_time_or_expires_whole(
    world: World,
    resumed: bool,  # noqa: FBT001
) -> None:
    """That it is near is told by the alert ReliefDeadlineNear."""
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])
        session.get_one(Batch, batch.id).paused = True
    run_as_stranger(world, batch, approve=True, chunks=[])
    world.deployed.advance(batch.approval["executeBefore"] - world.deployed.now() - 60)
    world.run()
    if resumed:
        with world.session() as session:
            session.get_one(Batch, batch.id).paused = False
    else:
        world.deployed.advance(61)
    world.run()
    world.run()

    assert world.payout_states(batch.id) == ["paid" if resumed else "expired"] * 2
    assert world.differences() == []


def test_a_stranger_who_approves_after_we_signed_ours_changes_nothing(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    done: list[str] = []

    def hook(point: str) -> None:
        if point == "send:before" and not done:
            done.append(point)
            run_as_stranger(world, batch, approve=True, chunks=[0])

    world.run(hook=hook)

    assert done
    assert world.payout_states(batch.id) == ["paid"] * 2
    assert [world.balance_on_chain(payee) for payee in batch.payees] == [5, 6]
    with world.session() as session:
        states = select(Transaction.state).where(Transaction.kind == "approve_batch")
        assert session.scalars(states).all() == ["superseded"]
    assert world.differences() == []


@pytest.mark.parametrize("whole", [True, False], ids=["chunk", "one"])
def test_a_stranger_who_pushes_our_withdrawals_first_pays_them_once(
    world: World,
    whole: bool,  # noqa: FBT001
) -> None:
    stranger = account("stranger")
    world.deployed.fund(stranger.address)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [90_000_000, 45_000_000], kind="stream")
    world.run()
    world.deployed.advance(10 * DAY_S)
    batch_id = batch.approval["batchId"]
    with world.session() as session:
        if whole:
            add_request(session, "withdraw_chunk", batchId=batch.id, chunkIndex=0)
        else:
            add_request(session, "withdraw_stream", batchId=batch.id, index=0)
    done: list[str] = []

    def hook(point: str) -> None:
        if point == "send:before" and not done:
            done.append(point)
            function = "withdrawChunk" if whole else "withdraw"
            world.deployed.send(stranger, "vault", function, batch_id, 0)

    world.run(hook=hook)
    world.run()

    assert done
    accrued = [10_000_000, 5_000_000 if whole else 0]
    assert [world.balance_on_chain(payee) for payee in batch.payees] == accrued
    assert world.differences() == []


def test_a_holder_who_cancels_the_authorization_first_keeps_the_money_and_we_are_told(
    world: World,
) -> None:
    holder, shop = account("holder"), account("shop").address
    with world.session() as session:
        add_batch(session, world.deployed, [5_000_000], payees=[holder.address])
    world.run()
    world.deployed.fund(holder.address)
    nonce = keccak(text="a basket of rice")
    message = {
        "from": holder.address,
        "to": shop,
        "value": 2_000_000,
        "validAfter": 0,
        "validBefore": world.deployed.now() + DAY_S,
        "nonce": nonce,
    }
    kinds = ("address", "address", "uint256", "uint256", "uint256", "bytes32")
    members = list(zip(message, kinds, strict=True))
    signed = world.deployed.sign(holder, "token", "TransferWithAuthorization", members, message)
    cancel = {"authorizer": holder.address, "nonce": nonce}
    cancelled = world.deployed.sign(
        holder,
        "token",
        "CancelAuthorization",
        [("authorizer", "address"), ("nonce", "bytes32")],
        cancel,
    )
    with world.session() as session:
        request = add_request(
            session,
            "transfer_with_authorization",
            **{**message, "nonce": "0x" + nonce.hex(), "value": str(message["value"])},
            v=signed[64],
            r="0x" + signed[:32].hex(),
            s="0x" + signed[32:64].hex(),
        ).id
    world.deployed.send(
        holder,
        "token",
        "cancelAuthorization",
        holder.address,
        nonce,
        cancelled[64],
        cancelled[:32],
        cancelled[32:64],
    )
    world.run()
    with world.session() as session:  # it is told at the next try: the events come first
        session.execute(update(Transaction).values(retry_at_unix_ms=0))
    world.run()

    assert world.balance_on_chain(holder.address) == 5_000_000
    assert world.balance_on_chain(shop) == 0
    with world.session() as session:
        row = session.get_one(ChainRequest, request)
        assert row.state != "done"
        assert row.last_error
    assert world.differences() == []


class Behind(Rpc):
    """A node whose count of our transactions is old, now and then."""

    by = 0

    def call(self, method: str, *params: Any) -> Any:
        answer = super().call(method, *params)
        return self._old(answer) if method == "eth_getTransactionCount" else answer

    def batch(self, calls: Any) -> list[Any]:
        asked: Sequence[tuple[str, Sequence[Any]]] = list(calls)
        return [
            self._old(answer) if method == "eth_getTransactionCount" else answer
            for (method, _), answer in zip(asked, super().batch(asked), strict=True)
        ]

    def _old(self, answer: str) -> str:
        return hex(max(0, int(answer, 16) - self.by))


def test_a_node_with_an_old_count_of_our_transactions_gives_no_nonce_twice(world: World) -> None:
    batches = []
    for name in ("one", "two", "three"):
        with world.session() as session:
            batches.append(add_batch(session, world.deployed, [5, 6], chunk_size=1, name=name))
        rpc = Behind(world.settings.rpc_url)
        rpc.by = 3
        with world.worker(rpc=rpc) as worker:
            for _ in range(6):
                worker.step()
        world.run()

    for batch in batches:
        assert world.payout_states(batch.id) == ["paid"] * 2
    assert [world.balance_on_chain(payee) for payee in batches[0].payees] == [15, 18]
    with world.session() as session:
        rows = session.execute(
            select(Transaction.sender, Transaction.nonce).where(Transaction.nonce.is_not(None))
        ).all()
        assert len({tuple(row) for row in rows}) == len(rows)
    assert world.differences() == []


@pytest.mark.chain
def test_a_network_from_before_london_takes_what_we_sign() -> None:
    # The contracts need a newer one to run: here it is the envelope and the price that count.
    with start_anvil(hardfork="berlin") as node, Rpc(node.rpc_url) as rpc:
        node.rpc("anvil_setBalance", account("relayer").address, hex(10**20))
        fees = suggest(rpc, cap_wei=10**12)
        assert fees.legacy
        signer = LocalSigner(account("relayer"))
        raw = signer.sign_transaction(
            {
                "chainId": node.chain_id,
                "nonce": 0,
                "to": signer.address,
                "value": 0,
                "data": b"",
                "gas": 21_000,
                **fees.transaction_fields(),
            }
        )
        receipt = mined(rpc.call, rpc.call("eth_sendRawTransaction", "0x" + raw.hex()))
        assert (receipt["status"], receipt["type"]) == ("0x1", "0x0")
