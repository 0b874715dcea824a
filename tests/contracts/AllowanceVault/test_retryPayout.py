"""retryPayout: a skipped payout is paid once its payee can be, and only once."""

import pytest
from clock import DAY, next_transaction_at
from outcomes import ZERO_ADDRESS, emitted, refused


@pytest.fixture
def frozen(relief):
    """A frozen wallet."""
    wallet = relief.payees(1, 77)[0]
    relief.freeze(wallet)
    return wallet


@pytest.fixture
def skipped(relief, frozen):
    """A run batch whose payout 1, of 20 to the frozen wallet, was skipped."""
    return relief.pay([(relief.payees(1)[0], 10), (frozen, 20)])


def test_a_retry_pays_the_recorded_payee_and_announces_it(relief, vault, token, frozen, skipped):
    relief.unfreeze(frozen)
    seq = vault.seq()
    transaction = vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    assert emitted(transaction, "PayoutRetried") == [
        {"batchId": skipped.id, "index": 1, "payee": frozen, "amount": 20, "seq": seq + 1}
    ]
    assert (token.balanceOf(frozen), token.totalSupply(), token.committed()) == (20, 30, 0)
    assert vault.skippedPayout(skipped.id, 1) == (ZERO_ADDRESS, 0)


def test_a_retry_pays_once(relief, vault, frozen, skipped):
    relief.unfreeze(frozen)
    vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    with refused("NotSkipped", skipped.id, 1):
        vault.retryPayout(skipped.id, 1, {"from": relief.anyone})


def test_a_payee_still_frozen_is_refused_and_nothing_is_lost(relief, vault, token, frozen, skipped):
    with refused("Unpayable", frozen, 4):
        vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    assert vault.skippedPayout(skipped.id, 1)[1] == 20
    assert token.committed() == 20


def test_a_payout_that_was_paid_is_refused(relief, vault, skipped):
    with refused("NotSkipped", skipped.id, 0):
        vault.retryPayout(skipped.id, 0, {"from": relief.anyone})


def test_an_unknown_batch_is_refused(relief, vault):
    with refused("UnknownBatch", bytes(32)):
        vault.retryPayout(bytes(32), 0, {"from": relief.anyone})


def test_a_cancelled_batch_still_pays_what_was_skipped(relief, vault, token, frozen, skipped):
    relief.cancel_batch(skipped)
    relief.unfreeze(frozen)
    vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    assert token.balanceOf(frozen) == 20


def test_a_payout_is_retried_however_late(relief, vault, token, frozen, skipped):
    relief.unfreeze(frozen)
    next_transaction_at(skipped.approval["expiresAt"] + 365 * DAY)
    vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    assert token.balanceOf(frozen) == 20
