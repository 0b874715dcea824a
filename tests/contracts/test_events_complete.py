"""Events are enough: a life with every event that moves money, rebuilt from the events alone."""

import brownie
from clock import DAY, advance
from journal import rebuild

REFERENCE = bytes(32)


def _live(relief):
    """Approve, pay, skip, retry, stream, cut, cancel, transfer, redeem; the batches left over."""
    wallets = brownie.accounts[11:16]
    entries = [(wallet.address, 9_000 + i) for i, wallet in enumerate(wallets)]
    anyone = {"from": relief.anyone}

    relief.freeze(wallets[2])
    one_off = relief.pay(entries, chunk_size=2)
    stopped = relief.batch(entries, chunk_size=2)
    relief.approve(stopped)
    relief.execute(stopped, 1)
    relief.cancel_batch(stopped)

    streams = relief.open_streams(entries, chunk_size=3)
    advance(3 * DAY)
    relief.vault.withdraw(streams.id, 0, anyone)
    advance(2 * DAY)
    relief.vault.withdrawChunk(streams.id, 0, anyone)
    relief.cancel_streams(streams, [1], chunk_index=1)
    advance(2 * DAY)
    relief.vault.withdrawChunk(streams.id, 0, anyone)
    relief.unfreeze(wallets[2])
    relief.vault.retryPayout(one_off.id, 2, anyone)
    advance(DAY)
    relief.vault.withdrawChunk(streams.id, 0, anyone)
    relief.vault.withdrawChunk(streams.id, 1, anyone)

    relief.token.transfer(wallets[1], 500, {"from": wallets[0]})
    relief.token.transfer(wallets[1], 400, {"from": wallets[1]})
    relief.token.redeem(700, REFERENCE, {"from": wallets[1]})
    relief.freeze(wallets[4])
    for amount in (300, 20, 1):
        grant = relief.grant(wallets[1], amount)
        if amount != 1:
            end = relief.countersign if amount == 300 else relief.write_off
            end(grant)
    return streams, stopped


def test_the_books_follow_from_events_alone(relief, vault, token):
    first_block, first_seq = len(brownie.chain), vault.seq() + 1
    first_lane_seq = relief.lane.seq() + 1
    streams, stopped = _live(relief)
    rebuilt = rebuild(relief, first_block)

    assert len(rebuilt.balances) == 5
    for account, balance in rebuilt.balances.items():
        assert token.balanceOf(account) == balance > 0
        assert token.isFrozen(account) == (account in rebuilt.frozen)
    assert rebuilt.supply == token.totalSupply()
    assert rebuilt.committed == rebuilt.announced == token.committed() > 0
    assert rebuilt.redeemed == token.redeemedTotal() == 700
    assert rebuilt.explained == rebuilt.minted

    assert set(rebuilt.withdrawn) == {(streams.id, index) for index in range(5)}
    for (batch_id, index), withdrawn in rebuilt.withdrawn.items():
        assert vault.stream(batch_id, index)[3] == withdrawn > 0
    assert rebuilt.skipped == {(stopped.id, 2): 9_002}
    assert vault.skippedPayout(stopped.id, 2)[1] == 9_002
    assert list(rebuilt.granted.values()) == [300, 20, 1]
    assert sum(rebuilt.outstanding.values()) == relief.lane.outstanding() == 1
    assert rebuilt.lane_seqs == list(range(first_lane_seq, relief.lane.seq() + 1))
    assert rebuilt.seqs == list(range(first_seq, vault.seq() + 1))
