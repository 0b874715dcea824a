"""scheduleRegionCap, applyRegionCap, lowerRegionCap: a region's own cap in its level's place."""

import pytest
from clock import DAY, advance, next_transaction_at
from deployment import COUNTY, LIMITS, TOKENS
from outcomes import emitted, refused, unauthorized

LEVEL = LIMITS["perCounty"]


@pytest.fixture
def schedule(relief):
    """Have governors plan a region's own cap."""

    def send(cap, region=COUNTY):
        message = {"regionCode": region[0], "regionDigits": region[1], "cap": cap}
        signed = relief.signed_action(relief.lane, "RegionCapRaise", message, (6, 7))
        return relief.lane.scheduleRegionCap(*region, cap, *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def apply(relief):
    """Apply a planned cap."""
    return lambda region=COUNTY: relief.lane.applyRegionCap(*region, {"from": relief.anyone})


@pytest.fixture
def lower(relief):
    """Lower a region's cap as the treasurer."""

    def send(cap, region=COUNTY):
        return relief.lane.lowerRegionCap(*region, cap, {"from": relief.treasurer})

    return send


def test_a_region_has_its_levels_cap_until_it_has_its_own(lane):
    assert lane.regionCap(*COUNTY) == LEVEL
    assert lane.regionCap(5107, 4) == LIMITS["perCity"]
    assert lane.regionCap(51, 2) == LIMITS["perProvince"]
    assert lane.regionCap(0, 0) == LIMITS["country"]
    assert lane.pendingRegionCap(*COUNTY) == (0, 0)


def test_a_higher_cap_is_planned_announced_and_applied_after_its_delay(relief, lane, apply):
    message = {"regionCode": COUNTY[0], "regionDigits": COUNTY[1], "cap": LEVEL + 1}
    action_id, deadline, signatures = relief.signed_action(lane, "RegionCapRaise", message, (6, 7))
    seq = lane.seq()
    transaction = lane.scheduleRegionCap(
        *COUNTY, LEVEL + 1, action_id, deadline, signatures, {"from": relief.anyone}
    )
    applies_from = transaction.timestamp + 2 * DAY
    assert emitted(transaction, "RegionCapRaiseScheduled") == [
        {
            **message,
            "appliesFrom": applies_from,
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 1,
        }
    ]
    assert (lane.regionCap(*COUNTY), lane.pendingRegionCap(*COUNTY)) == (
        LEVEL,
        (LEVEL + 1, applies_from),
    )
    next_transaction_at(applies_from - 1)
    with refused("RegionCapRaiseNotDue", *COUNTY, applies_from):
        apply()
    next_transaction_at(applies_from)
    assert emitted(apply(), "RegionCapChanged") == [{**message, "seq": seq + 2}]
    assert (lane.regionCap(*COUNTY), lane.pendingRegionCap(*COUNTY)) == (LEVEL + 1, (0, 0))
    with refused("RegionCapRaiseNotDue", *COUNTY, 0):
        apply()
    assert lane.regionCap(510723, 6) == LEVEL


def test_a_regions_own_cap_holds_for_it_alone(relief, schedule, apply):
    payee = relief.payees(1)[0]
    relief.lower_limits(perCounty=2 * TOKENS)
    schedule(5 * TOKENS)
    advance(2 * DAY)
    apply()
    relief.grant(payee, 5 * TOKENS)
    with refused("RegionCapExceeded", *COUNTY, 6 * TOKENS, 5 * TOKENS):
        relief.grant(payee, TOKENS)
    with refused("RegionCapExceeded", 510723, 6, 3 * TOKENS, 2 * TOKENS):
        relief.grant(payee, 3 * TOKENS, regionCode=510723)


def test_it_does_not_lift_the_caps_above_it(relief, schedule, apply):
    relief.lower_limits(perCity=3 * TOKENS)
    schedule(5 * TOKENS)
    advance(2 * DAY)
    apply()
    with refused("RegionCapExceeded", 5107, 4, 4 * TOKENS, 3 * TOKENS):
        relief.grant(relief.payees(1)[0], 4 * TOKENS)


def test_the_treasurer_lowers_a_region_at_once_and_drops_its_raise(lane, schedule, lower, apply):
    schedule(LEVEL + 1)
    seq = lane.seq()
    transaction = lower(LEVEL - 1)
    assert emitted(transaction, "RegionCapChanged") == [
        {"regionCode": COUNTY[0], "regionDigits": COUNTY[1], "cap": LEVEL - 1, "seq": seq + 1}
    ]
    assert (lane.regionCap(*COUNTY), lane.pendingRegionCap(*COUNTY)) == (LEVEL - 1, (0, 0))
    advance(2 * DAY)
    with refused("RegionCapRaiseNotDue", *COUNTY, 0):
        apply()
    with refused("RegionCapNotLower", *COUNTY, LEVEL, LEVEL - 1):
        lower(LEVEL)


def test_a_regions_own_cap_stays_when_its_levels_is_lowered(relief, lane, schedule, apply):
    schedule(LEVEL + 1)
    advance(2 * DAY)
    apply()
    relief.lower_limits(perCounty=1)
    assert (lane.regionCap(*COUNTY), lane.regionCap(510723, 6)) == (LEVEL + 1, 1)


def test_a_cap_of_nothing_is_refused(schedule, lower):
    with refused("ZeroRegionCap", *COUNTY):
        schedule(0)
    with refused("ZeroRegionCap", *COUNTY):
        lower(0)


@pytest.mark.parametrize("region", [(0, 0), (51, 4)])
def test_a_region_that_is_none_has_no_cap_of_its_own(schedule, lower, region):
    with refused("InvalidRegion", *region):
        schedule(5, region)
    with refused("InvalidRegion", *region):
        lower(5, region)


def test_only_the_treasurer_lowers_a_region(relief, lane):
    for sender in (relief.anyone, relief.guardian):
        with unauthorized(sender):
            lane.lowerRegionCap(*COUNTY, 1, {"from": sender})
