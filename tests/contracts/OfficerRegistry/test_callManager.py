"""callManager: the registry administers the access manager, for a quorum of governors."""

from outcomes import emitted, encoded_error, refused, unauthorized

GUARDIAN_ROLE = 1


def test_a_role_is_granted_and_announced(relief, registry, vault):
    data = relief.manager.grantRole.encode_input(GUARDIAN_ROLE, relief.anyone, 0)
    seq = registry.seq()
    message = {"data": bytes.fromhex(data[2:])}
    action_id, deadline, signatures = relief.signed_action(registry, "ManagerCall", message, (6, 7))
    transaction = registry.callManager(
        data, action_id, deadline, signatures, {"from": relief.anyone}
    )
    assert emitted(transaction, "ManagerCalled") == [
        {
            "data": bytes.fromhex(data[2:]),
            "actionId": action_id,
            "signatures": signatures,
            "seq": seq + 2,
        }
    ]
    vault.pause(1, {"from": relief.anyone})
    assert vault.pausedOperations() == 1


def test_a_role_is_revoked(relief, vault):
    relief.call_manager(relief.manager.revokeRole.encode_input(GUARDIAN_ROLE, relief.guardian))
    with unauthorized(relief.guardian):
        vault.pause(1, {"from": relief.guardian})


def test_a_call_that_fails_is_refused_with_its_reason(relief):
    data = relief.manager.labelRole.encode_input(0, "administrator")
    with refused("ManagerCallFailed", encoded_error("AccessManagerLockedRole(uint64)", 0)):
        relief.call_manager(data)
