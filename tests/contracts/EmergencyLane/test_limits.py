"""scheduleLimits, applyLimits, lowerLimits: slowly up by governors, at once down by the treasurer."""

import pytest
from clock import DAY, advance, next_transaction_at
from deployment import LIMITS
from outcomes import emitted, refused, unauthorized

NAMES = list(LIMITS)
RAISED = {name: value + 1 for name, value in LIMITS.items()}
NO_LIMITS = (0,) * len(LIMITS)


def as_tuple(**changed):
    """The limits of the deployment with some of them changed."""
    return tuple((LIMITS | changed).values())


@pytest.fixture
def schedule(relief):
    """Have governors plan limits."""

    def send(limits):
        signed = relief.signed_action(relief.lane, "LimitsRaise", limits, (6, 7))
        return relief.lane.scheduleLimits(tuple(limits.values()), *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def lower(relief):
    """Lower limits as the treasurer."""
    return lambda limits: relief.lane.lowerLimits(limits, {"from": relief.treasurer})


def test_a_raise_is_planned_and_does_not_apply_yet(relief, lane):
    seq = lane.seq()
    action_id, deadline, signatures = relief.signed_action(lane, "LimitsRaise", RAISED, (6, 7))
    transaction = lane.scheduleLimits(
        tuple(RAISED.values()), action_id, deadline, signatures, {"from": relief.anyone}
    )
    applies_from = transaction.timestamp + 2 * DAY
    assert emitted(transaction, "LimitsRaiseScheduled") == [
        {
            "limits": tuple(RAISED.values()),
            "appliesFrom": applies_from,
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 1,
        }
    ]
    assert lane.limits() == as_tuple()
    assert lane.pendingLimits() == (tuple(RAISED.values()), applies_from)


def test_anyone_applies_a_raise_from_the_second_its_delay_is_over(relief, lane, schedule):
    applies_from = schedule(RAISED).timestamp + 2 * DAY
    next_transaction_at(applies_from - 1)
    with refused("LimitsRaiseNotDue", applies_from):
        lane.applyLimits({"from": relief.anyone})
    seq = lane.seq()
    next_transaction_at(applies_from)
    transaction = lane.applyLimits({"from": relief.anyone})
    assert emitted(transaction, "LimitsChanged") == [
        {"limits": tuple(RAISED.values()), "seq": seq + 1}
    ]
    assert lane.limits() == tuple(RAISED.values())
    assert lane.pendingLimits() == (NO_LIMITS, 0)
    with refused("LimitsRaiseNotDue", 0):
        lane.applyLimits({"from": relief.anyone})


def test_a_later_plan_takes_the_place_of_the_earlier_one(relief, lane, schedule):
    schedule(RAISED)
    advance(DAY)
    second = {**LIMITS, "perGrant": LIMITS["perGrant"] + 5}
    applies_from = schedule(second).timestamp + 2 * DAY
    assert lane.pendingLimits() == (tuple(second.values()), applies_from)


@pytest.mark.parametrize("member", range(len(LIMITS)), ids=NAMES)
def test_each_limit_is_lowered_at_once_and_not_raised(lane, lower, member):
    name = NAMES[member]
    seq = lane.seq()
    lowered = as_tuple(**{name: LIMITS[name] - 1})
    transaction = lower(lowered)
    assert emitted(transaction, "LimitsChanged") == [{"limits": lowered, "seq": seq + 1}]
    assert lane.limits() == lowered
    with refused("LimitNotLower", member, LIMITS[name], LIMITS[name] - 1):
        lower(as_tuple())


@pytest.mark.parametrize("member", range(len(LIMITS)), ids=NAMES)
def test_no_limit_becomes_nothing(schedule, lower, member):
    without = LIMITS | {NAMES[member]: 0}
    with refused("ZeroLimit", member):
        lower(tuple(without.values()))
    with refused("ZeroLimit", member):
        schedule(without)


@pytest.mark.parametrize("window", [DAY - 1, 14 * DAY + 1])
def test_the_window_is_between_a_day_and_fourteen(schedule, window):
    with refused("InvalidWindow", window, DAY, 14 * DAY):
        schedule(LIMITS | {"countersignWindow": window})


@pytest.mark.parametrize("window", [DAY, 14 * DAY])
def test_a_window_of_a_day_and_one_of_fourteen_are_taken(lane, schedule, relief, window):
    schedule(LIMITS | {"countersignWindow": window})
    advance(2 * DAY)
    lane.applyLimits({"from": relief.anyone})
    assert lane.limits()[3] == window


def test_a_shorter_window_than_a_day_is_not_lowered_to(lower):
    with refused("InvalidWindow", DAY - 1, DAY, 14 * DAY):
        lower(as_tuple(countersignWindow=DAY - 1))


def test_lowering_drops_a_planned_raise_even_where_it_lowers_nothing(relief, lane, schedule, lower):
    schedule(RAISED)
    lower(as_tuple())
    assert lane.pendingLimits() == (NO_LIMITS, 0)
    advance(2 * DAY)
    with refused("LimitsRaiseNotDue", 0):
        lane.applyLimits({"from": relief.anyone})


def test_only_the_treasurer_lowers(relief, lane):
    for sender in (relief.anyone, relief.guardian, relief.planner):
        with unauthorized(sender):
            lane.lowerLimits(as_tuple(), {"from": sender})
