"""createProgramme: a new programme, its limits checked, in force after the delay."""

import pytest
from clock import DAY, advance
from outcomes import emitted, refused, unauthorized

NUMBER = 7
BUDGET = 10**12
PAYOUT_CAP = 10**9
TIERS = [(10**10, 1, 0), (10**12, 2, DAY)]
METADATA = bytes(31) + b"\x07"


@pytest.fixture
def create(relief):
    """Create programme 7 for Mianyang (5107); keywords replace what is given."""

    def send(sender=None, **changed):
        given = {
            "number": NUMBER,
            "region": 5107,
            "digits": 4,
            "budget": BUDGET,
            "payout_cap": PAYOUT_CAP,
            "tiers": TIERS,
            **changed,
        }
        return relief.vault.createProgramme(
            *given.values(), METADATA, {"from": sender or relief.planner}
        )

    return send


def test_a_programme_is_stored_and_announced(vault, create):
    seq = vault.seq()
    transaction = create()

    active_from = transaction.timestamp + 2 * DAY
    assert emitted(transaction, "ProgrammeCreated") == [
        {
            "programme": NUMBER,
            "regionCode": 5107,
            "regionDigits": 4,
            "budget": BUDGET,
            "payoutCap": PAYOUT_CAP,
            "tiers": tuple(TIERS),
            "metadataHash": METADATA,
            "activeFrom": active_from,
            "seq": seq + 1,
        }
    ]
    assert vault.programme(NUMBER) == (BUDGET, 0, 1, active_from, 4, 5107, 1, PAYOUT_CAP, 0, 0)
    assert vault.tiers(NUMBER) == TIERS


def test_a_programme_approves_nothing_before_its_delay_is_over(relief, create):
    active_from = create().timestamp + 2 * DAY
    batch = relief.batch([(relief.payees(1)[0], 5)], programme=NUMBER)
    with refused("ProgrammeNotActive", NUMBER, active_from):
        relief.approve(batch)
    advance(2 * DAY)
    relief.approve(batch)


def test_number_zero_is_refused(create):
    with refused("InvalidProgramme", 0):
        create(number=0)


def test_a_number_in_use_is_refused(create):
    create()
    with refused("ProgrammeExists", NUMBER):
        create()


@pytest.mark.parametrize(
    ("region", "digits"), [(51072, 6), (5107, 2), (5107, 5), (0, 2), (51, 0), (1_000_000, 6)]
)
def test_a_region_that_is_none_is_refused(create, region, digits):
    with refused("InvalidRegion", region, digits):
        create(region=region, digits=digits)


@pytest.mark.parametrize("zero", ["budget", "payout_cap"])
def test_a_limit_of_zero_is_refused(create, zero):
    with refused("InvalidCap"):
        create(**{zero: 0})


@pytest.mark.parametrize(
    "tiers",
    [
        [],
        [(10, 1, 0), (20, 1, 0), (30, 1, 0), (40, 1, 0), (50, 1, 0)],
        [(0, 1, 0)],
        [(10, 0, 0)],
        [(10, 1, 0), (10, 2, 0)],
        [(10, 2, 0), (20, 1, 0)],
    ],
    ids=["none", "five", "no limit", "no reviewer", "same limit twice", "fewer reviewers above"],
)
def test_tiers_out_of_order_are_refused(create, tiers):
    with refused("InvalidTiers"):
        create(tiers=tiers)


def test_only_the_planner_may(relief, create):
    with unauthorized(relief.anyone):
        create(relief.anyone)
