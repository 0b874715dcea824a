"""Who governs, governs the whole deployment, whatever region the officer has."""

from approvals import GOVERNOR, Officer
from clock import DAY, advance


def test_a_governor_of_a_province_signs_what_concerns_no_region(
    relief, vault, token, lane, registry
):
    governor = Officer(20, GOVERNOR, 51, 2)
    struct = governor.as_new_officer()
    names = ("officerId", "roles", "regionCode", "regionDigits", "signerType", "signer")
    addition = dict(zip(names, struct, strict=True))
    signed = relief.signed_action(registry, "OfficerAddition", addition, (6, 7))
    registry.addOfficer(struct, *signed, {"from": relief.anyone})
    advance(2 * DAY)
    vault.pause(1, {"from": relief.guardian})
    relief.unpause(1, officers=[6, governor])
    token.pauseTransfers({"from": relief.guardian})
    lane.pause({"from": relief.guardian})
    for contract, name, action in (
        (token, "unpauseTransfers", "UnpauseTransfers"),
        (lane, "unpause", "UnpauseGrants"),
    ):
        signed = relief.signed_action(contract, action, {}, [6, governor])
        getattr(contract, name)(*signed, {"from": relief.anyone})
    signed = relief.signed_action(registry, "OfficerRemoval", {"officerId": 3}, [6, governor])
    registry.removeOfficer(3, *signed, {"from": relief.anyone})
    assert (vault.pausedOperations(), token.transfersPaused(), lane.paused()) == (0, False, False)
    assert registry.officer(3)[-1]
