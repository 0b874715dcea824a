"""holdBatch: one reviewer delays a batch, once, and never kills it."""

import pytest
from clock import DAY, HOUR, next_transaction_at, now
from outcomes import emitted, refused

HOLD = 72 * HOUR


@pytest.fixture
def batch(relief):
    """An approved batch of two chunks whose time to run is ten days."""
    batch = relief.batch(list(zip(relief.payees(2), (10, 20), strict=True)), chunk_size=1)
    relief.approve(batch)
    return batch


def test_a_hold_delays_the_chunks_and_is_announced(relief, vault, token, batch):
    seq, time = vault.seq(), now() + 100
    action_id, deadline, signatures = relief.signed_action(
        vault, "BatchHold", {"batchId": batch.id}, (3,)
    )
    next_transaction_at(time)
    transaction = vault.holdBatch(
        batch.id, action_id, deadline, signatures, {"from": relief.anyone}
    )
    assert emitted(transaction, "BatchHeld") == [
        {
            "batchId": batch.id,
            "officerId": 3,
            "executeFrom": time + HOLD,
            "actionId": action_id,
            "deadline": deadline,
            "signatures": signatures,
            "seq": seq + 1,
        }
    ]
    next_transaction_at(time + HOLD - 1)
    with refused("ExecutionNotOpen", time + HOLD):
        relief.execute(batch)
    next_transaction_at(time + HOLD)
    relief.execute(batch)
    assert token.totalSupply() == 10


def test_a_hold_leaves_a_day_to_run_the_chunks(relief, vault, batch):
    before = batch.approval["executeBefore"]
    next_transaction_at(before - 2 * DAY)
    relief.hold_batch(batch)
    assert vault.batch(batch.id)[-4] == before - DAY
    with refused("NothingToHold", batch.id):
        relief.hold_batch(batch, 3)  # already as late as it may be
    next_transaction_at(before - DAY)
    relief.execute(batch)


def test_in_the_last_day_nothing_is_held(relief, batch):
    next_transaction_at(batch.approval["executeBefore"] - DAY)
    with refused("NothingToHold", batch.id):
        relief.hold_batch(batch)


def test_a_hold_never_shortens_a_delay(relief, vault, batch):
    next_transaction_at(now() + DAY)
    relief.hold_batch(batch)
    first = vault.batch(batch.id)[-4]
    next_transaction_at(first - HOUR)
    relief.hold_batch(batch, 3)
    assert vault.batch(batch.id)[-4] == first - HOUR + HOLD > first


def test_each_officer_holds_a_batch_once(relief, batch):
    relief.hold_batch(batch)
    next_transaction_at(now() + DAY)
    with refused("AlreadyHeld", batch.id, 2):
        relief.hold_batch(batch)
    relief.hold_batch(batch, 3)


def test_the_same_signature_twice_is_refused(relief, vault, batch):
    signed = relief.signed_action(vault, "BatchHold", {"batchId": batch.id}, (2,))
    vault.holdBatch(batch.id, *signed, {"from": relief.anyone})
    with refused("AlreadyHeld", batch.id, 2):
        vault.holdBatch(batch.id, *signed, {"from": relief.anyone})


def test_a_quorum_cancels_what_is_held(relief, token, batch):
    relief.hold_batch(batch)
    relief.cancel_batch(batch)
    assert token.committed() == 0
    with refused("BatchIsCancelled", batch.id):
        relief.hold_batch(batch, 3)


def test_a_batch_that_ran_is_not_held(relief, batch):
    relief.execute(batch, 0)
    relief.execute(batch, 1)
    with refused("NothingToHold", batch.id):
        relief.hold_batch(batch)


def test_an_unknown_batch_is_refused(relief, batch):
    unsigned = relief.batch(batch.entries)
    with refused("UnknownBatch", unsigned.id):
        relief.hold_batch(unsigned)


def test_who_is_no_reviewer_of_the_region_is_refused(relief, batch):
    with refused("OfficerLacksRole", 1, 2):
        relief.hold_batch(batch, 1)
    with refused("OfficerOutsideRegion", 5, 510722, 6):
        relief.hold_batch(batch, 5)


def test_two_officers_at_once_are_refused(relief, vault, batch):
    signed = relief.signed_action(vault, "BatchHold", {"batchId": batch.id}, (2, 3))
    with refused("MoreThanOneOfficer", 2):
        vault.holdBatch(batch.id, *signed, {"from": relief.anyone})


def test_after_the_deadline_it_is_refused(relief, vault, batch):
    deadline = now() + HOUR
    action_id, _, signatures = relief.signed_action(
        vault, "BatchHold", {"batchId": batch.id}, (2,), deadline=deadline
    )
    next_transaction_at(deadline + 1)
    with refused("ActionExpired", action_id, deadline):
        vault.holdBatch(batch.id, action_id, deadline, signatures, {"from": relief.anyone})


def test_the_signature_for_another_batch_does_nothing(relief, vault, batch):
    other = relief.batch(batch.entries, chunk_size=1)
    relief.approve(other)
    signed = relief.signed_action(vault, "BatchHold", {"batchId": other.id}, (2,))
    signer = bytes.fromhex(relief.officers(2)[0].key.address[2:])
    with refused("WrongSignature", 2, 1, signer):
        vault.holdBatch(batch.id, *signed, {"from": relief.anyone})
