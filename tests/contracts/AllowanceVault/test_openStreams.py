"""executeChunk on a batch of streams: they are opened, nothing is minted yet."""

from brownie import web3
from chunk_tree import pack_entries
from clock import DAY, advance, now
from outcomes import emitted, refused


def test_streams_are_stored_as_code_and_announced(relief, vault, token):
    first, second, third = relief.payees(3)
    batch = relief.stream_batch([(first, 90), (second, 180), (third, 270)], chunk_size=2)
    relief.approve(batch)
    seq = vault.seq()
    transaction = relief.execute(batch, 0)

    pointer = vault.streamChunk(batch.id, 0)[0]
    assert emitted(transaction, "StreamsOpened") == [
        {
            "batchId": batch.id,
            "chunkIndex": 0,
            "pointer": pointer,
            "entries": batch.chunks[0],
            "total": 270,
            "seq": seq + 1,
        }
    ]
    assert bytes(web3.eth.get_code(pointer)) == b"\x00" + pack_entries(batch.entries[:2])
    assert vault.streamChunk(batch.id, 0)[1:] == (0, 0)
    assert vault.batch(batch.id)[-1] == 270
    assert (token.totalSupply(), token.committed()) == (0, 540)


def test_a_stream_accrues_from_its_start(relief, vault):
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, 9_000)], start=now() + DAY)
    assert vault.stream(batch.id, 0) == (payee, 9_000, 0, 0, 0)
    advance(2 * DAY)
    assert vault.stream(batch.id, 0) == (payee, 9_000, 100, 0, 0)
    relief.move_to_end_of(batch)
    advance(DAY)
    assert vault.stream(batch.id, 0) == (payee, 9_000, 9_000, 0, 0)


def test_back_pay_has_accrued_when_a_stream_opens(relief, vault):
    batch = relief.open_streams([(relief.payees(1)[0], 9_000)], start=now() - 30 * DAY)
    assert vault.stream(batch.id, 0)[2] == 3_000


def test_a_chunk_of_streams_opens_once(relief):
    batch = relief.open_streams([(relief.payees(1)[0], 90)])
    with refused("ChunkAlreadyExecuted", batch.id, 0):
        relief.execute(batch)


def test_a_frozen_payees_stream_opens(relief, vault):
    payee = relief.payees(1)[0]
    relief.freeze(payee)
    batch = relief.open_streams([(payee, 90)])
    assert vault.stream(batch.id, 0)[:2] == (payee, 90)


def test_a_stream_that_is_not_open_cannot_be_read(relief, vault):
    first, second = relief.payees(2)
    batch = relief.stream_batch([(first, 90), (second, 90)], chunk_size=1)
    relief.approve(batch)
    relief.execute(batch, 0)
    with refused("StreamsNotOpen", batch.id, 1):
        vault.stream(batch.id, 1)
    with refused("StreamsNotOpen", batch.id, 2):
        vault.stream(batch.id, 2)
