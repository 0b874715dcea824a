"""Mints that are not read one by one: ``ChunkPaid`` tells them, wherever nothing else was done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from service.chain.contracts import DecodedEvent
from service.chain.fees import Fees
from service.chain.rpc import Rpc
from service.chain.signers import LocalSigner
from service.confirmations.models import ChainAlarm, Transfer
from service.confirmations.own_chunks import OwnChunks
from service.confirmations.wallets import history
from service.payouts.models import Chunk
from tests.support.deployed import account
from tests.support.rows import SignedBatch, add_batch
from tests.support.world import World


class Asked(Rpc):
    """A node that remembers of which blocks it was asked for the token's logs."""

    def __init__(self, world: World) -> None:
        super().__init__(world.settings.rpc_url)
        self.token = world.deployed.token
        self.with_token: set[str] = set()
        self.without_token: set[str] = set()

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        wanted = list(calls)
        for method, params in wanted:
            if method == "eth_getLogs":
                asked = self.token in params[0]["address"]
                (self.with_token if asked else self.without_token).add(params[0]["blockHash"])
        return super().batch(wanted)


def blocks_of_chunks(world: World) -> set[str | None]:
    with world.session() as session:
        return set(session.scalars(select(Chunk.executed_block_hash)))


def transfer_rows(world: World) -> int:
    with world.session() as session:
        return len(session.scalars(select(Transfer)).all())


def assert_mints_are_the_chains(world: World, batch: SignedBatch) -> None:
    """What the database says of each wallet is what the token logged."""
    deployed = world.deployed
    logs = deployed.rpc.call(
        "eth_getLogs",
        {
            "fromBlock": hex(deployed.deployment.deployment_block),
            "address": deployed.token,
            "topics": [deployed.contracts.topic("token", "Transfer")],
        },
    )
    logged = {
        (
            int(e["blockNumber"], 16),
            int(e["logIndex"], 16),
            e["topics"][2][-40:],
            int(e["data"], 16),
        )
        for e in logs
    }
    with world.session() as session:
        told = {
            (move.block_number, move.log_index, payee.lower()[2:], move.change_base_units)
            for payee in batch.payees
            for move in history(session, payee)
        }
    assert told == logged


def test_of_a_block_with_nothing_but_our_chunks_the_mints_are_not_asked_for(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6, 7, 8, 9], chunk_size=2)
    world.deployed.freeze(batch.payees[1])
    world.deployed.freeze(batch.payees[4])
    node = Asked(world)

    world.run(rpc=node)

    assert blocks_of_chunks(world) <= node.without_token - node.with_token
    assert world.payout_states(batch.id) == ["paid", "skipped", "paid", "paid", "skipped"]
    assert transfer_rows(world) == 0
    assert_mints_are_the_chains(world, batch)
    assert world.differences() == []


def test_of_a_block_with_anything_else_everything_is_asked_for(world: World) -> None:
    deployed, stranger = world.deployed, account("stranger")
    deployed.fund(stranger.address)
    nonce = deployed.rpc.call("eth_getTransactionCount", stranger.address, "latest")
    greeting = LocalSigner(stranger).sign_transaction(
        {
            "chainId": deployed.deployment.chain_id,
            "nonce": int(nonce, 16),
            "to": stranger.address,
            "value": 0,
            "gas": 21_000,
            **Fees(0, 0).transaction_fields(),
        }
    )
    with world.session() as session:
        batch = add_batch(session, deployed, [5, 6])

    def hook(point: str) -> None:
        if point == "send:before" and world.batch_state(batch.id) == "onchain":
            deployed.rpc.call("evm_setAutomine", False)
        elif point == "send:after" and not deployed.rpc.call("anvil_getAutomine"):
            deployed.rpc.call("eth_sendRawTransaction", "0x" + greeting.hex())
            deployed.rpc.call("evm_mine")
            deployed.rpc.call("evm_setAutomine", True)

    node = Asked(world)
    world.run(rpc=node, hook=hook)

    assert world.payout_states(batch.id) == ["paid"] * 2
    (block,) = blocks_of_chunks(world)
    assert len(deployed.rpc.call("eth_getBlockByHash", block, False)["transactions"]) == 2
    assert block in node.with_token - node.without_token
    assert_mints_are_the_chains(world, batch)


def test_where_the_row_is_another_than_what_was_run_every_mint_is_read(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])

    def hook(point: str) -> None:
        if point == "send:before" and world.batch_state(batch.id) == "onchain":
            with world.session() as session:
                session.execute(update(Chunk).values(entries=bytes(56)))

    world.run(hook=hook)

    assert transfer_rows(world) == 2
    with world.session() as session:
        assert session.scalars(select(ChainAlarm.kind)).all() == ["chunk_mismatch"]
        assert session.scalars(select(Chunk.mints_log_index)).all() == [None]
    assert [world.balance_in_database(payee) for payee in batch.payees] == [5, 6]


@pytest.fixture
def paid(world: World) -> DecodedEvent:
    """``ChunkPaid`` of a chunk of three, all of them paid, whose row is here."""
    with world.session() as session:
        add_batch(session, world.deployed, [5, 6, 7])
    world.run()
    deployed = world.deployed
    logs = deployed.rpc.call("eth_getLogs", {"fromBlock": "0x0", "address": deployed.vault})
    events = (deployed.contracts.decode_log(log) for log in logs)
    (found,) = (event for event in events if event is not None and event.name == "ChunkPaid")
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"paid": 17},
        {"paid": 19},
        {"skippedLow": 1},
        {"skippedLow": 1 << 3},
        {"skippedHigh": 1},
        {"entries": bytes(84)},
        {"chunkIndex": 1},
        {"batchId": bytes(32)},
    ],
)
def test_an_event_that_does_not_fit_the_row_tells_nothing(
    world: World, paid: DecodedEvent, change: dict[str, Any]
) -> None:
    own = OwnChunks(world.sessions, world.deployed.contracts)
    assert own.first_mints([paid]) == {paid.tx_hash: paid.log_index - 3}
    assert own.first_mints([replace(paid, args=paid.args | change)]) == {}


@pytest.mark.parametrize("size", [0, 1, 56, 83, 112])
def test_a_row_of_another_length_tells_nothing(world: World, paid: DecodedEvent, size: int) -> None:
    with world.session() as session:
        session.execute(update(Chunk).values(entries=bytes(size)))
    own = OwnChunks(world.sessions, world.deployed.contracts)
    assert own.first_mints([paid]) == {}


def test_a_chunk_of_which_everybody_is_skipped_has_no_first_mint(
    world: World, paid: DecodedEvent
) -> None:
    own = OwnChunks(world.sessions, world.deployed.contracts)
    none = replace(paid, args=paid.args | {"paid": 0, "skippedLow": 0b111})
    assert own.first_mints([none]) == {paid.tx_hash: None}


def test_an_entry_of_nothing_leaves_no_log_so_its_chunk_is_read_in_full(
    world: World, paid: DecodedEvent
) -> None:
    entries = paid.args["entries"][:-8] + bytes(8)
    with world.session() as session:
        session.execute(update(Chunk).values(entries=entries))
    own = OwnChunks(world.sessions, world.deployed.contracts)
    assert own.first_mints([replace(paid, args=paid.args | {"entries": entries, "paid": 11})]) == {}
