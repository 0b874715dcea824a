"""requireOne: exactly one officer, with the role, for the region."""

import pytest
from approvals import record
from eth_account import Account
from outcomes import refused

DIGEST = bytes(range(32))
MAKER, REVIEWER, EMERGENCY = 1, 2, 4


@pytest.fixture
def check(relief, registry):
    """Ask for one officer over the digest, signed by these."""

    def call(officers, *, role=EMERGENCY, region=(51, 2), digest=DIGEST):
        signatures = b"".join(
            record(
                officer.officer_id,
                officer.key.address,
                bytes(Account.unsafe_sign_hash(DIGEST, officer.key.key).signature),
            )
            for officer in relief.officers(*officers)
        )
        return registry.requireOne(digest, role, *region, signatures)

    return call


@pytest.mark.parametrize(
    ("officer", "role", "region"),
    [
        (1, MAKER, (51, 2)),  # the lowest number there is
        (9, EMERGENCY, (51, 2)),
        (10, EMERGENCY, (510722, 6)),
        (11, EMERGENCY, (44, 2)),
        (11, REVIEWER, (44, 2)),
        (10, EMERGENCY, (0, 0)),  # no region asked for
    ],
)
def test_the_one_officer_who_may_is_returned(check, officer, role, region):
    assert check([officer], role=role, region=region) == officer


def test_nobody_is_refused(check):
    with refused("MalformedSignatures", 0):
        check([])


def test_a_second_officer_is_refused(check):
    with refused("MoreThanOneOfficer", 9):
        check([9, 11])


def test_another_role_is_refused(check):
    with refused("OfficerLacksRole", 2, EMERGENCY):
        check([2])


def test_another_region_is_refused(check):
    with refused("OfficerOutsideRegion", 10, 5107, 4):
        check([10], region=(5107, 4))


def test_another_digest_is_refused(relief, check):
    signer = bytes.fromhex(relief.officers(9)[0].key.address[2:])
    with refused("WrongSignature", 9, 1, signer):
        check([9], digest=bytes(32))
