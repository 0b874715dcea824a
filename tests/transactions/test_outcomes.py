"""What each node's refusal of a transaction means: only what is surely wrong uses a nonce up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from service.chain.rpc import Rpc, RpcError
from service.confirmations.models import ChainAlarm
from service.transactions.models import TransactionAttempt
from service.transactions.outcomes import classify_send
from tests.support.rows import add_batch
from tests.support.world import World

REFUSALS = [
    # client, JSON-RPC code, its words, what they mean
    ("geth", -32000, "already known", "accepted"),
    ("geth", -32000, "nonce too low: next nonce 82, tx nonce 81", "nonce_used"),
    ("geth", -32000, "nonce too high", "unknown"),
    (
        "geth",
        -32000,
        "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1",
        "no_funds",
    ),
    ("geth", -32000, "transaction underpriced: gas tip cap 0, minimum needed 1", "underpriced"),
    ("geth", -32000, "replacement transaction underpriced", "underpriced"),
    (
        "geth",
        -32000,
        "max fee per gas less than block base fee: address 0x01, maxFeePerGas: 1, baseFee: 2",
        "underpriced",
    ),
    ("geth", -32000, "txpool is full", "busy"),
    ("geth", -32000, "account limit exceeded: pending 16", "busy"),
    ("geth", -32000, "exceeds block gas limit", "invalid"),
    ("geth", -32000, "intrinsic gas too low: gas 21000, minimum needed 53000", "invalid"),
    ("geth", -32000, "invalid sender", "invalid"),
    ("geth", -32000, "oversized data: transaction size 140000, limit 131072", "invalid"),
    ("geth", -32000, "rlp: value size exceeds available input length", "invalid"),
    (
        "geth",
        -32000,
        "max priority fee per gas higher than max fee per gas: address 0x01",
        "invalid",
    ),
    # Still reading old blocks: the same bytes are good for a node that is up to date.
    (
        "geth",
        -32000,
        "transaction type not supported: type 2 rejected, pool not yet in London",
        "unknown",
    ),
    # The node's own limit, not the chain's.
    ("geth", -32000, "tx fee (2.10 ether) exceeds the configured cap (1.00 ether)", "unknown"),
    ("geth", -32000, "header not found", "unknown"),
    ("geth", -32002, "request timed out", "unknown"),
    ("geth", -32000, "in-flight transaction limit reached for delegated accounts", "unknown"),
    ("geth", -32000, "future transaction tries to replace pending", "unknown"),
    ("Nethermind", -32010, "AlreadyKnown", "accepted"),
    ("Nethermind", -32010, "already known", "accepted"),
    ("Nethermind", -32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 4", "nonce_used"),
    ("Nethermind", -32010, "FeeTooLow, MaxFeePerGas too low.", "underpriced"),
    ("Nethermind", -32010, "FeeTooLowToCompete, Compare FeePerGas", "underpriced"),
    ("Nethermind", -32010, "InsufficientFunds, Account balance: 0", "no_funds"),
    ("Nethermind", -32010, "GasLimitExceeded, Gas limit: 30000000", "invalid"),
    ("Nethermind", -32010, "gas limit reached", "invalid"),
    ("Nethermind", -32010, "FailedToResolveSender", "invalid"),
    ("Nethermind", -32010, "failed to recover sender", "invalid"),
    ("Nethermind", -32010, "node is syncing", "busy"),
    ("Nethermind", -32010, "nonce too far in future", "unknown"),
    ("Nethermind", -32010, "Invalid, transaction invalid", "unknown"),
    ("Besu", -32000, "Known transaction", "accepted"),
    ("Besu", -32001, "Nonce too low", "nonce_used"),
    ("Besu", -32000, "Transaction nonce is too distant from current sender nonce", "unknown"),
    ("Besu", -32004, "Upfront cost exceeds account balance", "no_funds"),
    ("Besu", -32009, "Gas price below configured minimum gas price", "underpriced"),
    ("Besu", -32009, "Gas price below current base fee", "underpriced"),
    ("Besu", -32000, "Replacement transaction underpriced", "underpriced"),
    ("Besu", -32003, "Intrinsic gas exceeds gas limit", "invalid"),
    ("Besu", -32005, "Transaction gas limit exceeds block gas limit", "invalid"),
    ("Besu", -32002, "Invalid signature", "invalid"),
    ("Besu", -32000, "Wrong chainId", "unknown"),
    ("Besu", -32000, "Transaction fee cap exceeded", "unknown"),
    ("Besu", -32007, "Sender account not authorized to send transactions", "unknown"),
    ("Besu", -32008, "Initial sync is still in progress", "busy"),
    ("Besu", -32002, "Transaction pool not enabled. (… or node not yet in sync).", "unknown"),
    ("Besu", -32603, "Internal error", "unknown"),
    ("Besu", -32603, "Timeout expired", "unknown"),
    ("Besu", -32005, "Number of requests exceeds max batch size", "unknown"),
    ("Erigon", -32000, "existing txn with same hash", "accepted"),
    ("Erigon", -32000, "nonce too low", "nonce_used"),
    ("Erigon", -32000, "INTERNAL_ERROR: could not replace existing tx", "underpriced"),
    ("Erigon", -32000, "fee too low", "underpriced"),
    ("Erigon", -32000, "pending sub-pool is full", "busy"),
    ("Erigon", -32000, "baseFee sub-pool is full", "busy"),
    ("Erigon", -32000, "IntrinsicGas", "invalid"),
    ("Erigon", -32000, "RLPTooLong", "invalid"),
    ("Erigon", -32000, "gas limit is too high", "invalid"),
    ("Erigon", -32000, "spammer", "unknown"),
    ("Erigon", -32000, "replaced by transaction with higher tip", "unknown"),
    (
        "Erigon",
        -32000,
        "fork supporting this transaction type is not activated yet",
        "unknown",
    ),
    ("reth", -32000, "already known", "accepted"),
    ("reth", -32000, "nonce too low: next nonce 3, tx nonce 1", "nonce_used"),
    ("reth", -32003, "txpool is full", "busy"),
    ("reth", -32003, "exceeds block gas limit", "invalid"),
    ("reth", -32602, "failed to decode signed transaction", "invalid"),
    ("reth", -32000, "address already reserved", "unknown"),
    ("anvil", -32003, "transaction already imported", "accepted"),
    ("anvil", -32003, "Tx: [0x01] already Imported", "accepted"),
    ("anvil", -32003, "nonce too low", "nonce_used"),
    ("anvil", -32003, "Insufficient funds for gas * price + value", "no_funds"),
    (
        "anvil",
        -32003,
        "Tx: [0x01] insufficient gas price to replace existing transaction",
        "underpriced",
    ),
    ("anvil", -32003, "max fee per gas less than block base fee", "underpriced"),
    ("anvil", -32003, "intrinsic gas too high -- CallerGasLimitMoreThanBlock", "invalid"),
    ("anvil", -32603, 'Internal error: "task cancelled"', "unknown"),
    ("a provider", 429, "Too many requests, please slow down", "busy"),
    ("a provider", -32005, "daily request count exceeded, request rate limited", "busy"),
    ("a provider", -32603, "intrinsic gas too low", "unknown"),
    ("a provider", -32000, "no available upstreams", "unknown"),
    ("a provider", 0, "", "unknown"),
]


@pytest.mark.parametrize(
    ("client", "code", "words", "meaning"),
    REFUSALS,
    ids=[f"{client}: {words[:40]}" for client, _, words, _ in REFUSALS],
)
def test_each_client_s_words_are_read(client: str, code: int, words: str, meaning: str) -> None:
    del client
    assert classify_send(RpcError(code, words)).value == meaning


class Refuses(Rpc):
    """Refuses the first sends in words that say nothing about the bytes; then it is a good node."""

    words: tuple[tuple[int, str], ...] = (
        (-32603, "Internal error"),
        (-32000, "header not found"),
        (-32002, "request timed out"),
        (-32000, "words that nobody knows"),
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sends = 0

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        wanted = list(calls)
        if wanted and wanted[0][0] == "eth_sendRawTransaction" and self.sends < len(self.words):
            self.sends += 1
            return [RpcError(*self.words[self.sends - 1]) for _ in wanted]
        return super().batch(wanted)


def test_a_refusal_that_says_nothing_about_the_bytes_sends_the_same_bytes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.transactions.sending.FIRST_RETRY_MS", 10)
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1_000_000])
    node = Refuses(world.settings.rpc_url)

    world.run(rpc=node)

    assert node.sends == 4
    assert world.payout_states(batch.id) == ["paid"]
    with world.session() as session:
        attempts = session.scalars(select(TransactionAttempt)).all()
    assert [(attempt.n, attempt.purpose) for attempt in attempts] == [(0, "call")] * 2
    assert all(attempt.answer == "accepted" for attempt in attempts)
    assert all(attempt.refused_since_unix_ms is None for attempt in attempts)


def test_a_refusal_that_stays_asks_for_a_person_and_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.transactions.sending.FIRST_RETRY_MS", 10)
    world.run()  # other tests' blocks are read: a round reads so many and no more
    with world.session() as session:
        batch = add_batch(session, world.deployed, [1_000_000])
    node = Refuses(world.settings.rpc_url)
    node.words = ((-32000, "no available upstreams"),) * 2

    def alarms() -> list[tuple[str, bool]]:
        with world.session() as session:
            found = session.execute(select(ChainAlarm.kind, ChainAlarm.detail)).all()
        return [(kind, "no available upstreams" in detail) for kind, detail in found]

    with world.worker(rpc=node) as worker:
        worker.step()
        assert (node.sends, alarms()) == (1, [])
        with world.session() as session:
            a_minute_ago = TransactionAttempt.refused_since_unix_ms - 61_000
            session.execute(update(TransactionAttempt).values(refused_since_unix_ms=a_minute_ago))
        worker.step()
        worker.step()
        assert alarms() == [("transaction_refused", True)]
        worker.run_until_idle(20)

    assert world.payout_states(batch.id) == ["paid"]
    assert alarms() == [("transaction_refused", True)]
