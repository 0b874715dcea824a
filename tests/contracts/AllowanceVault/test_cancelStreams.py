"""cancelStreams: what accrued to the second stays the payee's, the rest returns to the budget."""

import pytest
from clock import DAY, HOUR, next_transaction_at, now
from deployment import SIMPLE
from outcomes import emitted, refused

TOTAL = 9_000
A_DAY = 100
COUNT = 10


@pytest.fixture
def batch(relief):
    """Ten open streams of 9,000 over 90 days, in steps of a day."""
    return relief.open_streams([(payee, TOTAL) for payee in relief.payees(COUNT)])


@pytest.fixture
def after(batch):
    """Let the next transaction run so many seconds after the streams' start."""

    def set_clock(seconds):
        next_transaction_at(batch.approval["start"] + seconds)

    return set_clock


@pytest.fixture
def withdraw_all(relief, batch):
    """A range withdrawal."""

    def send():
        return relief.vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})

    return send


@pytest.fixture
def balance(token, batch):
    """The balance of a stream's payee."""
    return lambda index: token.balanceOf(batch.entries[index][0])


def test_the_rest_returns_to_the_budget_and_is_announced(relief, vault, token, batch, after):
    seq = vault.seq()
    message = {"batchId": batch.id, "chunkIndex": 0, "maskLow": 0b101, "maskHigh": 0}
    signed = relief.signed_action(vault, "StreamCancellation", message, (2, 3))
    after(3 * DAY + HOUR)
    transaction = vault.cancelStreams(*message.values(), *signed, {"from": relief.anyone})
    kept = TOTAL * (3 * DAY + HOUR) // (90 * DAY)
    returned = 2 * (TOTAL - kept)
    assert emitted(transaction, "StreamsCancelled") == [
        {
            "batchId": batch.id,
            "chunkIndex": 0,
            "maskLow": 0b101,
            "maskHigh": 0,
            "cut": 3 * DAY + HOUR,
            "returned": returned,
            "actionId": signed[0],
            "signatures": signed[2],
            "seq": seq + 1,
        }
    ]
    assert vault.stream(batch.id, 0)[2:] == (kept, 0, 3 * DAY + HOUR + 1)
    assert vault.stream(batch.id, 1)[2:] == (3 * A_DAY, 0, 0)
    assert vault.streamChunk(batch.id, 0)[2] == 2
    assert vault.programme(SIMPLE)[1] == COUNT * TOTAL - returned
    assert token.committed() == COUNT * TOTAL - returned


def test_the_payee_keeps_what_accrued_to_the_second_and_nothing_more(
    relief, vault, batch, after, balance
):
    after(3 * DAY + HOUR)
    relief.cancel_streams(batch, [0])
    kept = TOTAL * (3 * DAY + HOUR) // (90 * DAY)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert balance(0) == kept
    after(80 * DAY)
    with refused("NothingToWithdraw", batch.id, 0):
        vault.withdraw(batch.id, 0, {"from": relief.anyone})


def test_cancelling_before_the_cliff_takes_nothing_that_was_earned(relief, vault, token):
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, TOTAL)], cliff=30 * DAY)
    next_transaction_at(batch.approval["start"] + 12 * DAY)
    relief.cancel_streams(batch, [0])
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(payee) == 12 * A_DAY


def test_a_range_pays_a_cancelled_stream_up_to_its_cut(relief, batch, after, withdraw_all, balance):
    after(2 * DAY)
    withdraw_all()
    after(3 * DAY + HOUR)
    relief.cancel_streams(batch, [0])
    after(10 * DAY)
    withdraw_all()
    assert balance(0) == TOTAL * (3 * DAY + HOUR) // (90 * DAY)
    assert balance(1) == 10 * A_DAY


def test_a_cut_stream_that_a_range_paid_and_passed_has_nothing_left_to_withdraw(
    relief, vault, batch, after, withdraw_all, balance
):
    after(3 * DAY + HOUR)
    relief.cancel_streams(batch, [0])
    after(10 * DAY)
    withdraw_all()
    for days in (11, 80):
        after(days * DAY)
        with refused("NothingToWithdraw", batch.id, 0):
            vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert balance(0) == TOTAL * (3 * DAY + HOUR) // (90 * DAY)


def test_a_range_within_the_step_of_the_cut_pays_to_the_second_of_it_and_once(
    relief, vault, batch, after, withdraw_all, balance
):
    kept = TOTAL * (3 * DAY + HOUR) // (90 * DAY)
    after(3 * DAY + HOUR)
    relief.cancel_streams(batch, [0])
    after(3 * DAY + 2 * HOUR)
    (event,) = emitted(withdraw_all(), "StreamsWithdrawn")
    assert (event["watermark"], event["paid"]) == (3 * DAY, 9 * 3 * A_DAY + kept)
    assert (balance(0), balance(1)) == (kept, 3 * A_DAY)
    assert vault.stream(batch.id, 0)[2:4] == (kept, kept)
    with refused("NothingToWithdraw", batch.id, 0):
        withdraw_all()
    with refused("NothingToWithdraw", batch.id, 0):
        vault.withdraw(batch.id, 0, {"from": relief.anyone})
    after(4 * DAY)
    withdraw_all()
    assert (balance(0), balance(1)) == (kept, 4 * A_DAY)


def test_cut_before_the_cliff_a_stream_is_paid_with_the_range_too(relief, vault, token):
    payees = relief.payees(2)
    batch = relief.open_streams([(payee, TOTAL) for payee in payees], cliff=30 * DAY)
    next_transaction_at(batch.approval["start"] + 12 * DAY)
    relief.cancel_streams(batch, [0])
    vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})
    assert [token.balanceOf(payee) for payee in payees] == [12 * A_DAY, 0]
    next_transaction_at(batch.approval["start"] + 30 * DAY)
    vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})
    assert [token.balanceOf(payee) for payee in payees] == [12 * A_DAY, 30 * A_DAY]


def test_frozen_when_the_range_passed_its_cut_a_stream_is_paid_all_of_it_once_free(
    relief, batch, after, withdraw_all, balance
):
    payee = batch.entries[0][0]
    after(3 * DAY + HOUR)
    relief.cancel_streams(batch, [0])
    relief.freeze(payee)
    after(3 * DAY + 2 * HOUR)
    withdraw_all()
    relief.unfreeze(payee)
    withdraw_all()
    assert balance(0) == TOTAL * (3 * DAY + HOUR) // (90 * DAY)
    after(5 * DAY)
    withdraw_all()
    assert balance(0) == TOTAL * (3 * DAY + HOUR) // (90 * DAY)


def test_a_stream_paid_ahead_keeps_what_it_was_paid(relief, batch, after, withdraw_all, balance):
    after(5 * DAY)
    relief.vault.withdraw(batch.id, 0, {"from": relief.anyone})
    after(5 * DAY + 1)
    relief.cancel_streams(batch, [0])
    after(9 * DAY)
    withdraw_all()
    assert balance(0) == TOTAL * (5 * DAY + 1) // (90 * DAY) == 5 * A_DAY


def test_a_frozen_then_cancelled_payee_is_paid_once_free(
    relief, batch, after, withdraw_all, balance
):
    payee = batch.entries[0][0]
    relief.freeze(payee)
    after(2 * DAY)
    withdraw_all()
    after(3 * DAY)
    relief.cancel_streams(batch, [0])
    after(4 * DAY)
    withdraw_all()
    relief.unfreeze(payee)
    after(5 * DAY)
    withdraw_all()
    assert balance(0) == 3 * A_DAY
    assert balance(1) == 5 * A_DAY


def test_cancelled_before_its_start_a_stream_returns_all(relief, vault, token):
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, TOTAL)], start=now() + DAY)
    transaction = relief.cancel_streams(batch, [0])
    (event,) = emitted(transaction, "StreamsCancelled")
    assert (event["cut"], event["returned"]) == (0, TOTAL)
    assert vault.stream(batch.id, 0)[2:] == (0, 0, 1)
    relief.move_to_end_of(batch)
    with refused("NothingToWithdraw", batch.id, 0):
        vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.committed() == 0


def test_what_came_back_can_be_approved_again(relief, vault, token, create_programme):
    create_programme(7, budget=TOTAL)
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, TOTAL)], programme=7)
    next_transaction_at(batch.approval["start"] + 30 * DAY)
    relief.cancel_streams(batch, [0])
    relief.approve(relief.batch([(payee, 6_000)], programme=7))
    with refused("BudgetExceeded", TOTAL + 1, TOTAL):
        relief.approve(relief.batch([(payee, 1)], programme=7))


def test_streams_beyond_the_first_256_are_cut_by_the_high_mask(relief, vault):
    batch = relief.open_streams([(payee, TOTAL) for payee in relief.payees(300)])
    next_transaction_at(batch.approval["start"] + 9 * DAY)
    (event,) = emitted(relief.cancel_streams(batch, [255, 256, 299]), "StreamsCancelled")
    assert (event["maskLow"], event["maskHigh"]) == (1 << 255, 1 | 1 << 43)
    cut = [vault.stream(batch.id, index)[4] for index in (254, 255, 256, 257, 299)]
    assert cut == [0, 9 * DAY + 1, 9 * DAY + 1, 0, 9 * DAY + 1]


def test_chunks_that_share_a_word_are_cut_apart(relief, vault):
    batch = relief.open_streams([(payee, TOTAL) for payee in relief.payees(10)], chunk_size=5)
    relief.cancel_streams(batch, [4], chunk_index=0)
    relief.cancel_streams(batch, [0], chunk_index=1)
    assert [vault.stream(batch.id, index)[4] > 0 for index in (3, 4, 5, 6)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_stream_is_cut_once(relief, batch):
    relief.cancel_streams(batch, [1])
    with refused("AlreadyCancelled", batch.id, 1):
        relief.cancel_streams(batch, [0, 1])


def test_a_stream_at_its_end_cannot_be_cut(relief, batch, after):
    after(90 * DAY)
    with refused("NothingToCancel", batch.id, 0):
        relief.cancel_streams(batch, [0])


def test_no_stream_at_all_cannot_be_cut(relief, batch):
    with refused("NothingToCancel", batch.id, 0):
        relief.cancel_streams(batch, [])


@pytest.mark.parametrize("position", [COUNT, 255, 256, 499])
def test_a_position_behind_the_last_stream_is_refused(relief, batch, position):
    with refused("NothingToCancel", batch.id, COUNT):
        relief.cancel_streams(batch, [position])


def test_a_position_behind_the_last_of_more_than_256_streams_is_refused(relief):
    batch = relief.open_streams([(payee, TOTAL) for payee in relief.payees(300)])
    with refused("NothingToCancel", batch.id, 300):
        relief.cancel_streams(batch, [0, 300])
    relief.cancel_streams(batch, [0, 299])


def test_a_reviewer_from_another_region_is_refused(relief, batch):
    with refused("OfficerOutsideRegion", 5, 510722, 6):
        relief.cancel_streams(batch, [0], officers=(2, 5))


def test_a_one_off_batch_has_no_streams(relief):
    batch = relief.pay([(relief.payees(1)[0], 5)])
    with refused("WrongKind", batch.id):
        relief.cancel_streams(batch, [0])


def test_a_chunk_that_is_not_open_is_refused(relief, batch):
    with refused("StreamsNotOpen", batch.id, 1):
        relief.cancel_streams(batch, [0], chunk_index=1)
