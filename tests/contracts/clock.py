"""The chain's clock: contracts count in seconds, so tests set the second a transaction runs at."""

from brownie import chain, web3

DAY = 86_400
HOUR = 3_600


def now() -> int:
    """Timestamp of the newest block, Unix seconds."""
    return int(web3.eth.get_block("latest")["timestamp"])


def move_to(unix_s: int) -> None:
    """Mine a block at `unix_s`; calls see that time, the next transaction that or a moment later."""
    chain.mine(timestamp=unix_s)


def advance(seconds: int) -> None:
    """Mine a block `seconds` after the newest one."""
    move_to(now() + seconds)


def next_transaction_at(unix_s: int) -> None:
    """Let the next transaction's block have exactly the timestamp `unix_s`."""
    web3.provider.make_request("evm_setNextBlockTimestamp", [unix_s])
