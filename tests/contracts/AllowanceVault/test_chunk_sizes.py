"""Chunks of every awkward size: each payee's amount exact, and nothing taken of another length."""

import pytest
from chunk_tree import levels, proof, root
from clock import DAY, next_transaction_at
from outcomes import refused
from sending import gas_of, send
from views import read_all

SIZES = [1, 255, 256, 257, 500]
"""Around the 256 bits of a mask's word, and the smallest and the largest."""
DAYS = 90
SHAPES = {"500 and 1": (501, 500), "256, 256 and 88": (600, 256), "8 of 7 and 3": (59, 7)}
"""Payees and chunk size of batches whose last chunk is shorter."""
PLACES = {
    "first": [0],
    "in the middle": [255, 256],
    "last": [499],
    "all of these": [0, 255, 256, 499],
}

each_size = pytest.mark.parametrize("size", SIZES)
each_shape = pytest.mark.parametrize("shape", SHAPES)
each_place = pytest.mark.parametrize("place", PLACES)


def payees_of(relief, count):
    """So many payees, each with another amount, most of which days do not divide."""
    return [(payee, 9_000 + 7 * position) for position, payee in enumerate(relief.payees(count))]


def amounts(entries):
    """What each is to be paid in the end."""
    return [amount for _, amount in entries]


def accrued(entries, days):
    """What streams of these entries have accrued after whole days."""
    return [amount * days // DAYS for amount in amounts(entries)]


@pytest.fixture
def balances(token):
    """What these payees hold."""
    return lambda entries: read_all([(token.balanceOf, (payee,)) for payee, _ in entries])


@pytest.fixture
def run(relief, vault):
    """Run each chunk of an approved batch."""

    def execute(batch):
        for index, chunk in enumerate(batch.chunks):
            sent = (batch.id, index, chunk, batch.proof(index))
            gas_of(send(vault.executeChunk, *sent, sender=relief.anyone))

    return execute


@pytest.fixture
def pay(relief, run):
    """Pay a list in chunks of a size."""

    def send_all(entries, size):
        batch = relief.batch(entries, chunk_size=size)
        relief.approve(batch)
        run(batch)
        return batch

    return send_all


@pytest.fixture
def withdraw(relief, vault):
    """A range withdrawal on a day of the streams."""

    def send_at(batch, days, chunk_index=0):
        next_transaction_at(batch.approval["start"] + days * DAY + chunk_index)
        gas_of(send(vault.withdrawChunk, batch.id, chunk_index, sender=relief.anyone))

    return send_at


# ---- one chunk -----------------------------------------------------------------------------------


@each_size
def test_a_chunk_pays_each_amount_exactly(relief, token, pay, balances, size):
    entries = payees_of(relief, size)
    pay(entries, size)
    assert balances(entries) == amounts(entries)
    assert (token.committed(), token.totalSupply()) == (0, sum(amounts(entries)))


@each_size
def test_a_chunk_of_streams_accrues_each_amount_exactly(relief, withdraw, balances, size):
    entries = payees_of(relief, size)
    batch = relief.open_streams(entries, chunk_size=size)
    for days in (1, 31, DAYS):
        withdraw(batch, days)
        assert balances(entries) == accrued(entries, days)
    assert relief.token.committed() == 0


# ---- several, the last one shorter ---------------------------------------------------------------


@each_shape
def test_a_shorter_last_chunk_is_paid(relief, vault, pay, balances, shape):
    count, size = SHAPES[shape]
    entries = payees_of(relief, count)
    batch = pay(entries, size)
    assert balances(entries) == amounts(entries)
    assert vault.executedChunks(batch.id) == 2 ** len(batch.chunks) - 1
    assert (vault.batch(batch.id)[-1], relief.token.committed()) == (0, 0)


@each_shape
def test_a_shorter_last_chunk_streams(relief, withdraw, balances, shape):
    count, size = SHAPES[shape]
    entries = payees_of(relief, count)
    batch = relief.open_streams(entries, chunk_size=size)
    for days in (7, DAYS):
        next_transaction_at(batch.approval["start"] + (days - 1) * DAY)
        relief.vault.withdraw(batch.id, count - 1, {"from": relief.anyone})
        assert balances(entries[-1:]) == accrued(entries[-1:], days - 1)
        for chunk_index in range(len(batch.chunks)):
            withdraw(batch, days, chunk_index)
        assert balances(entries) == accrued(entries, days)
    assert relief.token.committed() == 0


@each_shape
def test_no_stream_is_behind_the_last_of_a_shorter_chunk(relief, shape):
    count, size = SHAPES[shape]
    batch = relief.open_streams(payees_of(relief, count), chunk_size=size)
    relief.move_to_end_of(batch)
    with refused("NothingToWithdraw", batch.id, count):
        relief.vault.withdraw.call(batch.id, count, {"from": relief.anyone})


# ---- malformed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0, 1], ids=["one-off", "streams"])
@pytest.mark.parametrize("length", [0, 27, 29, 28 * 500 - 1, 28 * 500 + 1, 28 * 501])
def test_bytes_of_another_length_are_refused_though_officers_signed_them(relief, length, kind):
    entries = payees_of(relief, 1 if length < 100 else 500)
    batch = (relief.stream_batch if kind else relief.batch)(entries)
    signed = (batch.chunks[0] * 2)[:length]
    tree = levels(batch.id, [signed])
    batch.approval["chunksRoot"] = root(tree)
    relief.approve(batch)
    sent = (batch.id, 0, signed, proof(tree, 0), {"from": relief.anyone})
    with refused("WrongChunkLength", length, 28 * len(entries)):
        relief.vault.executeChunk.call(*sent)


# ---- frozen, wherever they stand -----------------------------------------------------------------


@each_place
def test_a_frozen_payee_is_left_out_and_paid_once_by_a_retry(relief, vault, pay, balances, place):
    entries, frozen = payees_of(relief, 500), PLACES[place]
    for position in frozen:
        relief.freeze(entries[position][0])
    batch = pay(entries, 500)
    assert balances(entries) == [
        0 if position in frozen else amount for position, amount in enumerate(amounts(entries))
    ]
    for position in frozen:
        payee = entries[position][0]
        retry = (batch.id, position, {"from": relief.anyone})
        with refused("Unpayable", payee, 4):
            vault.retryPayout.call(*retry)
        relief.unfreeze(payee)
        vault.retryPayout(*retry)
        with refused("NotSkipped", batch.id, position):
            vault.retryPayout.call(*retry)
    assert balances(entries) == amounts(entries)
    assert relief.token.committed() == 0


@pytest.fixture
def passed_by(relief, withdraw, balances):
    """Streams of 500 that two ranges went over while some were frozen, who are free again."""

    def streams(frozen):
        entries = payees_of(relief, 500)
        batch = relief.open_streams(entries)
        for position in frozen:
            relief.freeze(entries[position][0])
        for days in (2, 5):
            withdraw(batch, days)
            assert relief.vault.streamChunk(batch.id, 0)[1] == days * DAY
            assert balances(entries) == [
                0 if position in frozen else due
                for position, due in enumerate(accrued(entries, days))
            ]
        for position in frozen:
            relief.unfreeze(entries[position][0])
        return batch

    return streams


@each_place
def test_a_frozen_stream_is_paid_once_by_the_next_range(passed_by, withdraw, balances, place):
    batch = passed_by(PLACES[place])
    withdraw(batch, 9)
    assert balances(batch.entries) == accrued(batch.entries, 9)
    withdraw(batch, DAYS)
    assert balances(batch.entries) == amounts(batch.entries)


@each_place
def test_a_frozen_stream_is_paid_once_by_its_own_withdrawal(
    relief, passed_by, withdraw, balances, place
):
    frozen = PLACES[place]
    batch = passed_by(frozen)
    next_transaction_at(batch.approval["start"] + 9 * DAY)
    for position in frozen:
        relief.vault.withdraw(batch.id, position, {"from": relief.anyone})
    by_day = {days: accrued(batch.entries, days) for days in (5, 9)}
    assert balances(batch.entries) == [
        by_day[9 if position in frozen else 5][position] for position in range(500)
    ]
    withdraw(batch, DAYS)
    assert balances(batch.entries) == amounts(batch.entries)
    assert relief.token.committed() == 0
