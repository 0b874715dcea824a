"""changeWallet: what is unpaid goes to another wallet, by a quorum of reviewers."""

import pytest
from clock import DAY, next_transaction_at
from eth_utils import to_checksum_address
from outcomes import ZERO_ADDRESS, emitted, refused


@pytest.fixture
def wallets(relief):
    """The wallet that officers signed, and two others."""
    return relief.payees(3, 50)


@pytest.fixture
def skipped(relief, wallets):
    """A run batch whose payout 1, of 20 to the first wallet, frozen, was skipped."""
    relief.freeze(wallets[0])
    return relief.pay([(relief.payees(1)[0], 10), (wallets[0], 20)])


@pytest.fixture
def streams(relief, wallets):
    """Two streams of 90 over 90 days, one a day; the second goes to the first wallet."""
    return relief.open_streams([(relief.payees(1)[0], 90), (wallets[0], 90)])


def test_a_skipped_payout_is_paid_to_the_new_wallet(relief, vault, token, wallets, skipped):
    seq = vault.seq()
    message = {"batchId": skipped.id, "index": 1, "from": wallets[0], "to": wallets[1]}
    signed = relief.signed_action(vault, "WalletChange", message, (2, 3))
    transaction = vault.changeWallet(
        skipped.id, 1, wallets[0], wallets[1], *signed, {"from": relief.anyone}
    )
    assert emitted(transaction, "WalletChanged") == [
        {**message, "actionId": signed[0], "signatures": signed[2], "seq": seq + 1}
    ]
    assert vault.skippedPayout(skipped.id, 1) == (wallets[1], 20)
    vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    assert (token.balanceOf(wallets[0]), token.balanceOf(wallets[1])) == (0, 20)
    with refused("NotSkipped", skipped.id, 1):
        relief.change_wallet(skipped, 1, wallets[1], wallets[2])


def test_a_stream_goes_on_to_the_new_wallet_from_where_it_was_paid(
    relief, vault, token, wallets, streams
):
    anyone, start = {"from": relief.anyone}, streams.approval["start"]
    next_transaction_at(start + 10 * DAY)
    vault.withdrawChunk(streams.id, 0, anyone)
    next_transaction_at(start + 20 * DAY)
    relief.change_wallet(streams, 1, wallets[0], wallets[1])
    assert vault.stream(streams.id, 1)[:2] == (wallets[1], 90)
    vault.withdraw(streams.id, 1, anyone)
    next_transaction_at(start + 30 * DAY)
    vault.withdrawChunk(streams.id, 0, anyone)
    assert (token.balanceOf(wallets[0]), token.balanceOf(wallets[1])) == (10, 20)
    relief.change_wallet(streams, 1, wallets[1], wallets[2])
    relief.move_to_end_of(streams)
    vault.withdrawChunk(streams.id, 0, anyone)
    assert [token.balanceOf(wallet) for wallet in wallets] == [10, 20, 60]
    assert token.balanceOf(relief.payees(1)[0]) == 90


@pytest.mark.parametrize("bits", [0xFF << 152 | 0xFF, 0x81 << 152 | 0x81], ids=hex)
def test_nothing_of_the_former_address_or_of_the_neighbours_is_mixed_in(relief, vault, token, bits):
    before, after = relief.payees(2)
    former, new = (to_checksum_address(f"0x{wallet:040x}") for wallet in (bits, 1 << 80))
    streams = relief.open_streams([(before, 91), (former, 93), (after, 95)])
    relief.change_wallet(streams, 1, former, new)
    relief.move_to_end_of(streams)
    vault.withdrawChunk(streams.id, 0, {"from": relief.anyone})
    wallets = (before, former, new, after)
    assert [token.balanceOf(wallet) for wallet in wallets] == [91, 0, 93, 95]


def test_what_a_frozen_wallet_missed_goes_to_the_new_one(relief, vault, token, wallets, streams):
    anyone, start = {"from": relief.anyone}, streams.approval["start"]
    relief.freeze(wallets[0])
    next_transaction_at(start + 10 * DAY)
    vault.withdrawChunk(streams.id, 0, anyone)
    relief.change_wallet(streams, 1, wallets[0], wallets[1])
    vault.withdrawChunk(streams.id, 0, anyone)
    assert token.balanceOf(wallets[1]) == 10


def test_beside_a_changed_wallet_a_frozen_one_loses_nothing(relief, vault, token, wallets, streams):
    frozen, anyone = relief.payees(1)[0], {"from": relief.anyone}
    relief.change_wallet(streams, 1, wallets[0], wallets[1])
    relief.freeze(frozen)
    for day in (10, 20):
        next_transaction_at(streams.approval["start"] + day * DAY)
        vault.withdrawChunk(streams.id, 0, anyone)
    relief.unfreeze(frozen)
    relief.move_to_end_of(streams)
    vault.withdrawChunk(streams.id, 0, anyone)
    assert (token.balanceOf(frozen), token.balanceOf(wallets[1])) == (90, 90)


def test_a_signed_change_is_not_replayed_after_a_change_back(relief, vault, wallets, streams):
    message = {"batchId": streams.id, "index": 1, "from": wallets[0], "to": wallets[1]}
    signed = relief.signed_action(vault, "WalletChange", message, (2, 3))
    arguments = (streams.id, 1, wallets[0], wallets[1], *signed, {"from": relief.anyone})
    vault.changeWallet(*arguments)
    relief.change_wallet(streams, 1, wallets[1], wallets[0])
    with refused("ActionUsed", vault, signed[0]):
        vault.changeWallet(*arguments)
    assert vault.stream(streams.id, 1)[0] == wallets[0]


@pytest.mark.parametrize("kind", ["skipped", "streams"])
def test_from_must_be_who_is_paid_now_and_to_another(request, relief, wallets, kind):
    batch = request.getfixturevalue(kind)
    with refused("WrongPayee", batch.id, 1, wallets[0]):
        relief.change_wallet(batch, 1, wallets[1], wallets[2])
    relief.change_wallet(batch, 1, wallets[0], wallets[1])
    with refused("WrongPayee", batch.id, 1, wallets[1]):
        relief.change_wallet(batch, 1, wallets[0], wallets[2])
    with refused("WrongPayee", batch.id, 1, wallets[1]):
        relief.change_wallet(batch, 1, wallets[1], wallets[1])


def test_the_new_wallet_must_be_payable(relief, vault, token, wallets, streams):
    relief.freeze(wallets[1])
    cases = [(ZERO_ADDRESS, 1), (token.address, 2), (vault.address, 3), (wallets[1], 4)]
    for wallet, reason in cases:
        with refused("Unpayable", wallet, reason):
            relief.change_wallet(streams, 1, wallets[0], wallet)


def test_what_was_paid_is_not_changed(relief, vault, wallets, skipped, streams):
    with refused("NotSkipped", skipped.id, 0):
        relief.change_wallet(skipped, 0, relief.payees(1)[0], wallets[1])
    relief.unfreeze(wallets[0])
    relief.move_to_end_of(streams)
    vault.withdrawChunk(streams.id, 0, {"from": relief.anyone})
    with refused("NothingUnpaid", streams.id, 1):
        relief.change_wallet(streams, 1, wallets[0], wallets[1])


def test_a_hold_ends_with_the_change_it_was_for(relief, vault, token, wallets, skipped, streams):
    for batch in (skipped, streams):
        relief.hold_entry(batch, 1)
        relief.change_wallet(batch, 1, wallets[0], wallets[1])
        assert vault.heldUntil(batch.id, 1) == 0
    vault.retryPayout(skipped.id, 1, {"from": relief.anyone})
    next_transaction_at(streams.approval["start"] + 10 * DAY)
    vault.withdraw(streams.id, 1, {"from": relief.anyone})
    assert token.balanceOf(wallets[1]) == 30


def test_only_a_quorum_of_reviewers_changes_a_wallet(relief, wallets, streams):
    with refused("NotEnoughOfficers", 2, 1):
        relief.change_wallet(streams, 1, wallets[0], wallets[1], officers=(2,))
    with refused("OfficerLacksRole", 1, 2):
        relief.change_wallet(streams, 1, wallets[0], wallets[1], officers=(1, 2))
    with refused("OfficerOutsideRegion", 5, 510722, 6):
        relief.change_wallet(streams, 1, wallets[0], wallets[1], officers=(2, 5))


def test_streams_high_in_a_chunk_are_held_and_changed_at_their_own_place(relief, vault, token):
    payees = relief.payees(300)
    streams = relief.open_streams([(payee, 90) for payee in payees])
    new = relief.payees(1, 900)[0]
    relief.change_wallet(streams, 257, payees[257], new)
    next_transaction_at(streams.approval["start"] + 10 * DAY)
    relief.hold_entry(streams, 299)
    transaction = vault.withdrawChunk(streams.id, 0, {"from": relief.anyone})
    (event,) = emitted(transaction, "StreamsWithdrawn")
    assert (event["skippedLow"], event["skippedHigh"]) == (0, 1 << (299 - 256))
    assert [token.balanceOf(payees[index]) for index in (256, 257, 258, 299)] == [10, 0, 10, 0]
    assert token.balanceOf(new) == 10


def test_streams_where_256_end_and_begin_are_changed_at_their_own_place(relief, vault, token):
    payees = relief.payees(300)
    streams = relief.open_streams([(payee, 90) for payee in payees])
    places = (0, 254, 255, 256)
    new = dict(zip(places, relief.payees(len(places), 900), strict=True))
    for index in places:
        relief.change_wallet(streams, index, payees[index], new[index])
    next_transaction_at(streams.approval["start"] + 10 * DAY)
    vault.withdrawChunk(streams.id, 0, {"from": relief.anyone})
    assert [token.balanceOf(new[index]) for index in places] == [10] * 4
    assert [token.balanceOf(payees[index]) for index in (*places, 1, 257)] == [0] * 4 + [10] * 2


def test_a_stream_of_a_chunk_that_begins_anywhere_is_changed_at_its_own_place(relief, vault, token):
    payees = relief.payees(511)
    streams = relief.open_streams([(payee, 90) for payee in payees], chunk_size=255)
    new = relief.payees(1, 900)[0]
    relief.change_wallet(streams, 510, payees[510], new)
    next_transaction_at(streams.approval["start"] + 10 * DAY)
    vault.withdrawChunk(streams.id, 2, {"from": relief.anyone})
    assert (token.balanceOf(new), token.balanceOf(payees[510])) == (10, 0)
