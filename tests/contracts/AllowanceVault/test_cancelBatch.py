"""cancelBatch: what was not run returns to the budget, by a quorum of reviewers for the region."""

import pytest
from deployment import SIMPLE
from outcomes import emitted, refused


@pytest.fixture
def batch(relief):
    """An approved batch of three payouts, 10, 20 and 30, the first of which was run."""
    batch = relief.batch(list(zip(relief.payees(3), (10, 20, 30), strict=True)), chunk_size=1)
    relief.approve(batch)
    relief.execute(batch, 0)
    return batch


def test_the_rest_returns_to_the_budget_and_is_announced(relief, vault, token, batch):
    seq = vault.seq()
    action_id, deadline, signatures = relief.signed_action(
        vault, "BatchCancellation", {"batchId": batch.id}, (2, 3)
    )
    transaction = vault.cancelBatch(
        batch.id, action_id, deadline, signatures, {"from": relief.anyone}
    )
    assert emitted(transaction, "BatchCancelled") == [
        {
            "batchId": batch.id,
            "returned": 50,
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 1,
        }
    ]
    assert emitted(transaction, "Released") == [
        {"minter": vault.address, "amount": 50, "outstanding": 10}
    ]
    stored = vault.batch(batch.id)
    assert (stored[2], stored[-1]) == (2, 0)
    assert vault.programme(SIMPLE)[1] == 10
    assert token.committed() == 0
    assert token.totalSupply() == 10


def test_open_streams_of_a_cancelled_batch_go_on(relief, vault, token):
    first, second = relief.payees(2)
    batch = relief.stream_batch([(first, 90), (second, 180)], chunk_size=1)
    relief.approve(batch)
    relief.execute(batch, 0)
    relief.cancel_batch(batch)
    assert token.committed() == 90
    with refused("BatchIsCancelled", batch.id):
        relief.execute(batch, 1)
    relief.move_to_end_of(batch)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(first) == 90


def test_a_batch_is_cancelled_once(relief, batch):
    relief.cancel_batch(batch)
    with refused("BatchIsCancelled", batch.id):
        relief.cancel_batch(batch)


def test_an_unknown_batch_is_refused(relief, batch):
    unsigned = relief.batch(batch.entries)
    with refused("UnknownBatch", unsigned.id):
        relief.cancel_batch(unsigned)


def test_a_reviewer_from_another_region_is_refused(relief, batch):
    with refused("OfficerOutsideRegion", 5, 510722, 6):
        relief.cancel_batch(batch, officers=(2, 5))


def test_the_maker_is_no_reviewer_here_either(relief, batch):
    with refused("OfficerLacksRole", 1, 2):
        relief.cancel_batch(batch, officers=(1, 2))
