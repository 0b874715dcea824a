"""grant: one officer's signature pays once, at once, and only what it says."""

import pytest
from approvals import Officer, sign_for_lane
from clock import DAY, HOUR, advance, next_transaction_at, now
from deployment import COUNTY, LANE_CAP, LIMITS, TOKENS
from outcomes import ZERO_ADDRESS, emitted, refused, refused_as

UNKNOWN, OUTSTANDING = 0, 1


@pytest.fixture
def payee(relief):
    """An address that holds nothing."""
    return relief.payees(1)[0]


def another_lane(relief, EmergencyLane):  # noqa: N803 - Brownie's name
    """A lane beside the token's own; Brownie keeps the address, which no other test deploys to."""
    limits = tuple(LIMITS.values())
    sender = {"from": relief.anyone}
    return EmergencyLane.deploy(relief.manager, relief.token, relief.registry, limits, sender)


def midnight_after(unix_s: int) -> int:
    """The first midnight UTC at or after a time."""
    return -(-unix_s // DAY) * DAY


def test_a_grant_is_paid_in_its_transaction_and_announced(relief, lane, token, payee):
    grant = relief.prepare_grant(payee, 5 * TOKENS)
    (officer,) = relief.officers(9)
    signature = sign_for_lane(lane, "EmergencyGrant", grant, officer)
    seq = lane.seq()
    transaction = lane.grant(tuple(grant.values()), signature, {"from": relief.anyone})
    overdue_from = midnight_after(transaction.timestamp + LIMITS["countersignWindow"])
    assert emitted(transaction, "GrantMade") == [
        {
            "grantId": grant["grantId"],
            "officer": 9,
            "payee": payee,
            "grant": tuple(grant.values()),
            "overdueFrom": overdue_from,
            "outstanding": 5 * TOKENS,
            "signatures": signature,
            "seq": seq + 1,
        }
    ]
    assert emitted(transaction, "Transfer") == [
        {"from": ZERO_ADDRESS, "to": payee, "value": 5 * TOKENS}
    ]
    assert token.balanceOf(payee) == token.totalSupply() == 5 * TOKENS
    assert token.minter(lane) == (LANE_CAP, 0, 5 * TOKENS, True)
    assert lane.grantOf(grant["grantId"]) == (
        *(payee, 5 * TOKENS, 9, *COUNTY, overdue_from, OUTSTANDING),
    )
    assert lane.caseGranted(grant["caseCommitment"])
    assert lane.outstanding() == lane.grantedBy(9) == lane.grantedIn(0, 0) == 5 * TOKENS
    for region in ((51, 2), (5107, 4), COUNTY):
        assert lane.grantedIn(*region) == 5 * TOKENS


def test_a_grant_counts_in_its_own_regions_only(relief, lane, payee):
    relief.grant(payee, TOKENS, regionCode=5107, regionDigits=4)
    assert lane.grantedIn(5107, 4) == lane.grantedIn(51, 2) == lane.grantedIn(0, 0) == TOKENS
    assert lane.grantedIn(*COUNTY) == lane.grantedIn(5106, 4) == lane.grantedBy(10) == 0


def test_a_grant_id_serves_once_for_ever(relief, lane, payee):
    grant = relief.grant(payee, TOKENS)
    other = relief.prepare_grant(payee, TOKENS, grantId=grant["grantId"])
    for again in (grant, other):
        with refused("GrantExists", grant["grantId"]):
            relief.send_grant(again)
    relief.countersign(grant)
    with refused("GrantExists", grant["grantId"]):
        relief.send_grant(other)


def test_a_case_is_granted_once_for_ever(relief, payee):
    grant = relief.grant(payee, TOKENS)
    relief.write_off(grant)
    again = relief.prepare_grant(payee, TOKENS, caseCommitment=grant["caseCommitment"])
    with refused("CaseAlreadyGranted", grant["caseCommitment"]):
        relief.send_grant(again)


def test_a_grant_is_good_to_the_second_it_is_valid_until(relief, payee):
    until = now() + HOUR
    grant = relief.prepare_grant(payee, TOKENS, validUntil=until)
    next_transaction_at(until + 1)
    with refused("GrantExpired", grant["grantId"], until):
        relief.send_grant(grant)
    until = now() + HOUR
    next_transaction_at(until)
    relief.grant(payee, TOKENS, validUntil=until)


def test_nothing_is_no_grant(relief, payee):
    grant = relief.prepare_grant(payee, 0)
    with refused("ZeroAmount", grant["grantId"]):
        relief.send_grant(grant)


def test_a_grant_without_a_case_is_refused(relief, payee):
    grant = relief.prepare_grant(payee, TOKENS, caseCommitment=bytes(32))
    with refused("CaseMissing", grant["grantId"]):
        relief.send_grant(grant)


@pytest.mark.parametrize("region", [(0, 0), (5, 2), (510722, 4), (51, 3)])
def test_a_region_that_is_none_is_refused(relief, payee, region):
    grant = relief.prepare_grant(payee, TOKENS, regionCode=region[0], regionDigits=region[1])
    with refused("InvalidRegion", *region):
        relief.send_grant(grant)


# ---- who signs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("member", range(8))
def test_every_member_is_signed(relief, lane, payee, member):
    grant = relief.prepare_grant(payee, TOKENS)
    (officer,) = relief.officers(9)
    signature = sign_for_lane(lane, "EmergencyGrant", grant, officer)
    other = relief.prepare_grant(
        relief.payees(1, 7)[0],
        2 * TOKENS,
        officer=11,
        regionCode=510721,
        regionDigits=4,
        validUntil=grant["validUntil"] + 1,
    )
    sent = list(grant.values())
    sent[member] = list(other.values())[member]
    if member == 5:  # with a code that such a region has
        sent[4] = 5107
    with refused_as("WrongSignature"):
        lane.grant(tuple(sent), signature, {"from": relief.anyone})


def test_a_signature_for_another_lane_is_refused(relief, lane, payee, EmergencyLane):  # noqa: N803
    other = another_lane(relief, EmergencyLane)
    grant = relief.prepare_grant(payee, TOKENS)
    signature = sign_for_lane(lane, "EmergencyGrant", grant, relief.officers(9)[0])
    with refused_as("WrongSignature"):
        other.grant(tuple(grant.values()), signature, {"from": relief.anyone})


def test_another_lane_with_a_signature_of_its_own_is_no_minter(
    relief,
    payee,
    EmergencyLane,  # noqa: N803
):
    other = another_lane(relief, EmergencyLane)
    grant = relief.prepare_grant(payee, TOKENS)
    signature = sign_for_lane(other, "EmergencyGrant", grant, relief.officers(9)[0])
    with refused("NotMinter", other):
        other.grant(tuple(grant.values()), signature, {"from": relief.anyone})


def test_a_signature_for_another_chain_is_refused(relief, lane, payee):
    grant = relief.prepare_grant(payee, TOKENS)
    signature = sign_for_lane(lane, "EmergencyGrant", grant, relief.officers(9)[0], chain_id=1)
    with refused_as("WrongSignature"):
        lane.grant(tuple(grant.values()), signature, {"from": relief.anyone})


def test_the_officer_named_must_be_the_one_who_signs(relief, payee):
    grant = relief.prepare_grant(payee, TOKENS, officer=9)
    with refused("WrongOfficer", 11, 9):
        relief.send_grant(grant, officer=11)


def test_exactly_one_officer_signs(relief, lane, payee):
    grant = relief.prepare_grant(payee, TOKENS)
    one, other = (
        sign_for_lane(lane, "EmergencyGrant", grant, officer) for officer in relief.officers(9, 11)
    )
    with refused("MoreThanOneOfficer", 9):
        lane.grant(tuple(grant.values()), one + other, {"from": relief.anyone})
    with refused("MalformedSignatures", 0):
        lane.grant(tuple(grant.values()), b"", {"from": relief.anyone})


@pytest.mark.parametrize("officer", [1, 2, 6])
def test_other_roles_grant_nothing(relief, payee, officer):
    grant = relief.prepare_grant(payee, TOKENS, officer=officer)
    with refused("OfficerLacksRole", officer, 4):
        relief.send_grant(grant)


@pytest.mark.parametrize(
    ("officer", "region"), [(9, (44, 2)), (10, (5107, 4)), (10, (510721, 6)), (10, (51, 2))]
)
def test_an_officer_grants_only_in_a_region_of_their_own(relief, payee, officer, region):
    grant = relief.prepare_grant(
        payee, TOKENS, officer=officer, regionCode=region[0], regionDigits=region[1]
    )
    with refused("OfficerOutsideRegion", officer, *region):
        relief.send_grant(grant)


def test_a_removed_officer_grants_nothing(relief, payee):
    signed = relief.signed_action(relief.registry, "OfficerRemoval", {"officerId": 9}, (6, 7))
    relief.registry.removeOfficer(9, *signed, {"from": relief.anyone})
    with refused("OfficerInactive", 9):
        relief.grant(payee, TOKENS)


def test_an_officer_grants_nothing_before_being_in_force(relief, payee):
    new = Officer(12, 4, 51, 2)
    struct = new.as_new_officer()
    names = ("officerId", "roles", "regionCode", "regionDigits", "signerType", "signer")
    message = dict(zip(names, struct, strict=True))
    signed = relief.signed_action(relief.registry, "OfficerAddition", message, (6, 7))
    relief.registry.addOfficer(struct, *signed, {"from": relief.anyone})
    grant = relief.prepare_grant(payee, TOKENS, officer=12, validUntil=now() + 5 * DAY)
    with refused("OfficerInactive", 12):
        relief.send_grant(grant, officer=new)
    advance(2 * DAY)
    relief.send_grant(grant, officer=new)


# ---- who is paid ---------------------------------------------------------------------------------


def test_a_payee_that_cannot_be_paid_leaves_nothing_behind(relief, lane, token):
    frozen = relief.payees(1, 3)[0]
    relief.freeze(frozen)
    seq = lane.seq()
    for payee, reason in ((ZERO_ADDRESS, 1), (token.address, 2), (lane.address, 3), (frozen, 4)):
        grant = relief.prepare_grant(payee, TOKENS)
        with refused("Unpayable", payee, reason):
            relief.send_grant(grant)
        assert lane.grantOf(grant["grantId"])[6] == UNKNOWN
        assert not lane.caseGranted(grant["caseCommitment"])
    assert (lane.outstanding(), lane.grantedBy(9), lane.seq()) == (0, 0, seq)
    assert (token.committed(), token.totalSupply()) == (0, 0)
    relief.unfreeze(frozen)
    relief.send_grant(grant)
    assert token.balanceOf(frozen) == TOKENS


# ---- the token's limits --------------------------------------------------------------------------


def test_a_stale_attestation_stops_batches_and_not_the_lane(relief, token, payee):
    as_of = token.attestation()[2]
    advance(36 * DAY)
    with refused("ReserveStale", as_of, 35 * DAY):
        relief.approve(relief.batch([(payee, 1)]))
    relief.grant(payee, TOKENS)
    assert token.balanceOf(payee) == TOKENS


def test_the_lane_keeps_within_the_reserve_last_attested(relief, payee):
    relief.attest(3 * TOKENS)
    advance(36 * DAY)
    relief.grant(payee, 2 * TOKENS)
    with refused("ReserveExceeded", 4 * TOKENS, 3 * TOKENS):
        relief.grant(payee, 2 * TOKENS)


def test_the_lane_keeps_within_its_own_cap_for_ever(relief, lane, token, payee):
    most = LIMITS["perGrant"]
    for _ in range(LANE_CAP // most):
        relief.countersign(relief.grant(payee, most))
    advance(36 * DAY)  # the rolling sums are empty again; the lane's cap in the token stays used
    with refused("MinterCapExceeded", lane, LANE_CAP + 1, LANE_CAP):
        relief.grant(payee, 1)
    assert token.minter(lane) == (LANE_CAP, 0, LANE_CAP, True)


def test_governors_raise_the_lanes_cap_in_fourteen_days(relief, lane, token, payee):
    message = {"minter": lane.address, "cap": LANE_CAP + TOKENS}
    signed = relief.signed_action(token, "MinterAddition", message, (6, 7))
    token.scheduleMinter(lane, LANE_CAP + TOKENS, *signed, {"from": relief.anyone})
    relief.grant(payee, TOKENS)
    advance(36 * DAY)  # by when the attestation is stale too
    token.activateMinter(lane, {"from": relief.anyone})
    assert token.minter(lane) == (LANE_CAP + TOKENS, 0, TOKENS, True)
    relief.countersign(relief.grant(payee, 2 * TOKENS, officer=10))
    assert token.balanceOf(payee) == 3 * TOKENS


def test_a_lane_removed_as_a_minter_grants_nothing(relief, lane, payee):
    signed = relief.signed_action(relief.token, "MinterRemoval", {"minter": lane.address}, (6, 7))
    relief.token.removeMinter(lane, *signed, {"from": relief.anyone})
    with refused("NotMinter", lane):
        relief.grant(payee, TOKENS)
