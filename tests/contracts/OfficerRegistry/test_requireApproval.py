"""requireApproval: the check alone, over any digest, without a batch around it."""

import pytest
from approvals import record
from eth_account import Account
from outcomes import refused

DIGEST = bytes(range(32))
SICHUAN = (51, 2)


@pytest.fixture
def check(relief, registry):
    """Ask for maker 4 and so many reviewers over the digest, signed by these officers."""

    def call(officers, *, reviewers=1, maker=4, region=SICHUAN, digest=DIGEST):
        signatures = b"".join(
            record(
                officer.officer_id,
                officer.key.address,
                bytes(Account.unsafe_sign_hash(DIGEST, officer.key.key).signature),
            )
            for officer in relief.officers(*officers)
        )
        return registry.requireApproval(digest, maker, reviewers, *region, signatures)

    return call


@pytest.mark.parametrize(
    ("officers", "reviewers", "region"),
    [
        ((2, 4), 1, (51, 2)),
        ((2, 3, 4), 2, (5107, 4)),
        ((2, 3, 4), 1, (510722, 6)),
        ((4, 5), 1, (440103, 6)),
        ((4,), 0, (11, 2)),
    ],
)
def test_enough_officers_of_the_region_pass(check, officers, reviewers, region):
    check(officers, reviewers=reviewers, region=region)


def test_another_digest_is_refused(relief, check):
    signer = bytes.fromhex(relief.officers(2)[0].key.address[2:])
    with refused("WrongSignature", 2, 1, signer):
        check((2, 4), digest=bytes(32))


def test_one_reviewer_too_few_is_refused(check):
    with refused("NotEnoughReviewers", 3, 2):
        check((2, 3, 4), reviewers=3, region=(510722, 6))


def test_a_missing_maker_is_refused(check):
    with refused("MakerSignatureMissing", 4):
        check((2,))


@pytest.mark.parametrize(
    ("outside", "region"),
    [(2, (44, 2)), (3, (51, 2)), (3, (5106, 4)), (3, (510681, 6)), (5, (51, 2))],
)
def test_a_reviewer_outside_the_region_is_refused(check, outside, region):
    with refused("OfficerOutsideRegion", outside, *region):
        check(sorted((outside, 4)), region=region)


def test_a_surplus_officer_who_may_not_sign_spoils_the_approval(check):
    with refused("OfficerLacksRole", 6, 2):
        check((2, 4, 6))
