"""pause and unpause: each operation apart; a guardian pauses, governors lift it."""

import pytest
from clock import DAY, HOUR, advance, next_transaction_at
from outcomes import emitted, refused, unauthorized

APPROVALS, EXECUTION, WITHDRAWALS = 1, 2, 4
ALL = 7
THREE_DAYS = 72 * HOUR


@pytest.fixture
def pause(relief):
    """Pause as the guardian."""
    return lambda operations: relief.vault.pause(operations, {"from": relief.guardian})


@pytest.fixture
def attempts(relief):
    """One attempt for each thing that can be paused: (operation, function that sends it)."""
    payee, frozen = relief.payees(2)
    relief.freeze(frozen)
    skipped = relief.pay([(frozen, 5)])
    relief.unfreeze(frozen)
    approved = relief.batch([(payee, 10)])
    relief.approve(approved)
    streams = relief.open_streams([(payee, 9_000)])
    advance(DAY)
    sender = {"from": relief.anyone}
    return {
        "approve": (APPROVALS, lambda: relief.approve(relief.batch([(payee, 1)]))),
        "execute": (EXECUTION, lambda: relief.execute(approved)),
        "retry": (EXECUTION, lambda: relief.vault.retryPayout(skipped.id, 0, sender)),
        "withdraw": (WITHDRAWALS, lambda: relief.vault.withdraw(streams.id, 0, sender)),
        "withdraw all": (WITHDRAWALS, lambda: relief.vault.withdrawChunk(streams.id, 0, sender)),
    }


@pytest.mark.parametrize("name", ["approve", "execute", "retry", "withdraw", "withdraw all"])
def test_each_operation_pauses_apart_and_goes_on_after(relief, pause, attempts, name):
    operation, send = attempts[name]
    pause(operation)
    with refused("OperationPaused", operation):
        send()
    relief.unpause(operation)
    pause(ALL & ~operation)
    send()


def test_a_pause_is_announced(vault, pause):
    seq = vault.seq()
    transaction = pause(APPROVALS | EXECUTION)
    assert emitted(transaction, "Paused") == [{"operations": 3, "until": 0, "seq": seq + 1}]
    assert vault.pausedOperations() == 3


def test_a_pause_of_withdrawals_says_when_it_ends(vault, pause):
    seq = vault.seq()
    transaction = pause(WITHDRAWALS)
    until = transaction.timestamp + THREE_DAYS
    assert emitted(transaction, "Paused") == [{"operations": 4, "until": until, "seq": seq + 1}]


def test_a_pause_of_withdrawals_ends_by_itself_after_72_hours(vault, pause, attempts):
    _, withdraw = attempts["withdraw"]
    until = pause(ALL).timestamp + THREE_DAYS
    next_transaction_at(until - 1)
    with refused("OperationPaused", WITHDRAWALS):
        withdraw()
    next_transaction_at(until)
    withdraw()
    assert vault.pausedOperations() == APPROVALS | EXECUTION


def test_a_pause_of_withdrawals_cannot_be_renewed_into_a_standing_one(vault, pause):
    until = pause(WITHDRAWALS).timestamp + THREE_DAYS
    rests_until = until + THREE_DAYS
    for moment in (until - 1, until, rests_until - 1):
        next_transaction_at(moment)
        with refused("PauseCoolingDown", rests_until):
            pause(WITHDRAWALS)
    next_transaction_at(rests_until)
    pause(WITHDRAWALS)
    assert vault.pausedOperations() == WITHDRAWALS


def test_a_pause_lifted_early_rests_as_if_it_had_run_to_its_end(relief, vault, pause):
    rests_until = pause(WITHDRAWALS).timestamp + 2 * THREE_DAYS
    relief.unpause(WITHDRAWALS)
    assert vault.pausedOperations() == 0
    for _ in range(2):
        with refused("PauseCoolingDown", rests_until):
            pause(ALL)
        pause(APPROVALS | EXECUTION)
        assert vault.pausedOperations() == APPROVALS | EXECUTION
        relief.unpause(ALL)
    next_transaction_at(rests_until)
    pause(WITHDRAWALS)
    assert vault.pausedOperations() == WITHDRAWALS


def test_accrual_never_pauses(relief, vault, token, pause):
    payee = relief.payees(1)[0]
    batch = relief.open_streams([(payee, 9_000)])
    pause(ALL)
    next_transaction_at(batch.approval["start"] + 10 * DAY)
    vault.withdraw(batch.id, 0, {"from": relief.anyone})
    assert token.balanceOf(payee) == 1_000


def test_a_cancellation_works_under_a_pause(relief, token, pause):
    batch = relief.batch([(relief.payees(1)[0], 10)])
    relief.approve(batch)
    pause(ALL)
    relief.cancel_batch(batch)
    assert token.committed() == 0


def test_governors_lift_a_pause_and_it_is_announced(relief, vault, pause):
    pause(ALL)
    seq = vault.seq()
    action_id, deadline, signatures = relief.signed_action(
        vault, "Unpause", {"operations": EXECUTION | WITHDRAWALS}, (6, 8)
    )
    transaction = vault.unpause(6, action_id, deadline, signatures, {"from": relief.anyone})
    assert emitted(transaction, "Unpaused") == [
        {"operations": 6, "actionId": action_id, "signatures": signatures, "seq": seq + 1}
    ]
    assert vault.pausedOperations() == APPROVALS


@pytest.mark.parametrize("operations", [0, 8, 255])
def test_operations_that_are_none_are_refused(relief, pause, operations):
    with refused("InvalidOperations", operations):
        pause(operations)
    with refused("InvalidOperations", operations):
        relief.unpause(operations)


def test_only_a_guardian_pauses(relief, vault):
    with unauthorized(relief.anyone):
        vault.pause(ALL, {"from": relief.anyone})
