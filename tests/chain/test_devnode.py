"""The development chain starts, refuses a taken port, and keeps its state."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.chain.devcontracts import mined
from service.chain.devnode import DevNode, start_anvil
from service.errors import ChainUnavailable


def send_one_wei(node: DevNode) -> dict[str, Any]:
    sender, receiver = node.rpc("eth_accounts")[:2]
    sent = {"from": sender, "to": receiver, "value": "0x1"}
    return mined(node.rpc, node.rpc("eth_sendTransaction", sent))


def test_the_node_mines_a_block_a_transaction_without_a_base_fee(chain: DevNode) -> None:
    before = int(chain.rpc("eth_blockNumber"), 16)

    send_one_wei(chain)

    head = chain.rpc("eth_getBlockByNumber", "latest", False)
    assert int(head["number"], 16) == before + 1
    assert int(head["baseFeePerGas"], 16) == 0


def test_the_finalized_block_lies_two_blocks_behind_the_head(chain: DevNode) -> None:
    for _ in range(4):
        send_one_wei(chain)

    head = chain.rpc("eth_getBlockByNumber", "latest", False)
    finalized = chain.rpc("eth_getBlockByNumber", "finalized", False)
    assert int(head["number"], 16) - int(finalized["number"], 16) == 2


def test_a_transaction_above_the_gas_cap_is_refused(chain: DevNode) -> None:
    sender = chain.rpc("eth_accounts")[0]
    too_much = {"from": sender, "to": sender, "gas": hex(16_777_216 + 1)}

    with pytest.raises(ChainUnavailable, match="gas"):
        chain.rpc("eth_sendTransaction", too_much)


def test_a_taken_port_is_reported_instead_of_sharing_the_other_chain(anvil: DevNode) -> None:
    port = urlsplit(anvil.rpc_url).port

    with pytest.raises(ChainUnavailable, match="is taken"), start_anvil(port=port):
        pass


def test_a_wrong_argument_is_reported_in_the_words_of_anvil(anvil: DevNode) -> None:
    with (
        pytest.raises(ChainUnavailable, match="unexpected argument '--nonsense'"),
        start_anvil(extra_arguments=["--nonsense"]),
    ):
        pass


def test_a_saved_chain_goes_on_with_its_blocks_its_clock_and_a_readable_finalized_block(
    tmp_path: Path, anvil: DevNode
) -> None:
    state_file = tmp_path / "chain.json"
    with start_anvil(state_file=state_file) as node:
        receiver = node.rpc("eth_accounts")[1]
        receipts = [send_one_wei(node) for _ in range(4)]
        node.rpc("evm_increaseTime", hex(30 * 86_400))
        node.rpc("evm_mine")
        head = node.rpc("eth_getBlockByNumber", "latest", False)

    with start_anvil(state_file=state_file) as node:
        finalized = int(node.rpc("eth_getBalance", receiver, "finalized"), 16)
        known = [node.rpc("eth_getTransactionReceipt", one["transactionHash"]) for one in receipts]
        send_one_wei(node)
        newest = node.rpc("eth_getBlockByNumber", "latest", False)

    assert finalized == 10_000 * 10**18 + 4
    assert [one["blockHash"] for one in known] == [one["blockHash"] for one in receipts]
    assert int(newest["timestamp"], 16) >= int(head["timestamp"], 16)


def test_a_saved_chain_does_not_grow_by_its_state_with_each_block(tmp_path: Path) -> None:
    state_file = tmp_path / "chain.json"
    with start_anvil(state_file=state_file) as node:
        for _ in range(20):
            send_one_wei(node)
    before = state_file.stat().st_size

    blocks = 2_000
    with start_anvil(state_file=state_file) as node:
        node.rpc("anvil_mine", hex(blocks))

    assert (state_file.stat().st_size - before) / blocks < 2_000


def test_a_chain_that_does_not_load_is_named(tmp_path: Path) -> None:
    state_file = tmp_path / "chain.json"
    state_file.write_text("{ not a chain")

    with pytest.raises(ChainUnavailable, match=str(state_file)), start_anvil(state_file=state_file):
        pass
