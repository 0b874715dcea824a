"""Transactions sent past Brownie: it takes apart each log of a receipt, a second for 500 payments."""

from typing import Any

from brownie import accounts
from clock import ask_node

TX_GAS_LIMIT = 2**24
"""Most gas that one transaction may have (EIP-7825)."""


def send(function: Any, *arguments: Any, sender: Any, gas: int = TX_GAS_LIMIT) -> dict[str, Any]:
    """Send a Brownie function's call and return the node's receipt, whatever became of it.

    Parameters
    ----------
    sender
        An account or an address, a contract's too.
    gas
        The transaction's gas limit.
    """
    address = str(getattr(sender, "address", sender))
    if address not in accounts:
        ask_node("anvil_impersonateAccount", address)
    sent = ask_node(
        "eth_sendTransaction",
        {
            "from": address,
            "to": function._address,
            "data": function.encode_input(*arguments),
            "gas": hex(gas),
            "gasPrice": "0x0",
        },
    )
    receipt: dict[str, Any] = ask_node("eth_getTransactionReceipt", sent)
    return receipt


def gas_of(receipt: dict[str, Any]) -> int:
    """The gas that a transaction which went through was charged."""
    assert receipt["status"] == "0x1", receipt
    return int(receipt["gasUsed"], 16)
