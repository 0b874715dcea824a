"""beginSunset: approvals end for good, by a quorum of governors; what was approved is paid on."""

from clock import DAY, advance, next_transaction_at
from deployment import SIMPLE, SIMPLE_BUDGET
from outcomes import emitted, refused


def test_it_is_announced_and_cannot_be_undone(relief, vault):
    seq = vault.seq()
    action_id, deadline, signatures = relief.signed_action(vault, "Sunset", {}, (6, 7))
    transaction = vault.beginSunset(action_id, deadline, signatures, {"from": relief.anyone})
    assert emitted(transaction, "SunsetBegan") == [
        {"actionId": action_id, "signatures": signatures, "seq": seq + 1}
    ]
    assert vault.inSunset()
    relief.unpause(7)
    assert vault.inSunset()
    with refused("InSunset"):
        relief.begin_sunset()


def test_nothing_more_is_approved(relief, vault):
    planner = {"from": relief.planner}
    vault.scheduleBudgetIncrease(SIMPLE, SIMPLE_BUDGET + 1, planner)
    batch = relief.batch([(relief.payees(1)[0], 10)])
    relief.begin_sunset()
    with refused("InSunset"):
        relief.approve(batch)
    with refused("InSunset"):
        vault.createProgramme(3, 0, 0, 1, 1, [(1, 1, 0)], bytes(32), planner)
    with refused("InSunset"):
        vault.scheduleBudgetIncrease(SIMPLE, SIMPLE_BUDGET + 2, planner)
    advance(2 * DAY)
    with refused("InSunset"):
        vault.applyBudgetIncrease(SIMPLE, {"from": relief.anyone})
    vault.decreaseBudget(SIMPLE, SIMPLE_BUDGET - 1, planner)
    assert vault.programme(SIMPLE)[0] == SIMPLE_BUDGET - 1


def test_what_was_approved_is_paid_retried_withdrawn_cancelled_and_expires(relief, vault, token):
    frozen, payee = relief.payees(2)
    anyone = {"from": relief.anyone}
    relief.freeze(frozen)
    batch = relief.batch([(frozen, 1), (payee, 2), (payee, 4)], chunk_size=1)
    streams = relief.stream_batch([(payee, 90), (payee, 180)], chunk_size=1)
    stopped = relief.batch([(payee, 1_000)])
    for each in (batch, streams, stopped):
        relief.approve(each)
    relief.begin_sunset()
    relief.execute(batch, 0)
    relief.execute(batch, 1)
    relief.execute(streams, 0)
    relief.cancel_batch(stopped)
    relief.unfreeze(frozen)
    vault.retryPayout(batch.id, 0, anyone)
    next_transaction_at(streams.approval["executeBefore"] + DAY)
    vault.expireUnexecuted(batch.id, anyone)
    vault.expireUnexecuted(streams.id, anyone)
    relief.move_to_end_of(streams)
    vault.withdrawChunk(streams.id, 0, anyone)
    assert (token.totalSupply(), token.committed()) == (93, 0)
    assert vault.programme(SIMPLE)[1] == 93


def test_reviewers_cannot(relief):
    with refused("OfficerLacksRole", 2, 8):
        relief.begin_sunset(officers=(2, 3))
