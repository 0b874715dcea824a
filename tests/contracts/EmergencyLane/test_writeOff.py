"""writeOff: governors end what no reviewer would; what each quorum action asks is checked elsewhere."""

import pytest
from clock import DAY, advance
from deployment import TOKENS
from outcomes import emitted, refused

WRITTEN_OFF = 4


@pytest.fixture
def grant(relief):
    """A grant of officer 9, of five tokens."""
    return relief.grant(relief.payees(1)[0], 5 * TOKENS)


@pytest.mark.parametrize("days", [0, 20])
def test_a_write_off_ends_a_grant_and_is_announced(relief, lane, token, grant, days):
    advance(1 + days * DAY)
    action_id, deadline, signatures = relief.signed_action(
        lane, "GrantWriteOff", {"grantId": grant["grantId"]}, (6, 8)
    )
    seq = lane.seq()
    transaction = lane.writeOff(
        grant["grantId"], action_id, deadline, signatures, {"from": relief.anyone}
    )
    assert emitted(transaction, "GrantWrittenOff") == [
        {
            "grantId": grant["grantId"],
            "outstanding": 0,
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 1,
        }
    ]
    assert lane.grantOf(grant["grantId"])[6] == WRITTEN_OFF
    assert (lane.outstanding(), token.totalSupply()) == (0, 5 * TOKENS)


def test_what_was_written_off_stays_so(relief, grant):
    relief.write_off(grant)
    with refused("GrantEnded", grant["grantId"], WRITTEN_OFF):
        relief.write_off(grant)
    with refused("GrantEnded", grant["grantId"], WRITTEN_OFF):
        relief.countersign(grant)


def test_what_was_never_granted_is_not_written_off(relief):
    with refused("UnknownGrant", bytes(32)):
        relief.write_off({"grantId": bytes(32)})
