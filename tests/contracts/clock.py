"""The chain's clock: contracts count in seconds, so tests set the second a transaction runs at.

And what else is asked of the node itself.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from brownie import history, web3

DAY = 86_400
HOUR = 3_600
NO_POOL = {"pending": "0x0"}


def ask_node(method: str, *parameters: Any) -> Any:
    """Call one of the node's own controls.

    Brownie's `chain.mine(timestamp=...)` sends anvil parameters that anvil refuses.
    """
    answer = web3.provider.make_request(method, list(parameters))
    assert "error" not in answer, answer["error"]
    return answer["result"]


def now() -> int:
    """Timestamp of the newest block, Unix seconds."""
    return int(web3.eth.get_block("latest")["timestamp"])


def move_to(unix_s: int) -> None:
    """Mine a block at `unix_s`; calls see that time, the next transaction that or a moment later."""
    ask_node("evm_mine", unix_s)


def advance(seconds: int) -> None:
    """Mine a block `seconds` after the newest one."""
    move_to(now() + seconds)


def next_transaction_at(unix_s: int) -> None:
    """Let the next transaction's block have exactly the timestamp `unix_s`."""
    ask_node("evm_setNextBlockTimestamp", unix_s)


@contextmanager
def put_back() -> Iterator[None]:
    """Put the chain back afterwards to what it is now.

    Asked of the node itself: Brownie's `chain.revert` collects garbage first, 0.2 s a time. Its
    history goes too: it would wait for ever for a transaction sent again that it knows.
    """
    snapshot = ask_node("evm_snapshot")
    try:
        yield
    finally:
        _wait_for_the_pool()
        ask_node("evm_revert", snapshot)
        history.clear()


def _wait_for_the_pool() -> None:
    """Wait until the node has forgotten what it mined.

    Anvil takes a transaction out of its pool a moment after the receipt is there; put back in
    between, it would mine it again. The nodes in tests/evms show no pool, and keep none.
    """
    deadline = time.monotonic() + 30
    while int(
        web3.provider.make_request("txpool_status", []).get("result", NO_POOL)["pending"], 16
    ):
        assert time.monotonic() < deadline, "a transaction waited in the pool for 30 s"
        time.sleep(0.001)
