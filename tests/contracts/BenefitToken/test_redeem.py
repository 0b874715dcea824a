"""redeem: tokens are burnt against fiat, and the reserve in force falls with them."""

from deployment import RESERVE
from outcomes import ZERO_ADDRESS, emitted, refused

REFERENCE = bytes(31) + b"\x09"


def test_a_redemption_burns_and_is_announced_with_the_running_total(token, alice):
    token.redeem(100, REFERENCE, {"from": alice})
    transaction = token.redeem(300, REFERENCE, {"from": alice})
    assert emitted(transaction, "Redeemed") == [
        {
            "from": alice.address,
            "amount": 300,
            "paymentReference": REFERENCE,
            "redeemedTotal": 400,
        }
    ]
    assert emitted(transaction, "Transfer") == [
        {"from": alice.address, "to": ZERO_ADDRESS, "value": 300}
    ]
    assert (token.balanceOf(alice), token.totalSupply()) == (600, 600)
    assert token.redeemedTotal() == 400


def test_a_redemption_lowers_the_reserve_in_force(token, alice):
    assert token.reserve() == RESERVE
    token.redeem(300, REFERENCE, {"from": alice})
    assert token.reserve() == RESERVE - 300


def test_nothing_is_not_redeemed(token, alice):
    with refused("ZeroAmount"):
        token.redeem(0, REFERENCE, {"from": alice})


def test_more_than_the_balance_is_refused(token, alice):
    with refused("InsufficientBalance", alice, 1_000, 1_001):
        token.redeem(1_001, REFERENCE, {"from": alice})


def test_a_frozen_holder_is_refused(relief, token, alice):
    relief.freeze(alice)
    with refused("AccountFrozen", alice):
        token.redeem(1, REFERENCE, {"from": alice})


def test_a_pause_of_transfers_stops_redemptions(token, alice, pause_transfers):
    pause_transfers()
    with refused("TransfersArePaused"):
        token.redeem(1, REFERENCE, {"from": alice})
