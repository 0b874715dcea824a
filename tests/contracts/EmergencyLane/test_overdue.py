"""Overdue: from a midnight on; the officer closes first, the region above its threshold."""

import pytest
from clock import DAY, HOUR, move_to, next_transaction_at, now
from deployment import COUNTY, TOKENS
from outcomes import refused

OUTSTANDING, OVERDUE, COUNTERSIGNED, WRITTEN_OFF = 1, 2, 3, 4
WINDOW = 5 * DAY


@pytest.fixture
def payee(relief):
    """An address that holds nothing."""
    return relief.payees(1)[0]


@pytest.fixture
def midnight():
    """A midnight UTC some days ahead, with the clock a day before it."""
    found = (now() // DAY + 3) * DAY
    move_to(found - DAY)
    return found


@pytest.fixture
def grant_at(relief, payee):
    """Make a grant in a block at that second."""

    def grant(unix_s, amount=TOKENS, **changed):
        prepared = relief.prepare_grant(payee, amount, validUntil=unix_s, **changed)
        next_transaction_at(unix_s)
        relief.send_grant(prepared)
        return prepared

    return grant


def state(lane, grant):
    """State of a grant as of the newest block."""
    return lane.grantOf(grant["grantId"])[6]


MOMENTS = [(-1, 5), (0, 5), (1, 6), (12 * HOUR, 6), (DAY - 1, 6)]
"""Seconds after a midnight, and how many days after it a grant of then is overdue."""


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_grant_is_overdue_from_the_first_midnight_after_its_window(
    lane, midnight, grant_at, moment
):
    after_midnight, days = moment
    grant = grant_at(midnight + after_midnight)
    due = midnight + days * DAY
    assert lane.grantOf(grant["grantId"])[5] == due
    move_to(due - 1)
    assert (state(lane, grant), lane.overdueBy(9)) == (OUTSTANDING, 0)
    assert lane.overdueIn(51, 2) == 0
    move_to(due)
    assert (state(lane, grant), lane.overdueBy(9)) == (OVERDUE, TOKENS)
    for region in (COUNTY, (5107, 4), (51, 2)):
        assert lane.overdueIn(*region) == TOKENS
    assert lane.overdueIn(5106, 4) == lane.overdueIn(44, 2) == lane.overdueBy(10) == 0


def test_the_officer_closes_with_anything_overdue_and_nobody_else(
    relief, payee, grant_at, midnight
):
    grant_at(midnight, amount=1)
    move_to(midnight + WINDOW - 60)
    relief.grant(payee, TOKENS)
    move_to(midnight + WINDOW)
    with refused("OfficerClosed", 9, 1):
        relief.grant(payee, TOKENS)
    relief.grant(payee, TOKENS, officer=10)


@pytest.mark.parametrize("end", ["countersign", "write_off"])
def test_ending_what_is_overdue_opens_the_officer(relief, lane, grant_at, midnight, end):
    payee = relief.payees(1)[0]
    first, second = (grant_at(midnight + i, amount=10) for i in (0, 5))
    move_to(midnight + WINDOW + DAY)
    with refused("OfficerClosed", 9, 20):
        relief.grant(payee, TOKENS)
    getattr(relief, end)(first)
    with refused("OfficerClosed", 9, 10):
        relief.grant(payee, TOKENS)
    getattr(relief, end)(second)
    assert lane.overdueBy(9) == lane.overdueIn(51, 2) == 0
    relief.grant(payee, TOKENS)


def test_what_was_ended_in_time_is_never_overdue(relief, lane, payee, grant_at, midnight):
    relief.countersign(grant_at(midnight))
    relief.write_off(grant_at(midnight + 10))
    move_to(midnight + WINDOW + 2 * DAY)
    assert lane.overdueBy(9) == lane.overdueIn(*COUNTY) == 0
    relief.grant(payee, TOKENS)


# Overdue by officer 9, in steps of at most 1,000; the thresholds are 1,500, 2,500 and 3,500.
REGIONS = [
    (COUNTY, [COUNTY, COUNTY], 1_500),
    ((5107, 4), [COUNTY, (510723, 6), (5107, 4)], 2_500),
    ((51, 2), [COUNTY, (510723, 6), (510681, 6), (51, 2)], 3_500),
]


@pytest.mark.parametrize("row", REGIONS, ids=["county", "city", "province"])
def test_a_region_closes_above_its_threshold_and_opens_again(relief, lane, grant_at, midnight, row):
    (region, places, threshold), payee = row, relief.payees(1)[0]
    grants = [
        grant_at(midnight + i, 1_000 * TOKENS, regionCode=code, regionDigits=digits)
        for i, (code, digits) in enumerate(places[:-1])
    ]
    code, digits = places[-1]
    last = grant_at(midnight + 9, 500 * TOKENS, regionCode=code, regionDigits=digits)
    one_more = grant_at(midnight + 10, 1, regionCode=code, regionDigits=digits)
    move_to(midnight + WINDOW + DAY)
    overdue = threshold * TOKENS + 1
    assert lane.overdueIn(*region) == overdue
    with refused("RegionClosed", *region, overdue, threshold * TOKENS):
        relief.grant(payee, TOKENS, officer=11, regionCode=code, regionDigits=digits)
    relief.countersign(one_more)
    relief.grant(payee, TOKENS, officer=11, regionCode=code, regionDigits=digits)
    relief.grant(payee, TOKENS, officer=11, regionCode=44, regionDigits=2)
    for grant in (*grants, last):
        relief.countersign(grant)
    relief.grant(payee, TOKENS)


def test_a_county_closes_for_what_is_overdue_in_its_city(relief, payee, grant_at, midnight):
    for i in range(3):
        grant_at(midnight + i, 900 * TOKENS, regionCode=(510723, 510724, 510725)[i])
    move_to(midnight + WINDOW + DAY)
    with refused("RegionClosed", 5107, 4, 2_700 * TOKENS, 2_500 * TOKENS):
        relief.grant(payee, TOKENS, officer=11)
    relief.grant(payee, TOKENS, officer=11, regionCode=510681)


def test_a_lowered_threshold_closes_at_once(relief, payee, grant_at, midnight):
    grant_at(midnight, 100 * TOKENS)
    move_to(midnight + WINDOW)
    relief.grant(payee, TOKENS, officer=11)
    relief.lower_limits(countyOverdue=100 * TOKENS - 1)
    with refused("RegionClosed", *COUNTY, 100 * TOKENS, 100 * TOKENS - 1):
        relief.grant(payee, TOKENS, officer=11)


def test_a_shorter_window_holds_for_later_grants_only(relief, lane, grant_at, midnight):
    before = grant_at(midnight)
    relief.lower_limits(countersignWindow=DAY)
    after = grant_at(midnight + HOUR)
    move_to(midnight + 2 * DAY)
    assert (state(lane, before), state(lane, after)) == (OUTSTANDING, OVERDUE)
    assert lane.overdueBy(9) == TOKENS


def test_the_days_gone_by_are_summed_whatever_is_asked_when(relief, lane, grant_at, midnight):
    # Officer 11 grants on several days; days pass with and without a grant; nothing is lost.
    relief.lower_limits(countersignWindow=2 * DAY)
    grants = [grant_at(midnight + day * DAY + 1, 10 + day, officer=11) for day in (0, 1, 2)]
    move_to(midnight + 40 * DAY)
    assert lane.overdueBy(11) == lane.overdueIn(*COUNTY) == 33
    grant_at(midnight + 41 * DAY, 7, officer=9)
    assert lane.overdueIn(*COUNTY) == 33
    relief.countersign(grants[1])
    assert lane.overdueIn(*COUNTY) == lane.overdueBy(11) == 22
    move_to(midnight + 43 * DAY)
    assert lane.overdueIn(*COUNTY) == 29
