"""withdrawChunk: all streams of a chunk are paid at once; those skipped lose nothing."""

import pytest
from clock import DAY, next_transaction_at
from outcomes import emitted, refused

TOTAL = 9_000
A_DAY = 100
COUNT = 10


@pytest.fixture
def batch(relief):
    """Ten open streams of 9,000 over 90 days, in steps of a day."""
    return relief.open_streams([(payee, TOTAL) for payee in relief.payees(COUNT)])


@pytest.fixture
def at(batch):
    """Let the next transaction run on a day of the streams."""

    def set_clock(day):
        next_transaction_at(batch.approval["start"] + int(day * DAY))

    return set_clock


@pytest.fixture
def withdraw_all(relief, batch, at):
    """A range withdrawal on a day of the streams."""

    def send(day):
        at(day)
        return relief.vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})

    return send


@pytest.fixture
def withdraw_one(relief, batch, at):
    """A stream's own withdrawal on a day of the streams."""

    def send(index, day):
        at(day)
        return relief.vault.withdraw(batch.id, index, {"from": relief.anyone})

    return send


@pytest.fixture
def balances(token, batch):
    """Each payee's balance in days' worth of the stream."""

    def read():
        return [token.balanceOf(payee) / A_DAY for payee, _ in batch.entries]

    return read


def test_everyone_is_paid_and_the_watermark_moves(relief, vault, token, batch, withdraw_all):
    seq = vault.seq()
    transaction = withdraw_all(3.5)
    assert emitted(transaction, "StreamsWithdrawn") == [
        {
            "batchId": batch.id,
            "chunkIndex": 0,
            "watermark": 3 * DAY,
            "paid": COUNT * 3 * A_DAY,
            "skippedLow": 0,
            "skippedHigh": 0,
            "seq": seq + 1,
        }
    ]
    assert len(emitted(transaction, "Transfer")) == COUNT
    assert [token.balanceOf(payee) for payee, _ in batch.entries] == [3 * A_DAY] * COUNT
    assert vault.streamChunk(batch.id, 0)[1:] == (3 * DAY, 0)
    assert token.committed() == COUNT * (TOTAL - 3 * A_DAY)


def test_later_withdrawals_pay_what_came_since(withdraw_all, balances):
    withdraw_all(3)
    withdraw_all(10)
    assert balances() == [10] * COUNT
    withdraw_all(90)
    assert balances() == [90] * COUNT


def test_a_second_withdrawal_in_the_same_step_is_refused(batch, withdraw_all):
    withdraw_all(3)
    with refused("NothingToWithdraw", batch.id, 0):
        withdraw_all(3.9)


def test_chunks_have_watermarks_of_their_own(relief, vault, token):
    # Chunks of five share a word of eight lanes.
    entries = [(payee, TOTAL) for payee in relief.payees(COUNT)]
    batch = relief.open_streams(entries, chunk_size=5)
    start = batch.approval["start"]
    relief.freeze(entries[4][0])
    relief.freeze(entries[5][0])
    next_transaction_at(start + 2 * DAY)
    vault.withdrawChunk(batch.id, 1, {"from": relief.anyone})
    next_transaction_at(start + 3 * DAY)
    vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})
    assert [token.balanceOf(payee) // A_DAY for payee, _ in entries] == [3] * 4 + [0, 0] + [2] * 4
    for index in (4, 5):
        relief.unfreeze(entries[index][0])
    next_transaction_at(start + 4 * DAY)
    vault.withdrawChunk(batch.id, 1, {"from": relief.anyone})
    next_transaction_at(start + 5 * DAY)
    vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})
    assert [token.balanceOf(payee) // A_DAY for payee, _ in entries] == [5] * 5 + [4] * 5


def test_a_range_of_a_later_chunk_leaves_the_marks_of_an_earlier_one(relief, vault, token):
    entries = [(payee, TOTAL) for payee in relief.payees(2 * COUNT)]
    batch = relief.open_streams(entries, chunk_size=COUNT)
    start, anyone = batch.approval["start"], {"from": relief.anyone}
    for index in (2, 12):
        relief.freeze(entries[index][0])
    for day, chunk_index in ((2, 0), (3, 1)):
        next_transaction_at(start + day * DAY)
        vault.withdrawChunk(batch.id, chunk_index, anyone)
    relief.unfreeze(entries[2][0])
    next_transaction_at(start + 4 * DAY)
    vault.withdrawChunk(batch.id, 0, anyone)
    paid = [token.balanceOf(payee) // A_DAY for payee, _ in entries]
    assert paid == [4] * COUNT + [3, 3, 0] + [3] * 7


def test_a_chunk_of_500_with_frozen_ones_at_its_ends_is_paid(relief, vault, token):
    payees = relief.payees(500)
    batch = relief.open_streams([(payee, TOTAL) for payee in payees])
    for index in (0, 255, 256, 499):
        relief.freeze(payees[index])
    next_transaction_at(batch.approval["start"] + 2 * DAY)
    transaction = vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})
    (event,) = emitted(transaction, "StreamsWithdrawn")
    assert (event["skippedLow"], event["skippedHigh"]) == (1 | 1 << 255, 1 | 1 << 243)
    assert event["paid"] == 496 * 2 * A_DAY
    for index in (0, 255, 256, 499):
        relief.unfreeze(payees[index])
    next_transaction_at(batch.approval["start"] + 3 * DAY)
    vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})
    assert {token.balanceOf(payees[index]) for index in (0, 1, 255, 256, 498, 499)} == {3 * A_DAY}


@pytest.mark.parametrize("beside", ["no exception", "its own", "cut", "another wallet"])
def test_a_range_pays_odd_amounts_to_the_unit(relief, vault, token, beside):
    amounts = [9_001, 1, 2**40 + 1, 2**41 - 1]
    *payees, last, new = relief.payees(6)
    batch = relief.open_streams([*zip(payees, amounts, strict=True), (last, TOTAL)])
    start, anyone = batch.approval["start"], {"from": relief.anyone}
    next_transaction_at(start + DAY)
    if beside == "its own":
        vault.withdraw(batch.id, 4, anyone)
    elif beside == "cut":
        relief.cancel_streams(batch, [4])
    elif beside == "another wallet":
        relief.change_wallet(batch, 4, last, new)
    for day in (30, 59, 90):
        next_transaction_at(start + day * DAY)
        vault.withdrawChunk(batch.id, 0, anyone)
        paid = [token.balanceOf(payee) for payee in payees]
        assert paid == [amount * day // 90 for amount in amounts]


# ---- beside withdrawals of one's own -------------------------------------------------------------


def test_a_stream_ahead_of_the_range_is_not_paid_twice(withdraw_one, withdraw_all, balances):
    withdraw_one(1, 5)
    withdraw_all(5.5)
    assert balances() == [5] * COUNT
    withdraw_all(7)
    assert balances() == [7] * COUNT


def test_when_all_were_ahead_nothing_is_left_for_the_range(relief, vault, batch):
    start = batch.approval["start"]
    for index in range(COUNT):
        next_transaction_at(start + 2 * DAY + index)
        vault.withdraw(batch.id, index, {"from": relief.anyone})
    with refused("NothingToWithdraw", batch.id, 0):
        vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})


def test_own_withdrawals_and_ranges_in_turn_pay_the_same(withdraw_one, withdraw_all, balances):
    withdraw_one(0, 2)
    withdraw_all(3)
    withdraw_one(0, 4)
    withdraw_one(9, 6)
    withdraw_all(8)
    withdraw_one(9, 9)
    assert balances() == [8] * 9 + [9]


# ---- the flag that makes a range dearer ----------------------------------------------------------


@pytest.fixture
def flags(vault, batch):
    """The chunk's flags."""
    return lambda: vault.streamChunk(batch.id, 0)[2]


def test_a_stranger_who_withdraws_one_stream_makes_only_the_next_range_dearer(
    withdraw_one, withdraw_all, flags, balances
):
    plain = [withdraw_all(day).gas_used for day in (3, 4)][-1]
    withdraw_one(1, 5)
    assert flags() == 1
    assert withdraw_all(5.5).gas_used > plain
    assert flags() == 0
    assert withdraw_all(6).gas_used <= plain
    assert balances() == [6] * COUNT


def test_a_range_that_does_not_reach_one_ahead_keeps_the_flag(
    relief, batch, at, withdraw_one, withdraw_all, flags, balances
):
    at(3.5)
    relief.cancel_streams(batch, [1])
    withdraw_one(1, 3.6)
    withdraw_all(3.7)
    assert flags() == 1 | 2
    withdraw_all(4)
    assert flags() == 2
    assert balances() == [4, 3.5] + [4] * 8


def test_the_flag_stands_while_one_is_frozen_and_falls_when_it_was_paid(
    relief, batch, withdraw_all, flags, balances
):
    relief.freeze(batch.entries[2][0])
    withdraw_all(3)
    withdraw_all(4)
    assert flags() == 1
    relief.unfreeze(batch.entries[2][0])
    withdraw_all(5)
    assert flags() == 0
    assert balances() == [5] * COUNT


def test_without_the_flag_marks_that_no_longer_count_are_taken_for_none(
    relief, batch, withdraw_one, withdraw_all, flags, balances
):
    withdraw_one(2, 4)
    withdraw_all(5)
    relief.freeze(batch.entries[2][0])
    withdraw_all(7)
    assert flags() == 1
    relief.unfreeze(batch.entries[2][0])
    withdraw_one(2, 8)
    withdraw_all(9)
    assert flags() == 0
    assert balances() == [9] * COUNT


# ---- frozen --------------------------------------------------------------------------------------


def test_a_frozen_payee_is_skipped_and_announced(relief, batch, withdraw_all, balances):
    relief.freeze(batch.entries[2][0])
    (event,) = emitted(withdraw_all(3), "StreamsWithdrawn")
    assert (event["skippedLow"], event["paid"]) == (0b100, (COUNT - 1) * 3 * A_DAY)
    assert balances() == [3, 3, 0] + [3] * 7


def test_what_a_range_skipped_is_paid_by_the_payees_own_withdrawal(
    relief, batch, withdraw_one, withdraw_all, balances
):
    relief.freeze(batch.entries[2][0])
    withdraw_all(3)
    withdraw_all(5)
    assert relief.vault.stream(batch.id, 2)[2:4] == (5 * A_DAY, 0)
    relief.unfreeze(batch.entries[2][0])
    (event,) = emitted(withdraw_one(2, 6), "StreamWithdrawn")
    assert event["amount"] == 6 * A_DAY
    assert balances() == [5, 5, 6] + [5] * 7
    withdraw_all(7)
    assert balances() == [7] * COUNT


def test_what_a_range_skipped_is_paid_by_the_next_range(relief, batch, withdraw_all, balances):
    relief.freeze(batch.entries[2][0])
    withdraw_all(3)
    relief.unfreeze(batch.entries[2][0])
    withdraw_all(4)
    assert balances() == [4] * COUNT
    withdraw_all(5)
    assert balances() == [5] * COUNT


def test_a_payee_ahead_then_frozen_then_free_loses_nothing(
    relief, batch, withdraw_one, withdraw_all, balances
):
    withdraw_one(2, 5)
    relief.freeze(batch.entries[2][0])
    withdraw_all(3 + 3)
    relief.unfreeze(batch.entries[2][0])
    withdraw_all(8)
    assert balances() == [8] * COUNT


def test_freezing_again_and_again_loses_nothing(
    relief, batch, withdraw_one, withdraw_all, balances
):
    payee = batch.entries[2][0]
    relief.freeze(payee)
    withdraw_all(2)
    relief.unfreeze(payee)
    withdraw_one(2, 3)
    relief.freeze(payee)
    withdraw_all(4)
    withdraw_all(6)
    relief.unfreeze(payee)
    withdraw_all(90)
    assert balances() == [90] * COUNT


def test_a_range_in_which_all_are_frozen_moves_the_watermark_once(
    relief, vault, batch, withdraw_all, balances
):
    for payee, _ in batch.entries:
        relief.freeze(payee)
    (event,) = emitted(withdraw_all(3), "StreamsWithdrawn")
    assert (event["paid"], event["skippedLow"]) == (0, 2**COUNT - 1)
    with refused("NothingToWithdraw", batch.id, 0):
        withdraw_all(3.5)
    for payee, _ in batch.entries:
        relief.unfreeze(payee)
    withdraw_all(3.9)
    assert balances() == [3] * COUNT


def test_a_single_unit_is_paid_and_when_it_is_skipped_not_lost(relief, vault, token):
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, 90)])
    start, anyone = batch.approval["start"], {"from": relief.anyone}
    next_transaction_at(start + DAY)
    vault.withdrawChunk(batch.id, 0, anyone)
    assert token.balanceOf(payee) == 1
    relief.freeze(payee)
    next_transaction_at(start + 2 * DAY)
    vault.withdrawChunk(batch.id, 0, anyone)
    relief.unfreeze(payee)
    next_transaction_at(start + 3 * DAY)
    vault.withdrawChunk(batch.id, 0, anyone)
    assert token.balanceOf(payee) == 3


# ---- refusals ------------------------------------------------------------------------------------


def test_a_one_off_batch_has_no_streams(relief, vault):
    batch = relief.pay([(relief.payees(1)[0], 5)])
    with refused("WrongKind", batch.id):
        vault.withdrawChunk(batch.id, 0, {"from": relief.anyone})


def test_a_chunk_that_is_not_open_is_refused(relief, vault, batch):
    with refused("StreamsNotOpen", batch.id, 1):
        vault.withdrawChunk(batch.id, 1, {"from": relief.anyone})


def test_an_unknown_batch_is_refused(relief, vault):
    with refused("UnknownBatch", bytes(32)):
        vault.withdrawChunk(bytes(32), 0, {"from": relief.anyone})
