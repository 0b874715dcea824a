"""withdraw: one stream is paid what it accrued, in whole steps, to its payee, by anyone."""

import pytest
from clock import DAY, HOUR, advance, move_to, next_transaction_at, now
from outcomes import emitted, refused

TOTAL = 9_000
A_DAY = 100
"""What TOTAL accrues in one of 90 days."""


@pytest.fixture
def batch(relief):
    """Two open streams of 9,000 over 90 days, in steps of a day."""
    return relief.open_streams([(payee, TOTAL) for payee in relief.payees(2)])


@pytest.fixture
def withdraw(relief, batch):
    """Withdraw from a stream, `after` so many seconds of the batch's accrual."""

    def send(index=0, *, after=None):
        if after is not None:
            next_transaction_at(batch.approval["start"] + after)
        return relief.vault.withdraw(batch.id, index, {"from": relief.anyone})

    return send


def test_anyone_withdraws_for_the_payee(relief, vault, token, batch, withdraw):
    seq = vault.seq()
    transaction = withdraw(1, after=3 * DAY)
    payee = batch.entries[1][0]
    assert emitted(transaction, "StreamWithdrawn") == [
        {
            "batchId": batch.id,
            "index": 1,
            "payee": payee,
            "amount": 3 * A_DAY,
            "paidThrough": 3 * DAY,
            "seq": seq + 1,
        }
    ]
    assert token.balanceOf(payee) == 3 * A_DAY
    assert token.balanceOf(relief.anyone) == 0
    assert token.balanceOf(batch.entries[0][0]) == 0
    assert (token.totalSupply(), token.committed()) == (3 * A_DAY, 2 * TOTAL - 3 * A_DAY)
    assert vault.stream(batch.id, 1)[2:] == (3 * A_DAY, 3 * A_DAY, 0)


def test_a_withdrawal_moves_in_whole_steps(withdraw, batch):
    with refused("NothingToWithdraw", batch.id, 0):
        withdraw(after=DAY - 1)
    (event,) = emitted(withdraw(after=2 * DAY - 1), "StreamWithdrawn")
    assert (event["amount"], event["paidThrough"]) == (A_DAY, DAY)
    (event,) = emitted(withdraw(after=2 * DAY + 5), "StreamWithdrawn")
    assert (event["amount"], event["paidThrough"]) == (A_DAY, 2 * DAY)


def test_streams_of_later_chunks_are_withdrawn_by_their_index_in_the_batch(relief, vault, token):
    entries = [(payee, 90 * (i + 1)) for i, payee in enumerate(relief.payees(5))]
    batch = relief.open_streams(entries, chunk_size=2)
    for day, index in ((1, 3), (2, 2), (3, 4)):
        next_transaction_at(batch.approval["start"] + day * DAY)
        vault.withdraw(batch.id, index, {"from": relief.anyone})
    assert [token.balanceOf(payee) for payee, _ in entries] == [0, 0, 2 * 3, 1 * 4, 3 * 5]


def test_a_single_unit_is_withdrawn(relief, vault, token):
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, 90)])
    next_transaction_at(batch.approval["start"] + DAY)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(payee) == 1


def test_nothing_is_withdrawn_before_the_cliff_and_all_that_accrued_after_it(relief, vault, token):
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, TOTAL)], cliff=30 * DAY)
    start = batch.approval["start"]
    next_transaction_at(start + 30 * DAY - 1)
    with refused("NothingToWithdraw", batch.id, 0):
        vault.withdraw(batch.id, 0, {"from": relief.anyone})
    next_transaction_at(start + 30 * DAY)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(payee) == 30 * A_DAY


@pytest.mark.parametrize(("total", "cadence"), [(TOTAL, DAY), (90 * DAY * 5, 1)])
def test_a_stream_that_has_not_started_pays_nothing(relief, vault, total, cadence):
    entries = [(relief.payees(1)[0], total)]
    batch = relief.open_streams(entries, start=now() + DAY, cadence=cadence)
    with refused("NothingToWithdraw", batch.id, 0):
        vault.withdraw(batch.id, 0, {"from": relief.anyone})


@pytest.mark.parametrize("total", [1, 7, 1_000_003])
def test_nothing_is_lost_to_rounding(relief, vault, token, total):
    # 11 days in steps of an hour: no step's share is a whole number of base units.
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, total)], duration=11 * DAY, cadence=HOUR)
    start = batch.approval["start"]
    paid = 0
    for elapsed in (2 * DAY + HOUR, 5 * DAY + 7 * HOUR, 9 * DAY + 1, 10 * DAY + 23 * HOUR):
        move_to(start + elapsed)
        vested = total * (elapsed - elapsed % HOUR) // (11 * DAY)
        if vested == paid:
            with refused("NothingToWithdraw", batch.id, 0):
                vault.withdraw(batch.id, 0, {"from": relief.anyone})
            continue
        vault.withdraw(batch.id, 0, {"from": relief.anyone})
        paid = vested
        assert token.balanceOf(payee) == paid
    relief.move_to_end_of(batch)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(payee) == total
    assert token.committed() == 0


def test_the_end_pays_the_part_of_a_step_that_is_left(relief, vault, token):
    # 10 days in steps of 3: at the end 10, not 9.
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, 1_000)], duration=10 * DAY, cadence=3 * DAY)
    next_transaction_at(batch.approval["start"] + 10 * DAY - 1)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(payee) == 900
    next_transaction_at(batch.approval["start"] + 10 * DAY)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(payee) == 1_000


def test_a_huge_amount_over_the_longest_time_does_not_wrap(relief, create_programme, vault, token):
    amount = token.cap() // 2  # 10,000 million tokens
    create_programme(7, budget=amount, payout_cap=amount, tiers=[(amount, 1, 0)])
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, amount)], programme=7, duration=2**31 - 2, cadence=1)
    relief.move_to_end_of(batch)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(payee) == amount


def test_a_stream_paid_out_has_nothing_left(relief, batch, withdraw):
    withdraw(after=90 * DAY)
    advance(30 * DAY)
    with refused("NothingToWithdraw", batch.id, 0):
        withdraw()


def test_a_frozen_payee_is_refused_and_paid_all_of_it_later(relief, token, batch, withdraw):
    payee = batch.entries[0][0]
    relief.freeze(payee)
    with refused("Unpayable", payee, 4):
        withdraw(after=3 * DAY)
    relief.unfreeze(payee)
    withdraw(after=5 * DAY)
    assert token.balanceOf(payee) == 5 * A_DAY


@pytest.mark.parametrize(
    ("name", "reason"), [("token", 2), ("vault", 3)], ids=["the token", "the vault"]
)
def test_a_stream_to_a_contract_of_ours_pays_nobody(relief, vault, name, reason):
    payee = getattr(relief, name).address
    batch = relief.open_streams([(payee, TOTAL)])
    advance(2 * DAY)
    with refused("Unpayable", payee, reason):
        vault.withdraw(batch.id, 0, {"from": relief.anyone})


def test_an_index_behind_the_last_stream_is_refused(relief, vault, batch):
    with refused("NothingToWithdraw", batch.id, 2):
        vault.withdraw(batch.id, 2, {"from": relief.anyone})
    with refused("StreamsNotOpen", batch.id, 1):
        vault.withdraw(batch.id, 500, {"from": relief.anyone})


def test_a_one_off_batch_has_no_streams(relief, vault):
    batch = relief.pay([(relief.payees(1)[0], 5)])
    with refused("WrongKind", batch.id):
        vault.withdraw(batch.id, 0, {"from": relief.anyone})


def test_an_unknown_batch_is_refused(relief, vault):
    with refused("UnknownBatch", bytes(32)):
        vault.withdraw(bytes(32), 0, {"from": relief.anyone})


def test_a_chunk_not_opened_yet_is_refused(relief, vault):
    batch = relief.stream_batch([(relief.payees(1)[0], TOTAL)])
    relief.approve(batch)
    with refused("StreamsNotOpen", batch.id, 0):
        vault.withdraw(batch.id, 0, {"from": relief.anyone})
