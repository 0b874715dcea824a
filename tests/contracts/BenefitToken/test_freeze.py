"""freeze and unfreeze: a flag beside the balance, which it never changes."""

import pytest
from outcomes import ZERO_ADDRESS, emitted, unauthorized


def test_a_freeze_is_announced_and_leaves_the_balance(relief, token, alice):
    assert emitted(relief.freeze(alice), "Frozen") == [{"account": alice.address}]
    assert token.isFrozen(alice)
    assert token.balanceOf(alice) == 1_000


def test_unfreezing_is_announced_and_leaves_the_balance(relief, token, alice, bob):
    relief.freeze(alice)
    assert emitted(relief.unfreeze(alice), "Unfrozen") == [{"account": alice.address}]
    assert not token.isFrozen(alice)
    token.transfer(bob, 1_000, {"from": alice})
    assert token.balanceOf(bob) == 1_000


def test_freezing_twice_is_freezing_once(relief, token, alice):
    relief.freeze(alice)
    relief.freeze(alice)
    relief.unfreeze(alice)
    assert not token.isFrozen(alice)
    assert token.balanceOf(alice) == 1_000


def test_why_an_account_cannot_be_paid(relief, token, vault, alice, bob):
    relief.freeze(alice)
    accounts = (bob, ZERO_ADDRESS, token, vault, alice)
    assert [token.unpayableReason(account, vault) for account in accounts] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("function", ["freeze", "unfreeze"])
def test_only_the_freezer_may(relief, token, bob, function):
    with unauthorized(relief.guardian):
        getattr(token, function)(bob, {"from": relief.guardian})
