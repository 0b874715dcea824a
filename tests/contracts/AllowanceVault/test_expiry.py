"""Expiry: what can never be paid returns to the budget; nobody loses who can be paid, or frozen."""

import pytest
from clock import DAY, next_transaction_at, now
from deployment import RESERVE, SIMPLE
from outcomes import ZERO_ADDRESS, emitted, refused


@pytest.fixture
def expire(relief, vault):
    """Call one of the three functions as anyone."""

    def call(what, *arguments):
        return getattr(vault, f"expire{what}")(*arguments, {"from": relief.anyone})

    return call


# ---- what no chunk paid --------------------------------------------------------------------------


@pytest.fixture
def batch(relief):
    """A batch of 10, 20 and 30, the first of which was run."""
    batch = relief.batch(list(zip(relief.payees(3), (10, 20, 30), strict=True)), chunk_size=1)
    relief.approve(batch)
    relief.execute(batch, 0)
    return batch


def test_what_no_chunk_paid_in_time_returns_to_the_budget(relief, vault, token, batch, expire):
    before, seq = batch.approval["executeBefore"], vault.seq()
    next_transaction_at(before - 1)
    with refused("NotExpired", batch.id, before):
        expire("Unexecuted", batch.id)
    next_transaction_at(before)
    transaction = expire("Unexecuted", batch.id)
    assert emitted(transaction, "UnexecutedExpired") == [
        {"batchId": batch.id, "returned": 50, "seq": seq + 1}
    ]
    assert (token.committed(), vault.programme(SIMPLE)[1]) == (0, 10)
    with refused("NothingToExpire", batch.id):
        expire("Unexecuted", batch.id)
    with refused("ExecutionClosed", before):
        relief.execute(batch, 1)


def test_a_cancelled_batch_has_nothing_to_expire(relief, batch, expire):
    relief.cancel_batch(batch)
    next_transaction_at(batch.approval["executeBefore"])
    with refused("NothingToExpire", batch.id):
        expire("Unexecuted", batch.id)


def test_an_unknown_batch_is_refused(relief, batch, expire):
    unsigned = relief.batch(batch.entries)
    for call in (("Unexecuted",), ("Payout", 0), ("Streams", 0)):
        with refused("UnknownBatch", unsigned.id):
            expire(call[0], unsigned.id, *call[1:])


# ---- skipped payouts -----------------------------------------------------------------------------


@pytest.fixture
def skipped(relief, vault, token):
    """A run batch: 1 to the zero address, 2 to the token, 4 to the vault, 8 to a frozen wallet."""
    frozen = relief.payees(1, 77)[0]
    relief.freeze(frozen)
    return relief.pay([(ZERO_ADDRESS, 1), (token.address, 2), (vault.address, 4), (frozen, 8)])


def test_what_can_never_be_paid_returns_to_the_budget(vault, token, skipped, expire):
    expires = skipped.approval["expiresAt"]
    next_transaction_at(expires - 1)
    with refused("NotExpired", skipped.id, expires):
        expire("Payout", skipped.id, 0)
    next_transaction_at(expires)
    seq = vault.seq()
    payees = (ZERO_ADDRESS, token.address, vault.address)
    for index, payee in enumerate(payees):
        assert emitted(expire("Payout", skipped.id, index), "PayoutExpired") == [
            {
                "batchId": skipped.id,
                "index": index,
                "payee": payee,
                "amount": 1 << index,
                "reason": index + 1,
                "seq": seq + 1 + index,
            }
        ]
        with refused("NotSkipped", skipped.id, index):
            expire("Payout", skipped.id, index)
    assert (token.committed(), vault.programme(SIMPLE)[1], token.totalSupply()) == (8, 8, 0)


def test_a_freeze_destroys_nothing_however_long_it_lasts(relief, vault, token, skipped, expire):
    frozen = relief.payees(1, 77)[0]
    next_transaction_at(skipped.approval["expiresAt"] + 1_000 * DAY)
    with refused("Unpayable", frozen, 4):
        expire("Payout", skipped.id, 3)
    relief.unfreeze(frozen)
    with refused("StillPayable", skipped.id, 3):
        expire("Payout", skipped.id, 3)
    vault.retryPayout(skipped.id, 3, {"from": relief.anyone})
    assert token.balanceOf(frozen) == 8


def test_nothing_expires_while_payments_are_paused(relief, vault, skipped, expire):
    next_transaction_at(skipped.approval["expiresAt"])
    vault.pause(2, {"from": relief.guardian})
    with refused("OperationPaused", 2):
        expire("Payout", skipped.id, 0)


def test_what_a_reviewer_holds_does_not_expire_meanwhile(relief, skipped, expire):
    next_transaction_at(skipped.approval["expiresAt"])
    relief.hold_entry(skipped, 0)
    with refused("EntryIsHeld", skipped.id, 0, now() + 3 * DAY):
        expire("Payout", skipped.id, 0)
    next_transaction_at(now() + 3 * DAY)
    expire("Payout", skipped.id, 0)


# ---- streams -------------------------------------------------------------------------------------


@pytest.fixture
def streams(relief, vault, token):
    """Streams of 90 to a payee, the zero address, the vault (cut half-way) and a frozen wallet."""
    payee, frozen = relief.payees(2)
    batch = relief.open_streams(
        [(payee, 90), (ZERO_ADDRESS, 90), (vault.address, 90), (frozen, 90), (token.address, 90)]
    )
    relief.freeze(frozen)
    next_transaction_at(batch.approval["start"] + 45 * DAY)
    relief.cancel_streams(batch, [2])
    return batch


def test_expired_streams_are_told_each_at_its_place(relief, token, expire):
    places = (0, 2, 255, 256, 258, 299)
    payees = relief.payees(300)
    batch = relief.open_streams(
        [(ZERO_ADDRESS if index in places else payee, 90) for index, payee in enumerate(payees)]
    )
    next_transaction_at(batch.approval["expiresAt"])
    (event,) = emitted(expire("Streams", batch.id, 0), "StreamsExpired")
    mask = event["maskHigh"] << 256 | event["maskLow"]
    assert [index for index in range(512) if mask >> index & 1] == list(places)
    assert (event["returned"], token.committed()) == (90 * 6, 90 * 294)


def test_streams_that_can_never_be_paid_return_to_the_budget(relief, vault, token, streams, expire):
    anyone = {"from": relief.anyone}
    expires = streams.approval["expiresAt"]
    vault.withdrawChunk(streams.id, 0, anyone)
    next_transaction_at(expires - 1)
    with refused("NotExpired", streams.id, expires):
        expire("Streams", streams.id, 0)
    next_transaction_at(expires)
    seq = vault.seq()
    assert emitted(expire("Streams", streams.id, 0), "StreamsExpired") == [
        {
            "batchId": streams.id,
            "chunkIndex": 0,
            "maskLow": 0b10110,
            "maskHigh": 0,
            "returned": 90 + 45 + 90,
            "seq": seq + 1,
        }
    ]
    assert vault.stream(streams.id, 1)[2:] == (0, 0, 1)
    assert vault.stream(streams.id, 2)[2:] == (0, 0, 1)
    with refused("NothingToExpire", streams.id):
        expire("Streams", streams.id, 0)
    vault.withdrawChunk(streams.id, 0, anyone)
    frozen = relief.payees(2)[1]
    relief.unfreeze(frozen)
    next_transaction_at(expires + 1_000 * DAY)
    vault.withdraw(streams.id, 3, anyone)
    assert (token.balanceOf(frozen), token.totalSupply(), token.committed()) == (90, 180, 0)
    assert vault.programme(SIMPLE)[1] == 180


def test_no_stream_expires_while_withdrawals_are_paused_or_it_is_held(
    relief, vault, streams, expire
):
    next_transaction_at(streams.approval["expiresAt"])
    relief.hold_entry(streams, 1)
    vault.pause(4, {"from": relief.guardian})
    with refused("OperationPaused", 4):
        expire("Streams", streams.id, 0)
    relief.unpause(4)
    transaction = expire("Streams", streams.id, 0)
    assert emitted(transaction, "StreamsExpired")[0]["maskLow"] == 0b10100


def test_a_chunk_that_is_not_open_is_refused(relief, streams, expire):
    relief.attest(RESERVE)
    paid = relief.pay([(relief.payees(1)[0], 1)])
    next_transaction_at(streams.approval["expiresAt"])
    with refused("StreamsNotOpen", streams.id, 1):
        expire("Streams", streams.id, 1)
    with refused("StreamsNotOpen", paid.id, 0):
        expire("Streams", paid.id, 0)
