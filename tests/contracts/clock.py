"""The chain's clock: contracts count in seconds, so tests set the second a transaction runs at."""

from typing import Any

from brownie import web3

DAY = 86_400
HOUR = 3_600


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
