"""Asks officers' contract accounts whether they take a signature (ERC-1271)."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from service.chain.rpc import Rpc, RpcError

IS_VALID_SIGNATURE = bytes.fromhex("1626ba7e")
"""``isValidSignature(bytes32,bytes)``: selector and good answer (ERC-1271)."""
_DELEGATION = "0xef0100"
"""What an account that runs another's code has for its own (EIP-7702)."""


def is_contract(rpc: Rpc, address: str) -> bool:
    """Tell whether a contract stands at an address, and not a delegation to one.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    code: str = rpc.call("eth_getCode", address, "latest")
    return code != "0x" and not code.startswith(_DELEGATION)


def account_takes(rpc: Rpc, account: str, digest: bytes, signature: bytes) -> bool:
    """Ask a contract account whether a signature over a digest is its own (ERC-1271).

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    call = IS_VALID_SIGNATURE + encode(["bytes32", "bytes"], [digest, signature])
    asked = {"to": str(to_checksum_address(account)), "data": "0x" + call.hex()}
    if not is_contract(rpc, account):
        return False
    try:
        answer: str = rpc.call("eth_call", asked, "latest")
    except RpcError:
        return False  # a revert is a no
    return bytes.fromhex(answer[2:66]) == IS_VALID_SIGNATURE.ljust(32, b"\0")
