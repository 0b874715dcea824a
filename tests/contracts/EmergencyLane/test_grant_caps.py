"""Caps of a grant: each by itself, to its last token, over the rolling window."""

import pytest
from clock import DAY, move_to, now
from deployment import COUNTY, LIMITS, TOKENS
from outcomes import refused

BUCKET = 6 * DAY
COUNTRY = (0, 0)


@pytest.fixture
def payee(relief):
    """An address that holds nothing."""
    return relief.payees(1)[0]


def test_a_grant_is_at_most_its_cap(relief, payee):
    most = LIMITS["perGrant"]
    with refused("GrantAboveCap", most + 1, most):
        relief.grant(payee, most + 1)
    relief.grant(payee, most)


CAPS = [
    ("perOfficer", "OfficerCapExceeded", (9,)),
    ("perCounty", "RegionCapExceeded", COUNTY),
    ("perCity", "RegionCapExceeded", (5107, 4)),
    ("perProvince", "RegionCapExceeded", (51, 2)),
    ("country", "RegionCapExceeded", COUNTRY),
]
each_cap = pytest.mark.parametrize("row", CAPS, ids=[row[0] for row in CAPS])


@each_cap
def test_each_cap_holds_over_the_window_whatever_was_ended(relief, payee, row):
    member, error, about = row
    relief.lower_limits(**{member: 10 * TOKENS})
    began = (now() // BUCKET + 1) * BUCKET
    move_to(began)
    first = relief.grant(payee, 6 * TOKENS)
    with refused(error, *about, 11 * TOKENS, 10 * TOKENS):
        relief.grant(payee, 5 * TOKENS)
    second = relief.grant(payee, 4 * TOKENS)
    relief.countersign(first)
    relief.write_off(second)
    move_to(began + 36 * DAY - 100)
    with refused(error, *about, 11 * TOKENS, 10 * TOKENS):
        relief.grant(payee, TOKENS)
    move_to(began + 36 * DAY)
    relief.grant(payee, 10 * TOKENS)


@each_cap
def test_parts_of_a_token_count_as_whole_ones(relief, payee, row):
    member, error, about = row
    relief.lower_limits(**{member: 2 * TOKENS})
    relief.grant(payee, 1)
    relief.grant(payee, 1)
    with refused(error, *about, 3 * TOKENS, 2 * TOKENS):
        relief.grant(payee, 1)


def test_an_officers_cap_is_that_officers(relief, payee):
    relief.lower_limits(perOfficer=TOKENS)
    for officer in (9, 10, 11):
        relief.grant(payee, TOKENS, officer=officer)


def test_counties_share_the_caps_above_them(relief, payee):
    relief.lower_limits(perCounty=2 * TOKENS, perCity=3 * TOKENS, perProvince=5 * TOKENS)
    relief.grant(payee, 2 * TOKENS)
    with refused("RegionCapExceeded", *COUNTY, 3 * TOKENS, 2 * TOKENS):
        relief.grant(payee, TOKENS)
    with refused("RegionCapExceeded", 5107, 4, 4 * TOKENS, 3 * TOKENS):
        relief.grant(payee, 2 * TOKENS, regionCode=510723)
    relief.grant(payee, 2 * TOKENS, regionCode=510681)
    with refused("RegionCapExceeded", 51, 2, 6 * TOKENS, 5 * TOKENS):
        relief.grant(payee, 2 * TOKENS, regionCode=510129)
    relief.grant(payee, 2 * TOKENS, officer=11, regionCode=440103)


def test_what_is_outstanding_is_capped_until_it_is_ended(relief, lane, payee):
    relief.lower_limits(outstanding=10)
    first = relief.grant(payee, 6)
    second = relief.grant(payee, 4)
    with refused("OutstandingCapExceeded", 11, 10):
        relief.grant(payee, 1)
    relief.countersign(first)
    relief.write_off(second)
    assert lane.outstanding() == 0
    relief.grant(payee, 10)
