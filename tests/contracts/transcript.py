"""What each test's transactions did, for `tests/evms/compare.py` to hold one EVM's against another's.

Two chains tell the same only if the same was sent at the same second. So a chain of which a
transcript is kept starts at a fixed second, and each block is one second later than the one before
unless a test says when.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clock import ask_node, move_to
from eth_utils import keccak

START_UNIX_S = 2_000_000_000
"""Later than any node's first block."""


def start_the_clock() -> None:
    """Let the chain's clock be the same on every node."""
    move_to(START_UNIX_S)
    if ask_node("web3_clientVersion").startswith("anvil"):
        ask_node("anvil_setBlockTimestampInterval", 1)  # the nodes in tests/evms do no other


def write_down(path: Path, test: str, contracts: Mapping[str, Any], *, first_block: int) -> None:
    """Add a line on one test: each transaction from a block on, and the contracts' storage then.

    Parameters
    ----------
    path
        The file, a JSON document a line.
    test
        Name of the test.
    contracts
        Contracts by name.
    first_block
        Number of the first block that the test mined.
    """
    newest = int(ask_node("eth_blockNumber"), 16)
    transactions = []
    for number in range(first_block, newest + 1):
        for tx_hash in ask_node("eth_getBlockByNumber", hex(number), False)["transactions"]:
            receipt = ask_node("eth_getTransactionReceipt", tx_hash)
            logs = [(log["address"].lower(), log["topics"], log["data"]) for log in receipt["logs"]]
            transactions.append(
                {
                    "hash": tx_hash,
                    "status": int(receipt["status"], 16),
                    "gasUsed": int(receipt["gasUsed"], 16),
                    "logs": keccak(text=json.dumps(logs)).hex(),
                }
            )
    storage = {
        name: ask_node("eth_getProof", contract.address, [], "latest")["storageHash"]
        for name, contract in contracts.items()
    }
    with path.open("a") as lines:
        lines.write(json.dumps({"test": test, "transactions": transactions, "storage": storage}))
        lines.write("\n")
