"""holdEntry: one reviewer keeps a payout from being paid for 72 hours, once, and nothing is lost."""

import pytest
from clock import DAY, HOUR, next_transaction_at, now
from outcomes import emitted, refused

HOLD = 72 * HOUR


@pytest.fixture
def skipped(relief):
    """A run batch whose payout 1, of 20, was skipped; its payee is payable again."""
    payee, frozen = relief.payees(2)
    relief.freeze(frozen)
    batch = relief.pay([(payee, 10), (frozen, 20)])
    relief.unfreeze(frozen)
    return batch


@pytest.fixture
def streams(relief):
    """Three streams of 90 over 90 days, one a day."""
    return relief.open_streams([(payee, 90) for payee in relief.payees(3)])


def test_a_held_payout_is_not_retried_for_72_hours(relief, vault, token, skipped):
    seq = vault.seq()
    transaction = relief.hold_entry(skipped, 1, 3)
    until = transaction.timestamp + HOLD
    (event,) = emitted(transaction, "EntryHeld")
    facts = {"batchId": skipped.id, "index": 1, "officerId": 3, "until": until, "seq": seq + 1}
    assert facts.items() <= event.items()
    assert vault.heldUntil(skipped.id, 1) == until
    assert vault.skippedPayout(skipped.id, 1) == (relief.payees(2)[1], 20)
    next_transaction_at(until - 1)
    with refused("EntryIsHeld", skipped.id, 1, until):
        vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    next_transaction_at(until)
    vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    assert token.balanceOf(relief.payees(2)[1]) == 20


def test_a_held_stream_is_passed_by_and_loses_nothing(relief, vault, token, streams):
    held, other = relief.payees(2)
    anyone = {"from": relief.anyone}
    start = streams.approval["start"]
    next_transaction_at(start + 10 * DAY)
    vault.withdrawChunk(streams.id, 0, anyone)
    next_transaction_at(start + 20 * DAY)
    until = relief.hold_entry(streams, 0).timestamp + HOLD
    next_transaction_at(start + 21 * DAY)
    with refused("EntryIsHeld", streams.id, 0, until):
        vault.withdraw(streams.id, 0, anyone)
    next_transaction_at(start + 22 * DAY)
    transaction = vault.withdrawChunk(streams.id, 0, anyone)
    (event,) = emitted(transaction, "StreamsWithdrawn")
    assert (event["paid"], event["skippedLow"], event["watermark"]) == (24, 1, 22 * DAY)
    assert (token.balanceOf(held), token.balanceOf(other)) == (10, 22)
    next_transaction_at(until)
    vault.withdraw(streams.id, 0, anyone)
    assert token.balanceOf(held) == 23
    next_transaction_at(start + 30 * DAY)
    vault.withdrawChunk(streams.id, 0, anyone)
    assert token.balanceOf(held) == 30


def test_a_range_pays_from_the_second_in_which_a_hold_ends(relief, vault, token, streams):
    held = relief.payees(1)[0]
    next_transaction_at(streams.approval["start"] + 10 * DAY)
    until = relief.hold_entry(streams, 0).timestamp + HOLD
    next_transaction_at(until - 1)
    vault.withdrawChunk(streams.id, 0, {"from": relief.anyone})
    assert token.balanceOf(held) == 0
    next_transaction_at(until)
    vault.withdrawChunk(streams.id, 0, {"from": relief.anyone})
    assert token.balanceOf(held) == 13


def test_a_held_stream_to_which_nothing_is_due_is_not_told_as_skipped(relief, vault, streams):
    anyone, start = {"from": relief.anyone}, streams.approval["start"]
    next_transaction_at(start + 10 * DAY)
    vault.withdraw(streams.id, 0, anyone)
    relief.hold_entry(streams, 0)
    next_transaction_at(start + 10 * DAY + 60)
    (event,) = emitted(vault.withdrawChunk(streams.id, 0, anyone), "StreamsWithdrawn")
    assert (event["paid"], event["skippedLow"]) == (20, 0)


@pytest.mark.parametrize(("held", "frozen"), [(0, 1), (1, 0), (256, 257), (257, 256), (0, 257)])
def test_a_held_stream_and_a_frozen_one_are_both_passed_by_and_lose_nothing(
    relief, vault, token, held, frozen
):
    payees, anyone = relief.payees(258), {"from": relief.anyone}
    streams = relief.open_streams([(payee, 90) for payee in payees])
    start = streams.approval["start"]
    relief.freeze(payees[frozen])
    next_transaction_at(start + 10 * DAY)
    relief.hold_entry(streams, held)
    next_transaction_at(start + 11 * DAY)
    (event,) = emitted(vault.withdrawChunk(streams.id, 0, anyone), "StreamsWithdrawn")
    assert event["skippedLow"] | event["skippedHigh"] << 256 == 1 << held | 1 << frozen
    assert event["paid"] == 256 * 11
    relief.unfreeze(payees[frozen])
    next_transaction_at(start + 20 * DAY)
    vault.withdrawChunk(streams.id, 0, anyone)
    assert {token.balanceOf(payee) for payee in payees} == {20}


def test_each_officer_holds_a_payout_once(relief, vault, skipped, streams):
    relief.hold_entry(skipped, 1)
    with refused("AlreadyHeld", skipped.id, 2):
        relief.hold_entry(skipped, 1)
    next_transaction_at(now() + DAY)
    until = relief.hold_entry(skipped, 1, 3).timestamp + HOLD
    assert vault.heldUntil(skipped.id, 1) == until
    relief.hold_entry(streams, 0)
    relief.hold_entry(streams, 1)
    with refused("AlreadyHeld", streams.id, 2):
        relief.hold_entry(streams, 0)


def test_what_waits_for_nothing_is_refused(relief, vault, skipped, streams):
    with refused("NotSkipped", skipped.id, 0):
        relief.hold_entry(skipped, 0)
    with refused("StreamsNotOpen", streams.id, 0):
        relief.hold_entry(streams, 3)
    with refused("StreamsNotOpen", streams.id, 1):
        relief.hold_entry(streams, 500)
    relief.move_to_end_of(streams)
    vault.withdraw(streams.id, 2, {"from": relief.anyone})
    with refused("NothingUnpaid", streams.id, 2):
        relief.hold_entry(streams, 2)
    unsigned = relief.batch(skipped.entries)
    with refused("UnknownBatch", unsigned.id):
        relief.hold_entry(unsigned, 0)


def test_who_is_no_reviewer_of_the_region_is_refused(relief, skipped):
    with refused("OfficerLacksRole", 1, 2):
        relief.hold_entry(skipped, 1, 1)
    with refused("OfficerOutsideRegion", 5, 510722, 6):
        relief.hold_entry(skipped, 1, 5)


def test_after_the_deadline_it_is_refused(relief, vault, skipped):
    deadline = now() + HOUR
    message = {"batchId": skipped.id, "index": 1}
    signed = relief.signed_action(vault, "EntryHold", message, (2,), deadline=deadline)
    next_transaction_at(deadline + 1)
    with refused("ActionExpired", signed[0], deadline):
        vault.holdEntry(skipped.id, 1, *signed, {"from": relief.anyone})
