"""scheduleCap and applyCap: the cap rises by a quorum of governors and after two days only."""

import pytest
from clock import DAY, advance, next_transaction_at
from deployment import TOKEN_CAP
from outcomes import emitted, refused

HIGHER = TOKEN_CAP + 1


@pytest.fixture
def schedule(relief):
    """Have governors plan a higher cap."""

    def send(cap=HIGHER):
        signed = relief.signed_action(relief.token, "CapIncrease", {"cap": cap}, (6, 7))
        return relief.token.scheduleCap(cap, *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def apply(relief):
    """Apply a planned cap, as anybody may."""
    return lambda: relief.token.applyCap({"from": relief.anyone})


@pytest.fixture
def lower(relief):
    """Lower the cap as the treasurer."""
    return lambda cap: relief.token.lowerCap(cap, {"from": relief.treasurer})


def test_a_plan_is_stored_and_announced_and_changes_no_cap_yet(relief, token):
    action_id, deadline, signatures = relief.signed_action(
        token, "CapIncrease", {"cap": HIGHER}, (6, 7)
    )
    transaction = token.scheduleCap(
        HIGHER, action_id, deadline, signatures, {"from": relief.anyone}
    )
    applies_from = transaction.timestamp + 2 * DAY
    assert emitted(transaction, "CapIncreaseScheduled") == [
        {
            "cap": HIGHER,
            "appliesFrom": applies_from,
            "actionId": action_id,
            "signatures": signatures,
        }
    ]
    assert token.pendingCap() == (HIGHER, applies_from)
    assert token.cap() == TOKEN_CAP


def test_anyone_applies_it_from_the_second_its_two_days_are_over(token, schedule, apply):
    applies_from = schedule().timestamp + 2 * DAY
    next_transaction_at(applies_from - 1)
    with refused("CapIncreaseNotDue", applies_from):
        apply()
    next_transaction_at(applies_from)
    assert emitted(apply(), "CapRaised") == [{"cap": HIGHER}]
    assert token.cap() == HIGHER
    assert token.pendingCap() == (0, 0)
    with refused("CapIncreaseNotDue", 0):
        apply()


def test_without_a_plan_there_is_nothing_to_apply(apply):
    with refused("CapIncreaseNotDue", 0):
        apply()


@pytest.mark.parametrize("less", [0, 1])
def test_a_cap_that_is_not_higher_is_refused(schedule, less):
    with refused("CapNotHigher", TOKEN_CAP - less, TOKEN_CAP):
        schedule(TOKEN_CAP - less)


def test_a_lower_cap_drops_the_plan(token, schedule, apply, lower):
    schedule()
    lower(TOKEN_CAP - 1)
    assert token.pendingCap() == (0, 0)
    advance(2 * DAY)
    with refused("CapIncreaseNotDue", 0):
        apply()
    assert token.cap() == TOKEN_CAP - 1


def test_a_later_plan_replaces_the_first_and_waits_anew(token, schedule, apply):
    schedule(HIGHER + 5)
    advance(DAY)
    applies_from = schedule().timestamp + 2 * DAY
    advance(DAY)
    with refused("CapIncreaseNotDue", applies_from):
        apply()
    next_transaction_at(applies_from)
    apply()
    assert token.cap() == HIGHER


def test_what_a_stolen_treasurers_key_stopped_goes_on(relief, token, schedule, apply, lower):
    payee = relief.payees(1)[0]
    lower(1)
    with refused("CapExceeded", 100, 1):
        relief.approve(relief.batch([(payee, 100)]))
    schedule(TOKEN_CAP)
    advance(2 * DAY)
    apply()
    relief.pay([(payee, 100)])
    assert token.balanceOf(payee) == 100
