"""pauseTransfers and unpauseTransfers: a guardian stops, governors lift; payments go on."""

from outcomes import emitted, unauthorized


def test_a_pause_is_announced(token, pause_transfers):
    assert emitted(pause_transfers(), "TransfersPaused") == [{}]
    assert token.transfersPaused()


def test_governors_lift_it(relief, token, alice, bob, pause_transfers):
    pause_transfers()
    action_id, deadline, signatures = relief.signed_action(token, "UnpauseTransfers", {}, (6, 7))
    transaction = token.unpauseTransfers(action_id, deadline, signatures, {"from": relief.anyone})
    assert emitted(transaction, "TransfersUnpaused") == [
        {"actionId": action_id, "signatures": signatures}
    ]
    assert not token.transfersPaused()
    token.transfer(bob, 5, {"from": alice})
    assert token.balanceOf(bob) == 5


def test_beneficiaries_are_paid_while_transfers_are_paused(relief, token, pause_transfers):
    pause_transfers()
    payee = relief.payees(1)[0]
    relief.pay([(payee, 7)])
    assert (token.balanceOf(payee), token.totalSupply(), token.committed()) == (7, 7, 0)


def test_only_a_guardian_pauses(relief, token):
    with unauthorized(relief.freezer):
        token.pauseTransfers({"from": relief.freezer})
