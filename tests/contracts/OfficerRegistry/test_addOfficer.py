"""addOfficer and removeOfficer: people come slowly and go at once, numbers never come back."""

import pytest
from approvals import EMERGENCY, GOVERNOR, MAKER, REVIEWER, Officer
from clock import DAY, next_transaction_at
from outcomes import emitted, refused

NEW = Officer(20, MAKER | REVIEWER, 5107, 4)


def test_a_new_officer_is_stored_and_announced(relief, registry):
    struct = NEW.as_new_officer()
    names = ("officerId", "roles", "regionCode", "regionDigits", "signerType", "signer")
    seq = registry.seq()
    action_id, deadline, signatures = relief.signed_action(
        registry, "OfficerAddition", dict(zip(names, struct, strict=True)), (6, 7)
    )
    transaction = registry.addOfficer(
        struct, action_id, deadline, signatures, {"from": relief.anyone}
    )
    active_from = transaction.timestamp + 2 * DAY
    how = {"activeFrom": active_from, "actionId": action_id, "signatures": signatures}
    assert emitted(transaction, "OfficerAdded") == [
        {
            "officerId": 20,
            "roles": MAKER | REVIEWER,
            "regionCode": 5107,
            "regionDigits": 4,
            **how,
            "seq": seq + 2,
        }
    ]
    assert emitted(transaction, "SignerAdded") == [
        {"officerId": 20, "signerType": 1, "signer": struct[5], **how, "seq": seq + 3}
    ]
    assert emitted(transaction, "ActionConsumed")[0]["seq"] == seq + 1
    assert registry.officer(20) == (MAKER | REVIEWER, 5107, 4, active_from, False)
    assert registry.signerOf(1, struct[5]) == (20, active_from, False)


def test_a_new_governor_is_counted(registry, add_officer):
    add_officer(Officer(20, GOVERNOR, 0, 0).as_new_officer())
    assert registry.governorCount() == 4


def test_a_new_governor_signs_from_the_second_the_delay_is_over(relief, add_officer):
    governor = Officer(20, GOVERNOR, 0, 0)
    active_from = add_officer(governor.as_new_officer()).timestamp + 2 * DAY
    relief.vault.pause(1, {"from": relief.guardian})
    next_transaction_at(active_from - 1)
    with refused("OfficerInactive", 20):
        relief.unpause(1, officers=[6, governor])
    next_transaction_at(active_from)
    relief.unpause(1, officers=[6, governor])


def test_officer_number_zero_is_refused(add_officer):
    with refused("InvalidOfficer", 0):
        add_officer(Officer(0, REVIEWER, 0, 0).as_new_officer())


@pytest.mark.parametrize("roles", [0, 16, 255])
def test_roles_that_are_none_are_refused(add_officer, roles):
    with refused("InvalidRoles", roles):
        add_officer(Officer(20, roles, 0, 0).as_new_officer())


def test_one_officer_may_have_every_role(registry, add_officer):
    everything = MAKER | REVIEWER | EMERGENCY | GOVERNOR
    add_officer(Officer(20, everything, 0, 0).as_new_officer())
    assert registry.officer(20)[0] == everything


def test_a_region_that_is_none_is_refused(add_officer):
    with refused("InvalidRegion", 51, 4):
        add_officer(Officer(20, REVIEWER, 51, 4).as_new_officer())


def test_a_number_in_use_is_refused(add_officer):
    with refused("OfficerExists", 2):
        add_officer(Officer(2, REVIEWER, 0, 0).as_new_officer())


def test_a_number_that_left_is_never_used_again(add_officer, remove_officer):
    remove_officer(2)
    with refused("OfficerExists", 2):
        add_officer(Officer(2, REVIEWER, 0, 0).as_new_officer())


def test_another_officers_signer_is_refused(relief, add_officer):
    taken = bytes.fromhex(relief.officers(2)[0].key.address[2:])
    with refused("SignerTaken", 1, taken):
        add_officer((20, REVIEWER, 0, 0, 1, taken))


# ---- leaving -------------------------------------------------------------------------------------


def test_an_officer_leaves_at_once_and_it_is_announced(relief, registry):
    seq = registry.seq()
    action_id, deadline, signatures = relief.signed_action(
        registry, "OfficerRemoval", {"officerId": 2}, (6, 7)
    )
    transaction = registry.removeOfficer(
        2, action_id, deadline, signatures, {"from": relief.anyone}
    )
    assert emitted(transaction, "OfficerRemoved") == [
        {"officerId": 2, "actionId": action_id, "signatures": signatures, "seq": seq + 2}
    ]
    assert registry.officer(2)[4]


def test_an_unknown_officer_cannot_leave(remove_officer):
    with refused("UnknownOfficer", 99):
        remove_officer(99)


def test_an_officer_leaves_once(remove_officer):
    remove_officer(2)
    with refused("UnknownOfficer", 2):
        remove_officer(2)


def test_a_quorum_of_governors_always_remains(registry, remove_officer):
    remove_officer(8)
    assert registry.governorCount() == 2
    with refused("TooFewGovernors", 1, 2):
        remove_officer(7)


def test_a_governor_who_left_signs_no_more(remove_officer):
    remove_officer(8)
    with refused("OfficerInactive", 8):
        remove_officer(2, officers=(6, 8))


def test_nobody_is_added_without_signatures(relief, registry):
    with refused("NotEnoughOfficers", 2, 0):
        registry.addOfficer(
            NEW.as_new_officer(), bytes(32), 2**40 - 1, b"", {"from": relief.anyone}
        )


def test_reviewers_add_nobody(add_officer):
    with refused("OfficerLacksRole", 2, GOVERNOR):
        add_officer(NEW.as_new_officer(), officers=(2, 3))
