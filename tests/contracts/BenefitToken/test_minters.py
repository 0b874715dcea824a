"""The minter set: who may commit and mint, added only by governors and only slowly."""

import brownie
import pytest
from chunk_tree import pack_entries
from clock import DAY, advance, next_transaction_at
from deployment import TOKEN_CAP
from outcomes import ZERO_ADDRESS, emitted, encoded_error, refused

CAP = 1_000
REFERENCE = bytes(32)
UNCAPPED = 2**64 - 1


@pytest.fixture
def candidate():
    """An account that may become a minter."""
    return brownie.accounts[13]


@pytest.fixture
def schedule(relief, candidate):
    """Have governors plan the candidate as a minter."""

    def send(cap=CAP, account=candidate):
        message = {"minter": str(account), "cap": cap}
        signed = relief.signed_action(relief.token, "MinterAddition", message, (6, 7))
        return relief.token.scheduleMinter(account, cap, *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def minter(relief, token, candidate, schedule):
    """The candidate, planned, waited for and activated."""
    schedule()
    advance(14 * DAY)
    token.activateMinter(candidate, {"from": relief.anyone})
    return candidate


@pytest.fixture
def remove(relief):
    """Have governors remove a minter."""

    def send(account):
        message = {"minter": str(account)}
        signed = relief.signed_action(relief.token, "MinterRemoval", message, (6, 7))
        return relief.token.removeMinter(account, *signed, {"from": relief.anyone})

    return send


# ---- the set -------------------------------------------------------------------------------------


def test_the_vault_is_the_first_minter(token, vault):
    assert token.minter(vault) == (TOKEN_CAP, 0, 0, True)


def test_a_plan_is_stored_and_announced(relief, token, candidate):
    message = {"minter": candidate.address, "cap": CAP}
    action_id, deadline, signatures = relief.signed_action(token, "MinterAddition", message, (6, 7))
    transaction = token.scheduleMinter(
        candidate, CAP, action_id, deadline, signatures, {"from": relief.anyone}
    )
    active_from = transaction.timestamp + 14 * DAY
    assert emitted(transaction, "MinterScheduled") == [
        {
            "minter": candidate.address,
            "cap": CAP,
            "activeFrom": active_from,
            "actionId": action_id,
            "signatures": signatures,
        }
    ]
    assert token.pendingMinter(candidate) == (CAP, active_from)
    assert token.minter(candidate) == (0, 0, 0, False)


def test_a_minter_is_activated_from_the_second_its_14_days_are_over(
    relief, token, candidate, schedule
):
    active_from = schedule().timestamp + 14 * DAY
    next_transaction_at(active_from - 1)
    with refused("MinterNotDue", candidate, active_from):
        token.activateMinter(candidate, {"from": relief.anyone})
    next_transaction_at(active_from)
    transaction = token.activateMinter(candidate, {"from": relief.anyone})
    assert emitted(transaction, "MinterActivated") == [{"minter": candidate.address, "cap": CAP}]
    assert token.minter(candidate) == (CAP, 0, 0, True)
    assert token.pendingMinter(candidate) == (0, 0)


def test_nobody_is_activated_without_a_plan(relief, token, candidate):
    with refused("MinterNotDue", candidate, 0):
        token.activateMinter(candidate, {"from": relief.anyone})


def test_a_minter_without_a_cap_is_refused(schedule):
    with refused("CapNotHigher", 0, 0):
        schedule(cap=0)


def test_who_was_removed_never_comes_back(minter, schedule, remove):
    remove(minter)
    with refused("MinterIsRemoved", minter):
        schedule(CAP + 1)


def test_an_active_minters_cap_rises_after_its_14_days_and_what_it_minted_still_counts(
    relief, token, minter, bob, schedule
):
    token.commit(CAP, {"from": minter})
    token.mintBatch(pack_entries([(bob.address, 600)]), UNCAPPED, {"from": minter})
    active_from = schedule(CAP + 50).timestamp + 14 * DAY
    assert token.minter(minter) == (CAP, 400, 600, True)
    next_transaction_at(active_from - 1)
    with refused("MinterNotDue", minter, active_from):
        token.activateMinter(minter, {"from": relief.anyone})
    next_transaction_at(active_from)
    transaction = token.activateMinter(minter, {"from": relief.anyone})
    assert emitted(transaction, "MinterActivated") == [{"minter": minter.address, "cap": CAP + 50}]
    assert token.minter(minter) == (CAP + 50, 400, 600, True)
    with refused("MinterCapExceeded", minter, CAP + 51, CAP + 50):
        token.commit(51, {"from": minter})
    token.commit(50, {"from": minter})


@pytest.mark.parametrize("less", [0, 1])
def test_a_minters_cap_does_not_fall_by_a_plan(minter, schedule, less):
    with refused("CapNotHigher", CAP - less, CAP):
        schedule(CAP - less)


def test_removing_a_minter_drops_its_higher_cap_too(relief, token, minter, schedule, remove):
    schedule(CAP + 50)
    remove(minter)
    advance(14 * DAY)
    with refused("MinterNotDue", minter, 0):
        token.activateMinter(minter, {"from": relief.anyone})
    assert token.minter(minter) == (CAP, 0, 0, False)


def test_removing_a_minter_is_announced(relief, token, minter):
    message = {"minter": minter.address}
    action_id, deadline, signatures = relief.signed_action(token, "MinterRemoval", message, (6, 8))
    transaction = token.removeMinter(
        minter, action_id, deadline, signatures, {"from": relief.anyone}
    )
    assert emitted(transaction, "MinterRemoved") == [
        {"minter": minter.address, "actionId": action_id, "signatures": signatures}
    ]
    assert token.minter(minter) == (CAP, 0, 0, False)


def test_a_removed_plan_is_not_activated(relief, token, candidate, schedule, remove):
    schedule()
    remove(candidate)
    advance(14 * DAY)
    with refused("MinterNotDue", candidate, 0):
        token.activateMinter(candidate, {"from": relief.anyone})


def test_a_stranger_to_the_set_is_not_removed(candidate, remove):
    with refused("NotMinter", candidate):
        remove(candidate)


# ---- committing and releasing --------------------------------------------------------------------


def test_a_commitment_is_counted_and_announced(relief, token, minter):
    relief.approve(relief.batch([(relief.payees(1)[0], 50)]))
    transaction = token.commit(400, {"from": minter})
    assert emitted(transaction, "Committed") == [
        {"minter": minter.address, "amount": 400, "outstanding": 450}
    ]
    assert token.minter(minter) == (CAP, 400, 0, True)


def test_commitments_of_a_minter_whose_cap_rose_or_who_was_removed_count_once(
    relief, token, minter, bob, schedule, remove
):
    relief.approve(relief.batch([(relief.payees(1)[0], 50)]))
    token.commit(400, {"from": minter})
    schedule(2 * CAP, minter)
    advance(14 * DAY)
    token.activateMinter(minter, {"from": relief.anyone})
    assert (token.totalSupply(), token.committed()) == (0, 450)
    remove(minter)
    token.mintEntry(bob, 30, {"from": minter})
    assert (token.totalSupply(), token.committed()) == (30, 420)


def test_a_release_is_counted_and_announced(token, minter):
    token.commit(400, {"from": minter})
    transaction = token.release(150, {"from": minter})
    assert emitted(transaction, "Released") == [
        {"minter": minter.address, "amount": 150, "outstanding": 250}
    ]
    assert token.minter(minter) == (CAP, 250, 0, True)


def test_a_minter_keeps_within_its_own_cap(token, minter, bob):
    token.commit(600, {"from": minter})
    token.mintBatch(pack_entries([(bob.address, 500)]), UNCAPPED, {"from": minter})
    with refused("MinterCapExceeded", minter, CAP + 1, CAP):
        token.commit(401, {"from": minter})
    token.commit(400, {"from": minter})


def test_redemptions_give_a_minter_nothing_back(token, minter, bob):
    token.commit(CAP, {"from": minter})
    token.mintBatch(pack_entries([(bob.address, CAP)]), UNCAPPED, {"from": minter})
    token.redeem(CAP, REFERENCE, {"from": bob})
    with refused("MinterCapExceeded", minter, CAP + 1, CAP):
        token.commit(1, {"from": minter})


def test_a_minter_releases_no_more_than_it_committed(relief, token, minter):
    relief.approve(relief.batch([(relief.payees(1)[0], 50)]))
    token.commit(10, {"from": minter})
    with refused("CommitmentExceeded", 11, 10):
        token.release(11, {"from": minter})


def test_an_amount_beyond_uint80_is_refused(token, minter):
    with refused("MinterCapExceeded", minter, 2**80 - 1, CAP):
        token.commit(2**80 - 1, {"from": minter})
    with refused("AmountTooLarge", 2**80):
        token.commit(2**80, {"from": minter})


def test_a_removed_minter_pays_what_it_committed_and_commits_no_more(token, minter, bob, remove):
    token.commit(10, {"from": minter})
    remove(minter)
    with refused("NotMinter", minter):
        token.commit(1, {"from": minter})
    token.mintBatch(pack_entries([(bob.address, 7)]), UNCAPPED, {"from": minter})
    token.release(3, {"from": minter})
    assert token.balanceOf(bob) == 7
    assert token.committed() == 0


# ---- minting -------------------------------------------------------------------------------------


def test_minting_turns_a_commitment_into_supply(relief, token, minter, bob):
    token.commit(100, {"from": minter})
    entries = pack_entries([(bob.address, 30), (relief.anyone.address, 40)])
    transaction = token.mintBatch(entries, UNCAPPED, {"from": minter})
    assert emitted(transaction, "Transfer") == [
        {"from": ZERO_ADDRESS, "to": bob.address, "value": 30},
        {"from": ZERO_ADDRESS, "to": relief.anyone.address, "value": 40},
    ]
    assert token.minter(minter) == (CAP, 30, 70, True)
    assert (token.totalSupply(), token.committed()) == (70, 30)


def test_more_than_the_commitment_is_not_minted(relief, token, minter, bob):
    relief.approve(relief.batch([(relief.payees(1)[0], 50)]))
    token.commit(10, {"from": minter})
    with refused("CommitmentExceeded", 11, 10):
        token.mintBatch(pack_entries([(bob.address, 11)]), UNCAPPED, {"from": minter})


@pytest.mark.parametrize("length", [1, 27, 29, 28 * 513])
def test_entries_of_an_odd_length_or_too_many_are_refused(token, minter, length):
    with refused("MalformedEntries", length):
        token.mintBatch(bytes(length), UNCAPPED, {"from": minter})


def test_an_entry_above_the_callers_cap_is_refused(token, minter, bob):
    token.commit(100, {"from": minter})
    entries = pack_entries([(bob.address, 30), (bob.address, 31)])
    with refused("EntryAboveCap", 1, 31, 30):
        token.mintBatch(entries, 30, {"from": minter})


def test_what_a_call_reports_of_skipped_entries(relief, token, minter, bob):
    relief.freeze(bob)
    token.commit(1_000, {"from": minter})
    entries = [(payee, 1) for payee in relief.payees(300)]
    for position in (0, 255, 256, 299):
        entries[position] = (bob.address, 2)
    reported = token.mintBatch.call(pack_entries(entries), UNCAPPED, {"from": minter})
    assert reported == (1 | 1 << 255, 1 | 1 << 43, 296, 8)


def test_one_entry_is_minted_as_a_batch_of_one_would_be(relief, token, minter, bob):
    token.commit(100, {"from": minter})
    transaction = token.mintEntry(bob, 30, {"from": minter})
    assert emitted(transaction, "Transfer") == [
        {"from": ZERO_ADDRESS, "to": bob.address, "value": 30}
    ]
    token.mintEntry(bob, 5, {"from": minter})
    assert token.balanceOf(bob) == 35
    assert token.minter(minter) == (CAP, 65, 35, True)
    assert (token.totalSupply(), token.committed(), token.cap()) == (35, 65, TOKEN_CAP)


def test_an_entry_whose_payee_cannot_be_paid_mints_nothing_and_says_why(relief, token, minter, bob):
    relief.freeze(bob)
    token.commit(100, {"from": minter})
    payees = {ZERO_ADDRESS: 1, token.address: 2, minter.address: 3, bob.address: 4}
    for payee, reason in payees.items():
        assert token.mintEntry.call(payee, 1, {"from": minter}) == reason
        transaction = token.mintEntry(payee, 1, {"from": minter})
        assert emitted(transaction, "Transfer") == []
        assert token.balanceOf(payee) == 0
    assert token.minter(minter) == (CAP, 100, 0, True)
    assert (token.totalSupply(), token.committed()) == (0, 100)


def test_an_entry_above_the_commitment_is_not_minted(relief, token, minter, bob):
    relief.approve(relief.batch([(relief.payees(1)[0], 50)]))
    token.commit(10, {"from": minter})
    with refused("CommitmentExceeded", 11, 10):
        token.mintEntry(bob, 11, {"from": minter})


# ---- nobody else ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["deployer", "guardian", "treasurer", "planner", "anyone"])
def test_who_is_no_minter_commits_mints_and_releases_nothing(relief, token, bob, who):
    relief.approve(relief.batch([(relief.payees(1)[0], 50)]))
    sender = getattr(relief, who)
    with refused("NotMinter", sender):
        token.commit(1, {"from": sender})
    with refused("CommitmentExceeded", 1, 0):
        token.release(1, {"from": sender})
    with refused("CommitmentExceeded", 1, 0):
        token.mintBatch(pack_entries([(bob.address, 1)]), UNCAPPED, {"from": sender})
    with refused("CommitmentExceeded", 1, 0):
        token.mintEntry(bob, 1, {"from": sender})


@pytest.mark.parametrize("function", ["commit", "release", "mintBatch", "mintEntry"])
def test_the_access_managers_administrator_is_no_minter_either(relief, token, bob, function):
    relief.approve(relief.batch([(relief.payees(1)[0], 50)]))
    arguments = {
        "mintBatch": [pack_entries([(bob.address, 1)]), UNCAPPED],
        "mintEntry": [bob, 1],
    }.get(function, [1])
    if function == "commit":
        reason = encoded_error("NotMinter(address)", relief.manager.address)
    else:
        reason = encoded_error("CommitmentExceeded(uint256,uint256)", 1, 0)
    call = getattr(token, function).encode_input(*arguments)
    with refused("ManagerCallFailed", reason):
        relief.call_manager(relief.manager.execute.encode_input(token, call))
