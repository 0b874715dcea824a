"""transfer, transferFrom, approve: ERC-20 with the freeze on both sides and the pause."""

import pytest
from outcomes import ZERO_ADDRESS, emitted, refused

UNLIMITED = 2**256 - 1


def test_the_token_names_itself(token):
    assert (token.name(), token.symbol(), token.decimals()) == ("Relief Benefit Token", "RBT", 6)


def test_a_transfer_moves_tokens_and_is_announced(token, alice, bob):
    transaction = token.transfer(bob, 400, {"from": alice})
    assert emitted(transaction, "Transfer") == [
        {"from": alice.address, "to": bob.address, "value": 400}
    ]
    assert (token.balanceOf(alice), token.balanceOf(bob)) == (600, 400)
    assert token.totalSupply() == 1_000


def test_transfers_and_approvals_return_true(token, alice, bob):
    assert token.transfer.call(bob, 1, {"from": alice})
    assert token.approve.call(bob, 1, {"from": alice})
    assert token.transferFrom.call(bob, alice, 0, {"from": alice})


def test_a_transfer_to_oneself_neither_doubles_nor_loses(token, alice):
    token.transfer(alice, 1_000, {"from": alice})
    assert token.balanceOf(alice) == 1_000


def test_a_transfer_of_nothing_is_a_transfer(token, alice, bob):
    transaction = token.transfer(alice, 0, {"from": bob})
    assert emitted(transaction, "Transfer")[0]["value"] == 0


def test_more_than_the_balance_is_refused(token, alice, bob):
    with refused("InsufficientBalance", alice, 1_000, 1_001):
        token.transfer(bob, 1_001, {"from": alice})


def test_an_amount_that_reaches_the_freeze_bit_is_refused(token, alice, bob):
    with refused("InsufficientBalance", alice, 1_000, 2**255):
        token.transfer(bob, 2**255, {"from": alice})


@pytest.mark.parametrize("receiver", ["zero", "token"])
def test_nobody_sends_to_the_zero_address_or_the_token(token, alice, receiver):
    address = ZERO_ADDRESS if receiver == "zero" else token.address
    with refused("InvalidReceiver", address):
        token.transfer(address, 1, {"from": alice})


def test_a_frozen_sender_is_refused(relief, token, alice, bob):
    relief.freeze(alice)
    with refused("AccountFrozen", alice):
        token.transfer(bob, 1, {"from": alice})


def test_a_frozen_receiver_is_refused(relief, token, alice, bob):
    relief.freeze(bob)
    with refused("AccountFrozen", bob):
        token.transfer(bob, 1, {"from": alice})


def test_a_pause_stops_transfers(token, alice, bob, pause_transfers):
    pause_transfers()
    with refused("TransfersArePaused"):
        token.transfer(bob, 1, {"from": alice})


# ---- allowances ----------------------------------------------------------------------------------


def test_an_allowance_is_set_and_announced(token, alice, bob):
    transaction = token.approve(bob, 300, {"from": alice})
    assert emitted(transaction, "Approval") == [
        {"owner": alice.address, "spender": bob.address, "value": 300}
    ]
    assert token.allowance(alice, bob) == 300


def test_a_spender_spends_the_allowance_and_no_more(relief, token, alice, bob):
    token.approve(bob, 300, {"from": alice})
    transaction = token.transferFrom(alice, relief.anyone, 200, {"from": bob})
    assert emitted(transaction, "Transfer") == [
        {"from": alice.address, "to": relief.anyone.address, "value": 200}
    ]
    assert token.allowance(alice, bob) == 100
    with refused("InsufficientAllowance", bob, 100, 101):
        token.transferFrom(alice, bob, 101, {"from": bob})


def test_an_unlimited_allowance_stays(token, alice, bob):
    token.approve(bob, UNLIMITED, {"from": alice})
    token.transferFrom(alice, bob, 200, {"from": bob})
    assert token.allowance(alice, bob) == UNLIMITED
    assert token.balanceOf(bob) == 200


@pytest.mark.parametrize("frozen", ["owner", "receiver"])
def test_an_allowance_of_or_to_a_frozen_wallet_is_not_spent(relief, token, alice, bob, frozen):
    token.approve(bob, 300, {"from": alice})
    wallet = alice if frozen == "owner" else relief.anyone
    relief.freeze(wallet)
    with refused("AccountFrozen", wallet):
        token.transferFrom(alice, relief.anyone, 1, {"from": bob})


def test_a_frozen_spender_spends_what_others_allowed(relief, token, alice, bob):
    # The freeze lies on a balance; what another holder's allowance moves is that holder's.
    token.approve(bob, 300, {"from": alice})
    relief.freeze(bob)
    token.transferFrom(alice, relief.anyone, 300, {"from": bob})
    assert token.balanceOf(relief.anyone) == 300
