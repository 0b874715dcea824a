"""The faulty node keeps geth's rules, and each of its faults does what it says."""

from __future__ import annotations

from random import Random
from typing import Any

import httpx
import orjson
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from service.chain.rpc import Rpc, RpcError
from service.errors import ChainUnavailable
from service.transactions.outcomes import SendOutcome, classify_send
from tests.faults.node import Fault, FaultPlan, FaultyNode
from tests.faults.proxy import rpc_in_process, serve

pytestmark = pytest.mark.chain

GWEI = 10**9
SINK = "0x" + "11" * 20


@pytest.fixture
def sender(node: FaultyNode) -> LocalAccount:
    made: LocalAccount = Account.create()
    node.upstream.rpc("anvil_setBalance", made.address, hex(10**18))
    return made


def signed(
    sender: LocalAccount,
    node: FaultyNode,
    nonce: int,
    *,
    fee: int = 100,
    tip: int = 100,
    **but: Any,
) -> str:
    """Raw bytes of a transfer; fees in gwei."""
    fields = {
        "type": 2,
        "chainId": node.chain_id,
        "nonce": nonce,
        "to": SINK,
        "value": 0,
        "gas": 21_000,
        "maxFeePerGas": fee * GWEI,
        "maxPriorityFeePerGas": tip * GWEI,
        "data": b"",
        **but,
    }
    return "0x" + bytes(sender.sign_transaction(fields).raw_transaction).hex()


def hold(node: FaultyNode) -> Rpc:
    """A client of the node, which makes no block by itself."""
    node.mine_on_send = node.mine_on_request = 0.0
    return rpc_in_process(node)


def force(node: FaultyNode, *faults: Fault | None, seed: int = 1, depth: int = 0) -> FaultPlan:
    plan = FaultPlan(Random(seed), reorg_depth=depth, forced=list(faults))
    node.plan = plan
    return plan


# ---- geth's rules ------------------------------------------------------------------------------

REPLACEMENTS = [
    # fee and tip of the second, in per cent of the first's; whether geth takes it
    (110, 110, True),
    (109, 110, False),
    (110, 109, False),
    (105, 105, False),
    (150, 100, False),
    (100, 150, False),
    (112, 113, True),
    (200, 90, False),
]


@pytest.mark.parametrize(("fee", "tip", "taken"), REPLACEMENTS)
def test_a_replacement_raises_both_fees_by_ten_per_cent(
    node: FaultyNode, sender: LocalAccount, fee: int, tip: int, taken: bool
) -> None:
    rpc = hold(node)
    first = rpc.call("eth_sendRawTransaction", signed(sender, node, 0, fee=100, tip=50))
    second = signed(sender, node, 0, fee=fee, tip=tip // 2)
    if tip % 2:
        second = signed(sender, node, 0, fee=fee, maxPriorityFeePerGas=tip * GWEI // 2)
    if taken:
        replaced = rpc.call("eth_sendRawTransaction", second)
        assert [tx.tx_hash for tx in node.pool.all()] == [replaced]
        return
    with pytest.raises(RpcError, match="replacement transaction underpriced") as refused:
        rpc.call("eth_sendRawTransaction", second)
    assert classify_send(refused.value) is SendOutcome.UNDERPRICED
    assert [tx.tx_hash for tx in node.pool.all()] == [first]


def test_what_its_sender_cannot_pay_any_more_leaves_the_pool_at_the_next_block(
    node: FaultyNode, sender: LocalAccount
) -> None:
    """Seed 2077194464, run 13: the node was asked to mine it, and refused."""
    rpc = hold(node)
    rpc.call("eth_sendRawTransaction", signed(sender, node, 0))
    node.upstream.rpc("anvil_setBalance", sender.address, hex(0))
    node.mine()
    assert (node.pool.all(), node.nonce(sender.address)) == ([], 0)


def test_geths_words_for_what_it_does_not_take(node: FaultyNode, sender: LocalAccount) -> None:
    rpc = hold(node)
    first = signed(sender, node, 0)
    rpc.call("eth_sendRawTransaction", first)
    with pytest.raises(RpcError, match="already known"):
        rpc.call("eth_sendRawTransaction", first)
    node.mine()
    with pytest.raises(RpcError, match="nonce too low: next nonce 1, tx nonce 0"):
        rpc.call("eth_sendRawTransaction", first)
    node.upstream.rpc("anvil_setBalance", sender.address, hex(0))
    with pytest.raises(RpcError, match=r"insufficient funds for gas \* price \+ value"):
        rpc.call("eth_sendRawTransaction", signed(sender, node, 1))
    node.upstream.rpc("anvil_setBalance", sender.address, hex(10**18))
    with pytest.raises(RpcError, match="intrinsic gas too low"):
        rpc.call("eth_sendRawTransaction", signed(sender, node, 1, gas=20_999))
    with pytest.raises(RpcError, match="transaction gas limit too high"):
        rpc.call("eth_sendRawTransaction", signed(sender, node, 1, gas=2**24 + 1))
    with pytest.raises(RpcError, match="max priority fee per gas higher than max fee per gas"):
        rpc.call("eth_sendRawTransaction", signed(sender, node, 1, fee=1, tip=2))
    with pytest.raises(RpcError, match="invalid chain id"):
        rpc.call("eth_sendRawTransaction", signed(sender, node, 1, chainId=5))
    with pytest.raises(RpcError, match="rlp"):
        rpc.call("eth_sendRawTransaction", "0x02c0")
    node.pool.minimum_tip = 1
    with pytest.raises(RpcError, match="transaction underpriced"):
        rpc.call("eth_sendRawTransaction", signed(sender, node, 1, tip=0))


def test_what_is_behind_a_gap_waits_for_the_gap_to_close(
    node: FaultyNode, sender: LocalAccount
) -> None:
    rpc = hold(node)
    later = rpc.call("eth_sendRawTransaction", signed(sender, node, 1))
    node.mine()
    assert rpc.call("eth_getTransactionReceipt", later) is None
    assert int(rpc.call("eth_getTransactionCount", sender.address, "pending"), 16) == 0
    rpc.call("eth_sendRawTransaction", signed(sender, node, 0))
    assert int(rpc.call("eth_getTransactionCount", sender.address, "pending"), 16) == 2
    node.mine()
    assert rpc.call("eth_getTransactionReceipt", later)["status"] == "0x1"
    assert len(node.pool) == 0


def test_an_offer_below_the_base_fee_stays_in_the_pool(
    node: FaultyNode, sender: LocalAccount
) -> None:
    rpc = hold(node)
    node.base_fee = 5 * GWEI
    waits = rpc.call("eth_sendRawTransaction", signed(sender, node, 0, fee=4, tip=1))
    node.mine()
    assert waits in node.pool
    node.base_fee = 4 * GWEI
    node.mine()
    assert rpc.call("eth_getTransactionReceipt", waits)["status"] == "0x1"
    node.base_fee = 0
    node.mine()


# ---- faults ------------------------------------------------------------------------------------


def test_a_lost_reply_was_carried_out_and_a_lost_request_was_not(
    node: FaultyNode, sender: LocalAccount
) -> None:
    rpc = hold(node)
    plan = force(node, Fault.DROP_REQUEST, Fault.DROP_REPLY)
    raw = signed(sender, node, 0)
    with pytest.raises(ChainUnavailable, match="the request was lost"):
        rpc.call("eth_sendRawTransaction", raw)
    assert len(node.pool) == 0
    with pytest.raises(ChainUnavailable, match="the reply was lost"):
        rpc.call("eth_sendRawTransaction", raw)
    assert len(node.pool) == 1
    assert plan.done == {Fault.DROP_REQUEST: 1, Fault.DROP_REPLY: 1}


def test_a_duplicated_request_is_answered_as_the_second(
    node: FaultyNode, sender: LocalAccount
) -> None:
    rpc = hold(node)
    force(node, Fault.DUPLICATE)
    with pytest.raises(RpcError, match="already known"):
        rpc.call("eth_sendRawTransaction", signed(sender, node, 0))
    assert len(node.pool) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.HTTP_429, "429"),
        (Fault.HTTP_500, "500"),
        (Fault.GARBAGE, "does not answer|something else"),
    ],
)
def test_what_is_no_answer_is_no_answer(node: FaultyNode, fault: Fault, words: str) -> None:
    rpc = hold(node)
    force(node, fault)
    with pytest.raises(ChainUnavailable, match=words):
        rpc.call("eth_chainId")
    assert int(rpc.call("eth_chainId"), 16) == node.chain_id


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.INTERNAL_ERROR, -32603), (Fault.LIMIT_EXCEEDED, -32005)]
)
def test_an_error_is_given_for_each_call_of_a_batch(
    node: FaultyNode, fault: Fault, code: int
) -> None:
    rpc = hold(node)
    force(node, fault)
    answers = rpc.batch([("eth_chainId", ()), ("eth_blockNumber", ())])
    assert [answer.rpc_code for answer in answers] == [code, code]


def test_a_call_left_out_of_a_batch_is_noticed(node: FaultyNode) -> None:
    rpc = hold(node)
    force(node, Fault.LEAVE_OUT)
    with pytest.raises(ChainUnavailable, match="unanswered"):
        rpc.batch([("eth_chainId", ()), ("eth_blockNumber", ())])


def test_a_hidden_receipt_is_there_the_next_time(node: FaultyNode, sender: LocalAccount) -> None:
    rpc = hold(node)
    tx_hash = rpc.call("eth_sendRawTransaction", signed(sender, node, 0))
    node.mine()
    force(node, Fault.HIDE_RECEIPT)
    assert rpc.call("eth_getTransactionReceipt", tx_hash) is None
    assert rpc.call("eth_getTransactionReceipt", tx_hash)["status"] == "0x1"


def test_a_lagging_node_knows_nothing_of_the_newest_blocks(
    node: FaultyNode, sender: LocalAccount
) -> None:
    rpc = hold(node)
    before = rpc.block_number()
    raw = signed(sender, node, 0)
    tx_hash = rpc.call("eth_sendRawTransaction", raw)
    node.mine()
    newest = rpc.header("latest")
    assert newest is not None
    node.lag_blocks, node.lag_requests = 1, 10

    assert rpc.block_number() == before
    assert rpc.header(before + 1) is None
    header = rpc.header("latest")
    assert header is not None
    assert int(header["number"], 16) == before
    assert rpc.call("eth_getTransactionReceipt", tx_hash) is None
    assert int(rpc.call("eth_getTransactionCount", sender.address, "latest"), 16) == 0
    assert rpc.call("eth_getBlockByHash", newest["hash"], False) is None
    with pytest.raises(RpcError, match="unknown block"):
        rpc.call("eth_getLogs", {"blockHash": newest["hash"]})
    with pytest.raises(RpcError, match="header not found"):
        rpc.call("eth_getTransactionCount", sender.address, hex(before + 1))
    assert rpc.call("eth_sendRawTransaction", raw) == tx_hash, "it does not know the nonce is used"

    node.lag_requests = 0
    assert rpc.block_number() == before + 1
    assert len(node.pool) == 0


def test_evicted_transactions_are_forgotten(node: FaultyNode, sender: LocalAccount) -> None:
    rpc = hold(node)
    for nonce in range(3):
        rpc.call("eth_sendRawTransaction", signed(sender, node, nonce))
    force(node, Fault.EVICT)
    rpc.call("eth_chainId")
    assert len(node.pool) < 3


@pytest.mark.parametrize("returns", [True, False])
def test_a_reorg_makes_other_blocks_and_returns_transactions_or_not(
    node: FaultyNode, sender: LocalAccount, returns: bool
) -> None:
    rpc = hold(node)
    tx_hash = rpc.call("eth_sendRawTransaction", signed(sender, node, 0))
    node.mine(3)
    at = rpc.call("eth_getTransactionReceipt", tx_hash)
    height = rpc.block_number()

    assert node.reorg(3, keep=lambda _tx: returns, blocks=4) == 3

    assert rpc.block_number() == height + 1
    again = rpc.call("eth_getTransactionReceipt", tx_hash)
    assert (again is not None) is returns
    if again is not None:
        assert again["blockHash"] != at["blockHash"]
    block = rpc.header(int(at["blockNumber"], 16))
    assert block is not None
    assert block["hash"] != at["blockHash"]
    assert node.nonce(sender.address) == int(returns)


def test_the_same_seed_makes_the_same_faults(node: FaultyNode) -> None:
    rates = dict.fromkeys(Fault, 0.05)
    first, second = (FaultPlan(Random(9), dict(rates)) for _ in range(2))
    drawn = [first.draw() for _ in range(200)]
    assert drawn == [second.draw() for _ in range(200)]
    assert len(set(drawn)) > 5


def test_the_proxy_serves_batches_and_breaks_connections(
    node: FaultyNode, sender: LocalAccount
) -> None:
    node.mine_on_send = 1.0
    with serve(node) as (url, _lock), Rpc(url) as rpc:
        answers = rpc.batch(
            [
                ("eth_chainId", ()),
                ("eth_sendRawTransaction", (signed(sender, node, 0),)),
                ("eth_getBalance", (SINK, "latest")),
            ]
        )
        assert int(answers[0], 16) == node.chain_id
        assert rpc.call("eth_getTransactionReceipt", answers[1])["status"] == "0x1"
        force(node, Fault.DROP_REPLY)
        with pytest.raises(ChainUnavailable):
            rpc.call("eth_sendRawTransaction", signed(sender, node, 1))
        assert node.nonce(sender.address) == 2
        force(node, Fault.DELAY)
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
        before = httpx.post(url, content=orjson.dumps(body), trust_env=False)
        assert before.elapsed.total_seconds() >= 0.05
