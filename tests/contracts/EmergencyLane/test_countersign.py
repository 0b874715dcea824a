"""countersign: one reviewer of the region, another person than the granter, at any time."""

import pytest
from approvals import sign_for_lane
from clock import DAY, HOUR, advance, next_transaction_at, now
from deployment import TOKENS
from outcomes import emitted, refused, refused_as

COUNTERSIGNED = 3


@pytest.fixture
def grant(relief):
    """A grant of officer 9, of five tokens."""
    return relief.grant(relief.payees(1)[0], 5 * TOKENS)


def test_a_countersignature_ends_a_grant_and_is_announced(relief, lane, token, grant):
    relief.grant(relief.payees(1)[0], 2 * TOKENS)
    deadline = now() + DAY
    message = {
        **{name: grant[name] for name in ("grantId", "payee", "amount")},
        "deadline": deadline,
    }
    signature = sign_for_lane(lane, "GrantCountersignature", message, relief.officers(2)[0])
    seq = lane.seq()
    transaction = lane.countersign(grant["grantId"], deadline, signature, {"from": relief.anyone})
    assert emitted(transaction, "GrantCountersigned") == [
        {
            "grantId": grant["grantId"],
            "officer": 2,
            "deadline": deadline,
            "outstanding": 2 * TOKENS,
            "signatures": signature,
            "seq": seq + 1,
        }
    ]
    assert lane.grantOf(grant["grantId"])[6] == COUNTERSIGNED
    assert (lane.outstanding(), token.totalSupply()) == (2 * TOKENS, 7 * TOKENS)


def test_it_is_taken_also_when_overdue_and_in_a_pause(relief, lane, grant):
    advance(20 * DAY)
    lane.pause({"from": relief.guardian})
    relief.countersign(grant)
    assert lane.grantOf(grant["grantId"])[6] == COUNTERSIGNED


def test_a_grant_ends_once(relief, grant):
    relief.countersign(grant)
    with refused("GrantEnded", grant["grantId"], COUNTERSIGNED):
        relief.countersign(grant, officer=3)
    with refused("GrantEnded", grant["grantId"], COUNTERSIGNED):
        relief.write_off(grant)


def test_what_was_never_granted_is_not_countersigned(relief, grant):
    never = {**grant, "grantId": bytes(31) + b"\xee"}
    with refused("UnknownGrant", never["grantId"]):
        relief.countersign(never)


def test_the_granter_does_not_countersign(relief):
    grant = relief.grant(relief.payees(1)[0], TOKENS, officer=11)
    with refused("CountersignedByGranter", 11):
        relief.countersign(grant, officer=11)
    relief.countersign(grant, officer=2)


@pytest.mark.parametrize("officer", [1, 6, 9, 10])
def test_only_reviewers_countersign(relief, grant, officer):
    with refused("OfficerLacksRole", officer, 2):
        relief.countersign(grant, officer=officer)


def test_a_reviewer_covers_the_grants_region(relief, grant):
    with refused("OfficerOutsideRegion", 5, 510722, 6):
        relief.countersign(grant, officer=5)
    wide = relief.grant(relief.payees(1)[0], TOKENS, regionCode=51, regionDigits=2)
    with refused("OfficerOutsideRegion", 3, 51, 2):
        relief.countersign(wide, officer=3)


def test_it_is_good_to_the_second_of_its_deadline(relief, grant):
    deadline = now() + HOUR
    next_transaction_at(deadline + 1)
    with refused("CountersignatureExpired", grant["grantId"], deadline):
        relief.countersign(grant, deadline=deadline)
    deadline = now() + HOUR
    next_transaction_at(deadline)
    relief.countersign(grant, deadline=deadline)


@pytest.mark.parametrize("member", ["grantId", "payee", "amount", "deadline"])
def test_what_was_paid_is_signed(relief, lane, grant, member):
    deadline = now() + DAY
    other = relief.grant(relief.payees(1, 9)[0], TOKENS)
    message = {
        **{name: grant[name] for name in ("grantId", "payee", "amount")},
        "deadline": deadline,
    } | {member: deadline + 1 if member == "deadline" else other[member]}
    signature = sign_for_lane(lane, "GrantCountersignature", message, relief.officers(2)[0])
    with refused_as("WrongSignature"):
        lane.countersign(grant["grantId"], deadline, signature, {"from": relief.anyone})


def test_a_countersignature_for_another_chain_is_refused(relief, lane, grant):
    deadline = now() + DAY
    message = {
        **{name: grant[name] for name in ("grantId", "payee", "amount")},
        "deadline": deadline,
    }
    officer = relief.officers(2)[0]
    signature = sign_for_lane(lane, "GrantCountersignature", message, officer, chain_id=1)
    with refused_as("WrongSignature"):
        lane.countersign(grant["grantId"], deadline, signature, {"from": relief.anyone})


def test_exactly_one_reviewer_countersigns(relief, lane, grant):
    deadline = now() + DAY
    message = {
        **{name: grant[name] for name in ("grantId", "payee", "amount")},
        "deadline": deadline,
    }
    both = b"".join(
        sign_for_lane(lane, "GrantCountersignature", message, officer)
        for officer in relief.officers(2, 3)
    )
    with refused("MoreThanOneOfficer", 2):
        lane.countersign(grant["grantId"], deadline, both, {"from": relief.anyone})
