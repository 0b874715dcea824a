"""The development chain starts, refuses a taken port, and keeps its state."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.chain.devnode import DevNode, start_anvil
from service.errors import ChainUnavailable
from tests.support.deployed import mined


def send_one_wei(node: DevNode) -> None:
    sender, receiver = node.rpc("eth_accounts")[:2]
    sent = {"from": sender, "to": receiver, "value": "0x1"}
    mined(node.rpc, node.rpc("eth_sendTransaction", sent))


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


def test_the_state_file_carries_blocks_and_their_history_over_a_restart(
    tmp_path: Path, anvil: DevNode
) -> None:
    state_file = tmp_path / "chain.json"
    with start_anvil(state_file=state_file) as node:
        receiver = node.rpc("eth_accounts")[1]
        for _ in range(4):
            send_one_wei(node)

    with start_anvil(state_file=state_file) as node:
        latest = int(node.rpc("eth_getBalance", receiver, "latest"), 16)
        finalized = int(node.rpc("eth_getBalance", receiver, "finalized"), 16)

    assert latest == 10_000 * 10**18 + 4
    assert finalized == 10_000 * 10**18 + 2
