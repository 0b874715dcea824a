"""The dearest that a chunk of 500 can be made stays under the gas of one transaction (EIP-7825).

Each is sent with 2^24 gas, which the node enforces, so that what is refunded in the end helps none.
"""

import pytest
from brownie._config import CONFIG
from clock import DAY, HOUR, next_transaction_at
from eth_utils import keccak, to_checksum_address
from outcomes import ZERO_ADDRESS
from sending import TX_GAS_LIMIT, gas_of, send

AMOUNT = 9_999_990_000_000
"""Each stream's in base units: six bytes of it are not zero, which makes it dear."""
TOTAL = 500 * AMOUNT


@pytest.fixture
def entries():
    """A payment to each of 500 wallets that hold nothing, with as few zero bytes as real ones."""
    return [(to_checksum_address(keccak(text=f"payee {i}")[12:]), AMOUNT) for i in range(500)]


@pytest.fixture
def freezing(relief):
    """Freeze or unfreeze payees, 50 in a transaction: the node's traces of longer ones take seconds."""

    def send_all(function, entries):
        manager = relief.manager
        calls = [
            manager.execute.encode_input(relief.token, function.encode_input(wallet))
            for wallet, _ in entries
        ]
        for first in range(0, len(calls), 50):
            gas_of(send(manager.multicall, calls[first : first + 50], sender=relief.freezer))

    return send_all


@pytest.fixture
def execute(relief, vault):
    """Approve a batch and run its only chunk."""

    def run(batch):
        relief.approve(batch)
        sent = (batch.id, 0, batch.chunks[0], batch.proof(0))
        return gas_of(send(vault.executeChunk, *sent, sender=relief.anyone))

    return run


@pytest.fixture
def streams(relief, execute, entries):
    """500 open streams."""
    batch = relief.stream_batch(entries)
    execute(batch)
    return batch


@pytest.fixture
def withdraw(relief, vault):
    """A range withdrawal so many seconds after the streams' start."""

    def send_at(batch, seconds):
        next_transaction_at(batch.approval["start"] + seconds)
        return gas_of(send(vault.withdrawChunk, batch.id, 0, sender=relief.anyone))

    return send_at


@pytest.fixture
def cut(relief, vault):
    """Cut the first streams of a chunk, so many seconds after their start."""

    def send_at(batch, count, seconds):
        mask = 2**count - 1
        message = {
            "batchId": batch.id,
            "chunkIndex": 0,
            "maskLow": mask & (2**256 - 1),
            "maskHigh": mask >> 256,
        }
        signed = relief.signed_action(vault, "StreamCancellation", message, (2, 3))
        next_transaction_at(batch.approval["start"] + seconds)
        return gas_of(send(vault.cancelStreams, *message.values(), *signed, sender=relief.anyone))

    return send_at


@pytest.fixture
def hold_all(relief, vault):
    """Hold each stream of a chunk, which leaves each an override when it is over."""

    def send_all(batch):
        for index in range(500):
            message = {"batchId": batch.id, "index": index}
            signed = relief.signed_action(vault, "EntryHold", message, (2,))
            gas_of(send(vault.holdEntry, batch.id, index, *signed, sender=relief.anyone))

    return send_all


def test_the_node_refuses_a_transaction_of_more_gas(relief):
    if CONFIG.active_network["cmd_settings"]["evm_version"] != "osaka":
        pytest.skip("the cap came with Osaka")
    with pytest.raises(AssertionError, match="gas"):
        send(relief.vault.applyBudgetIncrease, 1, sender=relief.anyone, gas=TX_GAS_LIMIT + 1)


# ---- one-off -------------------------------------------------------------------------------------


def test_500_fresh_payees_are_paid(relief, token, execute, entries):
    assert execute(relief.batch(entries)) < TX_GAS_LIMIT
    assert token.totalSupply() == TOTAL


def test_500_frozen_payees_are_skipped(relief, token, execute, freezing, entries):
    freezing(token.freeze, entries)
    batch = relief.batch(entries)
    assert execute(batch) < TX_GAS_LIMIT
    assert (token.totalSupply(), token.committed()) == (0, TOTAL)
    assert relief.vault.skippedPayout(batch.id, 499) == entries[499]


# ---- streams -------------------------------------------------------------------------------------


def test_500_streams_are_opened(relief, vault, execute, entries):
    batch = relief.stream_batch(entries)
    assert execute(batch) < TX_GAS_LIMIT
    assert vault.stream(batch.id, 499)[:2] == entries[499]


def test_500_fresh_payees_are_paid_what_they_accrued(token, streams, withdraw):
    assert withdraw(streams, DAY) < TX_GAS_LIMIT
    assert token.totalSupply() == 500 * (AMOUNT // 90)


def test_500_frozen_payees_are_passed_by_and_paid_afterwards(
    vault, token, streams, freezing, withdraw
):
    freezing(token.freeze, streams.entries)
    for days in (1, 2):
        assert withdraw(streams, days * DAY) < TX_GAS_LIMIT
    assert (token.totalSupply(), vault.streamChunk(streams.id, 0)[1:]) == (0, (2 * DAY, 1))
    freezing(token.unfreeze, streams.entries)
    # Each stands alone with a mark of its own, and holds nothing yet.
    assert withdraw(streams, 3 * DAY) < TX_GAS_LIMIT
    assert token.totalSupply() == 500 * (AMOUNT * 3 // 90)


@pytest.mark.parametrize("count", [256, 500])
def test_streams_are_cut(token, streams, cut, count):
    assert cut(streams, count, 2 * DAY + HOUR) < TX_GAS_LIMIT
    kept = AMOUNT * (2 * DAY + HOUR) // (90 * DAY)
    assert token.committed() == TOTAL - count * (AMOUNT - kept)


@pytest.fixture
def exceptions(streams, hold_all, cut):
    """500 streams that were held, and cut between two steps: with an override and a lane each."""
    hold_all(streams)
    cut(streams, 500, 4 * DAY + HOUR)
    return streams


def test_500_fresh_payees_whose_streams_are_all_exceptions_are_paid(
    vault, token, exceptions, withdraw
):
    # Own lanes, cut lanes and overrides are all read, and the own lanes written anew.
    assert vault.streamChunk(exceptions.id, 0)[2] == 2 | 4
    assert withdraw(exceptions, 5 * DAY) < TX_GAS_LIMIT
    assert token.totalSupply() == 500 * (AMOUNT * (4 * DAY + HOUR) // (90 * DAY))
    assert token.committed() == 0


# ---- expiry --------------------------------------------------------------------------------------


@pytest.mark.parametrize("unpayable", [500, 1])
def test_streams_that_can_never_be_paid_expire(relief, execute, entries, unpayable):
    # The other ones' wallets are looked at too.
    batch = relief.stream_batch([(ZERO_ADDRESS, AMOUNT)] * unpayable + entries[unpayable:])
    execute(batch)
    next_transaction_at(batch.approval["expiresAt"])
    receipt = send(relief.vault.expireStreams, batch.id, 0, sender=relief.anyone)
    assert gas_of(receipt) < TX_GAS_LIMIT
    assert relief.token.committed() == (500 - unpayable) * AMOUNT
