"""The constructor: limits from birth, none of them missing."""

import pytest
from deployment import LANE_CAP, LIMITS, TOKEN_CAP
from outcomes import refused


def test_the_lane_is_deployed_with_its_limits(relief, lane, token):
    assert lane.limits() == tuple(LIMITS.values())
    assert lane.pendingLimits() == ((0,) * len(LIMITS), 0)
    assert (lane.token(), lane.registry()) == (token.address, relief.registry.address)
    assert (lane.RAISE_DELAY(), lane.paused(), lane.seq()) == (2 * 86_400, False, 1)


def test_the_token_knows_the_lane_as_its_second_minter(lane, token):
    assert token.emergencyLane() == lane.address
    assert token.minter(lane) == (LANE_CAP, 0, 0, True)


@pytest.mark.parametrize("member", range(len(LIMITS)), ids=LIMITS)
def test_no_limit_can_be_left_out(relief, EmergencyLane, member):  # noqa: N803 - Brownie's name
    limits = [*LIMITS.values()]
    limits[member] = 0
    with refused("ZeroLimit", member):
        EmergencyLane.deploy(
            relief.manager, relief.token, relief.registry, tuple(limits), {"from": relief.deployer}
        )


@pytest.mark.parametrize("caps", [(TOKEN_CAP, 0), (0, LANE_CAP)])
def test_a_token_without_a_cap_for_the_lane_is_refused(relief, BenefitToken, caps):  # noqa: N803
    with refused("ZeroCap"):
        BenefitToken.deploy(
            *(relief.manager, relief.registry, relief.vault, relief.lane),
            *caps,
            {"from": relief.deployer},
        )


def test_a_token_whose_lane_is_its_vault_is_refused(relief, BenefitToken):  # noqa: N803
    with refused("MinterTwice", relief.vault):
        BenefitToken.deploy(
            *(relief.manager, relief.registry, relief.vault, relief.vault),
            *(TOKEN_CAP, LANE_CAP),
            {"from": relief.deployer},
        )
