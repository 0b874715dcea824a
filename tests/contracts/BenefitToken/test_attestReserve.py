"""attestReserve: ever newer, never from the future, with the redemptions it includes."""

import pytest
from clock import DAY, advance, next_transaction_at, now
from deployment import RESERVE
from outcomes import emitted, refused, unauthorized

DOCUMENT = bytes(31) + b"\x01"
REFERENCE = bytes(32)


@pytest.fixture
def attest(relief):
    """Attest 5,000 as of the newest block, or what the keywords say."""

    def send(amount=5_000, included=0, as_of=None, sender=None):
        as_of = now() if as_of is None else as_of
        return relief.token.attestReserve(
            amount, included, as_of, DOCUMENT, {"from": sender or relief.attestor}
        )

    return send


def test_an_attestation_is_stored_and_announced(token, attest):
    as_of = now()
    transaction = attest(as_of=as_of)
    assert emitted(transaction, "ReserveAttested") == [
        {
            "amount": 5_000,
            "redemptionsIncluded": 0,
            "asOf": as_of,
            "documentHash": DOCUMENT,
        }
    ]
    assert token.attestation() == (5_000, 0, as_of)
    assert token.reserve() == 5_000


def test_an_attestation_as_of_the_same_second_is_refused(attest):
    as_of = now()
    attest(as_of=as_of)
    with refused("AttestationNotNewer", as_of, as_of):
        attest(as_of=as_of)


def test_an_older_attestation_is_refused(token, attest):
    previous = token.attestation()[2]
    with refused("AttestationNotNewer", previous - 1, previous):
        attest(as_of=previous - 1)


def test_an_attestation_from_the_future_is_refused(attest):
    as_of = now() + DAY
    next_transaction_at(as_of - 1)
    with refused("AttestationInFuture", as_of):
        attest(as_of=as_of)
    next_transaction_at(as_of)
    attest(as_of=as_of)


def test_redemptions_it_does_not_include_lower_the_reserve(token, alice, attest):
    token.redeem(300, REFERENCE, {"from": alice})
    assert token.reserve() == RESERVE - 300
    attest(amount=5_000, included=200)
    assert token.reserve() == 4_900
    advance(1)
    attest(amount=4_700, included=300)
    assert token.reserve() == 4_700


def test_more_redemptions_than_there_were_cannot_be_included(token, alice, attest):
    token.redeem(300, REFERENCE, {"from": alice})
    with refused("RedemptionsOutOfRange", 301, 0, 300):
        attest(included=301)


def test_redemptions_once_included_stay_included(token, alice, attest):
    token.redeem(300, REFERENCE, {"from": alice})
    attest(included=300)
    advance(1)
    with refused("RedemptionsOutOfRange", 299, 300, 300):
        attest(included=299)


def test_redemptions_beyond_the_reserve_leave_none(token, alice, attest):
    attest(amount=100)
    token.redeem(300, REFERENCE, {"from": alice})
    assert token.reserve() == 0


def test_a_lower_attestation_stops_commitments_only(relief, token, attest):
    payee = relief.payees(1)[0]
    approved = relief.batch([(payee, 10_000)])
    relief.approve(approved)
    attest(amount=5_000)
    with refused("ReserveExceeded", 10_001, 5_000):
        relief.approve(relief.batch([(payee, 1)]))
    relief.execute(approved)
    assert token.balanceOf(payee) == 10_000


def test_only_the_attestor_may(relief, attest):
    with unauthorized(relief.treasurer):
        attest(sender=relief.treasurer)
