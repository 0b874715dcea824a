"""lowerCap: the cap on supply and commitments falls at once."""

import pytest
from deployment import TOKEN_CAP
from outcomes import emitted, refused, unauthorized


@pytest.fixture
def lower(relief):
    """Lower the cap as the treasurer."""
    return lambda cap: relief.token.lowerCap(cap, {"from": relief.treasurer})


def test_a_lower_cap_is_stored_and_announced(token, lower):
    transaction = lower(TOKEN_CAP - 1)
    assert emitted(transaction, "CapLowered") == [{"cap": TOKEN_CAP - 1}]
    assert token.cap() == TOKEN_CAP - 1


@pytest.mark.parametrize("more", [0, 1])
def test_a_cap_that_is_not_lower_is_refused(lower, more):
    with refused("CapNotLower", TOKEN_CAP + more, TOKEN_CAP):
        lower(TOKEN_CAP + more)


def test_a_cap_of_zero_is_refused(lower):
    with refused("ZeroCap"):
        lower(0)


def test_a_cap_below_what_is_committed_stops_commitments_only(relief, token, lower):
    payee = relief.payees(1)[0]
    batch = relief.batch([(payee, 100)])
    relief.approve(batch)
    lower(50)
    with refused("CapExceeded", 101, 50):
        relief.approve(relief.batch([(payee, 1)]))
    relief.execute(batch)
    assert token.balanceOf(payee) == 100


def test_only_the_treasurer_may(relief, token):
    with unauthorized(relief.attestor):
        token.lowerCap(1, {"from": relief.attestor})
