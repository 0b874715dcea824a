"""Readers of logs to compare a replay with, each as a process of its own.

``python -m service.bench.log_readers raw|web3 URL ADDRESSES LAST_BLOCK`` reads all logs of some
contracts and prints how many there were. ``raw`` asks ``eth_getLogs`` and parses the JSON, no more;
``web3`` is web3.py's ``get_logs`` with the events decoded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
from web3 import Web3

BLOCKS_A_TIME = 4
"""Some 8,000 logs where blocks are full of chunks: what this machine's node is quickest with."""

TRANSFER = {
    "type": "event",
    "name": "Transfer",
    "anonymous": False,
    "inputs": [
        {"name": "from", "type": "address", "indexed": True},
        {"name": "to", "type": "address", "indexed": True},
        {"name": "value", "type": "uint256", "indexed": False},
    ],
}


def windows(addresses: str, last: int) -> Iterator[dict[str, Any]]:
    """Yield the queries that cover all blocks up to one."""
    for first in range(0, last + 1, BLOCKS_A_TIME):
        yield {
            "address": addresses.split(","),
            "fromBlock": hex(first),
            "toBlock": hex(min(last, first + BLOCKS_A_TIME - 1)),
        }


def raw(url: str, addresses: str, last: int) -> int:
    """Read and parse."""
    count = 0
    with httpx.Client(timeout=600, trust_env=False) as http:
        for query in windows(addresses, last):
            call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [query]}
            count += len(orjson.loads(http.post(url, json=call).content)["result"])
    return count


def web3(url: str, addresses: str, last: int) -> int:
    """Read and decode the token's transfers by web3.py; the token is the first address."""
    chain = Web3(Web3.HTTPProvider(url, request_kwargs={"timeout": 600}))
    token = Web3.to_checksum_address(addresses.split(",", maxsplit=1)[0])
    transfer = chain.eth.contract(address=token, abi=[TRANSFER]).events.Transfer()
    return sum(
        len(transfer.get_logs(from_block=query["fromBlock"], to_block=query["toBlock"]))
        for query in windows(addresses, last)
    )


READERS: dict[str, Callable[[str, str, int], int]] = {"raw": raw, "web3": web3}


if __name__ == "__main__":
    _, name, url, addresses, last = sys.argv
    sys.stdout.write(f"{READERS[name](url, addresses, int(last))}\n")
