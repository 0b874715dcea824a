"""pause and unpause: a guardian stops grants, governors let them go on."""

import pytest
from deployment import TOKENS
from outcomes import emitted, refused, unauthorized


@pytest.fixture
def unpause(relief):
    """Have governors lift the pause."""

    def send():
        signed = relief.signed_action(relief.lane, "UnpauseGrants", {}, (6, 7))
        return relief.lane.unpause(*signed, {"from": relief.anyone})

    return send


def test_a_pause_is_announced_and_stops_grants_until_governors_lift_it(relief, lane):
    payee = relief.payees(1)[0]
    seq = lane.seq()
    transaction = lane.pause({"from": relief.guardian})
    assert emitted(transaction, "GrantsPaused") == [{"seq": seq + 1}]
    assert lane.paused()
    with refused("GrantsArePaused"):
        relief.grant(payee, TOKENS)
    action_id, deadline, signatures = relief.signed_action(lane, "UnpauseGrants", {}, (6, 7))
    transaction = lane.unpause(action_id, deadline, signatures, {"from": relief.anyone})
    assert emitted(transaction, "GrantsUnpaused") == [
        {"actionId": action_id, "signatures": signatures, "seq": seq + 2}
    ]
    assert not lane.paused()
    relief.grant(payee, TOKENS)


def test_the_vaults_pause_is_not_the_lanes(relief, lane):
    relief.vault.pause(7, {"from": relief.guardian})
    relief.grant(relief.payees(1)[0], TOKENS)
    assert not lane.paused()


def test_lowering_goes_on_in_a_pause(relief, lane):
    lane.pause({"from": relief.guardian})
    relief.lower_limits(perGrant=1)
    assert lane.limits()[0] == 1


def test_only_a_guardian_pauses(relief, lane):
    for sender in (relief.anyone, relief.treasurer):
        with unauthorized(sender):
            lane.pause({"from": sender})
