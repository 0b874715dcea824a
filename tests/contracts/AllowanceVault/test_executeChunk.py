"""executeChunk: one-off chunks pay once, at their place, exactly what was signed."""

import pytest
from approvals import sign_batch
from chunk_tree import packed_chunks
from clock import DAY, next_transaction_at, now
from deployment import TIERED, TIERED_PAYOUT_CAP
from outcomes import ZERO_ADDRESS, emitted, refused


@pytest.fixture
def batch(relief):
    """An approved batch of five payouts of 100 to 500 in chunks of two."""
    batch = relief.batch(
        [(payee, 100 * (i + 1)) for i, payee in enumerate(relief.payees(5))], chunk_size=2
    )
    relief.approve(batch)
    return batch


def _send(relief, batch, chunk_index, *, entries=None, at=None):
    """Run chunk `chunk_index` with its proof, under index `at`, with these packed entries."""
    return relief.vault.executeChunk(
        batch.id,
        chunk_index if at is None else at,
        batch.chunks[chunk_index] if entries is None else entries,
        batch.proof(chunk_index),
        {"from": relief.anyone},
    )


# ---- paying --------------------------------------------------------------------------------------


def test_a_chunk_pays_each_payee_and_announces_it(relief, vault, token, batch):
    seq = vault.seq()
    transaction = relief.execute(batch, 1)
    assert emitted(transaction, "ChunkPaid") == [
        {
            "batchId": batch.id,
            "chunkIndex": 1,
            "entries": batch.chunks[1],
            "paid": 700,
            "skippedLow": 0,
            "skippedHigh": 0,
            "seq": seq + 1,
        }
    ]
    assert [event["value"] for event in emitted(transaction, "Transfer")] == [300, 400]
    assert [token.balanceOf(payee) for payee, _ in batch.entries] == [0, 0, 300, 400, 0]
    assert (token.totalSupply(), token.committed()) == (700, 800)
    assert (vault.batch(batch.id)[-1], vault.executedChunks(batch.id)) == (800, 0b010)


def test_chunks_run_in_any_order_until_nothing_is_left(relief, vault, token, batch):
    for chunk_index in (2, 0, 1):
        relief.execute(batch, chunk_index)
    assert [token.balanceOf(payee) for payee, _ in batch.entries] == [100, 200, 300, 400, 500]
    assert (token.totalSupply(), token.committed()) == (1500, 0)
    assert (vault.batch(batch.id)[-1], vault.executedChunks(batch.id)) == (0, 0b111)


def test_a_payee_who_holds_something_gets_it_on_top(relief, token, batch):
    payee = batch.entries[0][0]
    relief.pay([(payee, 7)])
    relief.execute(batch, 0)
    assert token.balanceOf(payee) == 107


def test_a_payee_named_twice_is_paid_twice(relief, token):
    payee = relief.payees(1)[0]
    relief.pay([(payee, 3), (payee, 4)])
    assert token.balanceOf(payee) == 7


def test_the_last_of_256_chunks_runs(relief, vault, token):
    payees = relief.payees(256)
    batch = relief.batch([(payee, 1) for payee in payees], chunk_size=1)
    relief.approve(batch)
    relief.execute(batch, 255)
    assert token.balanceOf(payees[255]) == 1
    assert vault.executedChunks(batch.id) == 1 << 255


# ---- once, and only what was signed --------------------------------------------------------------


@pytest.mark.parametrize("chunk_index", [0, 1, 2])
def test_a_chunk_runs_once(relief, batch, chunk_index):
    relief.execute(batch, chunk_index)
    with refused("ChunkAlreadyExecuted", batch.id, chunk_index):
        relief.execute(batch, chunk_index)


def test_a_chunk_does_not_run_under_another_index(relief, batch):
    relief.execute(batch, 0)
    with refused("ChunkNotApproved", batch.id, 1):
        _send(relief, batch, 0, at=1)


def test_two_equal_chunks_run_once_each(relief, token):
    payee = relief.payees(1)[0]
    batch = relief.batch([(payee, 5), (payee, 5)], chunk_size=1)
    relief.approve(batch)
    relief.execute(batch, 0)
    with refused("ChunkNotApproved", batch.id, 1):
        _send(relief, batch, 0, at=1)
    relief.execute(batch, 1)
    assert token.balanceOf(payee) == 10


def test_a_list_changed_by_one_unit_after_approval_does_not_run(relief, batch):
    (payee, amount), second = batch.entries[:2]
    changed = packed_chunks([(payee, amount + 1), second], 2)[0]
    with refused("ChunkNotApproved", batch.id, 0):
        _send(relief, batch, 0, entries=changed)


def test_a_list_changed_by_one_address_after_approval_does_not_run(relief, batch):
    (_, amount), second = batch.entries[:2]
    changed = packed_chunks([(relief.anyone.address, amount), second], 2)[0]
    with refused("ChunkNotApproved", batch.id, 0):
        _send(relief, batch, 0, entries=changed)


def test_entries_in_another_order_do_not_run(relief, batch):
    changed = packed_chunks(batch.entries[1::-1], 2)[0]
    with refused("ChunkNotApproved", batch.id, 0):
        _send(relief, batch, 0, entries=changed)


def test_a_wrong_proof_does_not_run(relief, vault, batch):
    proof = batch.proof(0)
    proof[7] = bytes(31) + b"\x01"
    with refused("ChunkNotApproved", batch.id, 0):
        vault.executeChunk(batch.id, 0, batch.chunks[0], proof, {"from": relief.anyone})


def test_a_chunk_of_another_batch_does_not_run(relief, vault, batch):
    other = relief.batch(batch.entries, chunk_size=2)
    relief.approve(other)
    with refused("ChunkNotApproved", other.id, 0):
        vault.executeChunk(other.id, 0, batch.chunks[0], batch.proof(0), {"from": relief.anyone})


def test_a_chunk_of_another_length_is_refused(relief, batch):
    with refused("WrongChunkLength", 28, 56):
        _send(relief, batch, 0, entries=batch.chunks[0][:28])
    with refused("WrongChunkLength", 56, 28):
        _send(relief, batch, 0, at=2)


def test_an_index_behind_the_last_chunk_is_refused(relief, batch):
    for behind in (3, 5):
        with refused("ChunkOutOfRange", behind, 3):
            _send(relief, batch, 0, at=behind)


def test_an_unknown_batch_is_refused(relief, batch):
    unsigned = relief.batch(batch.entries)
    with refused("UnknownBatch", unsigned.id):
        relief.execute(unsigned)


def test_a_chunk_that_makes_more_than_the_signed_total_is_refused(relief):
    first, second = relief.payees(2)
    relief.approve(relief.batch([(first, 1000)]))  # whose commitment it could use up
    batch = relief.batch([(first, 10), (second, 20)], chunk_size=1, total=19)
    relief.approve(batch)
    with refused("TotalMismatch", batch.id):
        relief.execute(batch, 1)


def test_a_last_chunk_that_leaves_some_of_the_signed_total_is_refused(relief):
    first, second = relief.payees(2)
    batch = relief.batch([(first, 10), (second, 20)], chunk_size=1, total=31)
    relief.approve(batch)
    relief.execute(batch, 0)
    with refused("TotalMismatch", batch.id):
        relief.execute(batch, 1)


def test_the_whole_total_may_be_paid_before_the_last_chunk(relief, vault, token):
    first, second = relief.payees(2)
    batch = relief.batch([(first, 10), (second, 0)], chunk_size=1)
    relief.approve(batch)
    relief.execute(batch, 0)
    relief.execute(batch, 1)
    assert (token.balanceOf(first), token.balanceOf(second)) == (10, 0)
    assert vault.executedChunks(batch.id) == 0b11


@pytest.mark.parametrize("kind", [0, 1], ids=["one-off", "stream"])
def test_a_payout_over_the_programmes_cap_is_refused(relief, kind):
    first, second = relief.payees(2)
    prepare = relief.stream_batch if kind else relief.batch
    at_cap = prepare([(first, TIERED_PAYOUT_CAP)], programme=TIERED)
    over = prepare([(first, 1), (second, TIERED_PAYOUT_CAP + 1)], programme=TIERED)
    for batch in (at_cap, over):
        relief.approve(batch)
    relief.execute(at_cap)
    with refused("EntryAboveCap", 1, TIERED_PAYOUT_CAP + 1, TIERED_PAYOUT_CAP):
        relief.execute(over)


# ---- when ----------------------------------------------------------------------------------------


def test_a_chunk_runs_until_the_second_before_its_deadline(relief):
    payee = relief.payees(1)[0]
    deadline = now() + DAY
    batch = relief.batch([(payee, 1), (payee, 2)], chunk_size=1, executeBefore=deadline)
    relief.approve(batch)
    next_transaction_at(deadline - 1)
    relief.execute(batch, 0)
    next_transaction_at(deadline)
    with refused("ExecutionClosed", deadline):
        relief.execute(batch, 1)


def test_a_cancelled_batch_does_not_run(relief, batch):
    relief.cancel_batch(batch)
    with refused("BatchIsCancelled", batch.id):
        relief.execute(batch)


# ---- payees who cannot be paid -------------------------------------------------------------------


def _unpayable(relief, reason):
    frozen = relief.payees(1, 1000)[0]
    if reason == 4:
        relief.freeze(frozen)
    return {1: ZERO_ADDRESS, 2: relief.token.address, 3: relief.vault.address, 4: frozen}[reason]


@pytest.mark.parametrize(
    "reason", [1, 2, 3, 4], ids=["zero address", "the token", "the vault", "frozen"]
)
def test_a_payee_who_cannot_be_paid_is_skipped_and_the_amount_stays_committed(
    relief, vault, token, reason
):
    payee, unpayable = relief.payees(1)[0], _unpayable(relief, reason)
    batch = relief.batch([(payee, 10), (unpayable, 20), (payee, 30)])
    relief.approve(batch)
    seq = vault.seq()
    transaction = relief.execute(batch)

    (paid,) = emitted(transaction, "ChunkPaid")
    assert (paid["paid"], paid["skippedLow"], paid["skippedHigh"]) == (40, 0b010, 0)
    assert emitted(transaction, "PayoutSkipped") == [
        {
            "batchId": batch.id,
            "index": 1,
            "payee": unpayable,
            "amount": 20,
            "reason": reason,
            "seq": seq + 2,
        }
    ]
    assert vault.skippedPayout(batch.id, 1) == (unpayable, 20)
    assert vault.batch(batch.id)[-1] == 0
    assert (token.balanceOf(payee), token.totalSupply(), token.committed()) == (40, 40, 20)
    assert token.balanceOf(unpayable) == 0


def test_a_single_unit_that_is_skipped_is_kept(relief, vault, token):
    payee, frozen = relief.payees(2)
    relief.freeze(frozen)
    batch = relief.pay([(payee, 5), (frozen, 1)])
    assert vault.skippedPayout(batch.id, 1) == (frozen, 1)
    relief.unfreeze(frozen)
    vault.retryPayout(batch.id, 1, {"from": relief.anyone})
    assert token.balanceOf(frozen) == 1


def test_skipped_payouts_of_later_chunks_keep_their_index_in_the_batch(relief, vault):
    frozen = relief.payees(1, 1000)[0]
    relief.freeze(frozen)
    entries = [(payee, 1) for payee in relief.payees(299)] + [(frozen, 5)]
    batch = relief.batch(entries + entries, chunk_size=300)
    relief.approve(batch)
    transaction = relief.execute(batch, 1)
    (paid,) = emitted(transaction, "ChunkPaid")
    assert (paid["skippedLow"], paid["skippedHigh"]) == (0, 1 << (299 - 256))
    assert emitted(transaction, "PayoutSkipped")[0]["index"] == 599
    assert vault.skippedPayout(batch.id, 599) == (frozen, 5)


def test_a_payout_of_zero_is_neither_paid_nor_skipped(relief):
    first, second = relief.payees(2)
    batch = relief.batch([(first, 0), (second, 5)])
    relief.approve(batch)
    transaction = relief.execute(batch)
    assert [event["to"] for event in emitted(transaction, "Transfer")] == [second]
    assert emitted(transaction, "PayoutSkipped") == []


def test_a_relayer_cannot_pay_what_was_only_signed(relief, vault, batch):
    unsent = relief.batch(batch.entries)
    sign_batch(vault, unsent.approval, relief.officers(1, 2))
    with refused("UnknownBatch", unsent.id):
        relief.execute(unsent)
