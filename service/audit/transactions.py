"""Transactions as blocks hold them: encoded from a node's JSON, and what they call read back.

Types 0 to 4 (EIP-155, 2930, 1559, 4844, 7702). A chain with other types gives a block's
transactions no root here, and is told so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.audit.calls import Call
from service.audit.inclusion import Misfit, string, unrlp_list
from service.audit.receipts import SMALL, Rlp, integer, rlp, unhex

FEES = ("maxPriorityFeePerGas", "maxFeePerGas", "gas")
CALLED = ("to", "value", "input")
SIGNED = ("yParity", "r", "s")
MEMBERS = {
    0: ("nonce", "gasPrice", "gas", *CALLED, "v", "r", "s"),
    1: ("chainId", "nonce", "gasPrice", "gas", *CALLED, "accessList", *SIGNED),
    2: ("chainId", "nonce", *FEES, *CALLED, "accessList", *SIGNED),
    3: (
        *("chainId", "nonce", *FEES, *CALLED, "accessList"),
        *("maxFeePerBlobGas", "blobVersionedHashes", *SIGNED),
    ),
    4: ("chainId", "nonce", *FEES, *CALLED, "accessList", "authorizationList", *SIGNED),
}
"""Members of each type in their order, as JSON-RPC names them."""

AUTHORIZED = ("chainId", "address", "nonce", *SIGNED)
LISTS = frozenset({"accessList", "blobVersionedHashes", "authorizationList"})
PROTECTED = 35
"""Smallest ``v`` of a transaction that names its chain: 35 or 36 and twice the chain's id."""
LONGEST_CHAIN_BYTES = 33

BYTES = frozenset({"to", "input", "address"})


def transaction_bytes(transaction: Mapping[str, Any]) -> bytes:
    """Encode a signed transaction as its block's trie holds it; its hash is the Keccak-256 of that.

    Raises
    ------
    KeyError, TypeError, ValueError
        When a member is missing or the type is none of these.
    """
    kind = int(transaction.get("type") or "0x0", 16)
    body = rlp([_member(name, transaction) for name in MEMBERS[kind]])
    return bytes([kind]) + body if kind else body


def _member(name: str, transaction: Mapping[str, Any]) -> Rlp:
    if name == "accessList":
        return [
            [unhex(entry["address"]), [unhex(key) for key in entry["storageKeys"]]]
            for entry in transaction["accessList"]
        ]
    if name == "authorizationList":
        return [
            [_member(member, each) for member in AUTHORIZED]
            for each in transaction["authorizationList"]
        ]
    if name == "blobVersionedHashes":
        return [unhex(each) for each in transaction[name]]
    if name in BYTES:
        return unhex(transaction[name]) if transaction[name] else b""
    return integer(int(transaction[name], 16))


def call_of_bytes(transaction: bytes) -> Call:
    """Return what an encoded transaction calls.

    Raises
    ------
    Misfit
        When it is no transaction of a known type.
    """
    members = _members_of(transaction)
    return Call(members["to"] or None, members["input"])


def chain_of_bytes(transaction: bytes) -> int | None:
    """Return the chain that an encoded transaction was signed for; None where it is any (EIP-155).

    Raises
    ------
    Misfit
        When it is no transaction of a known type, or of a chain that none can be.
    """
    members = _members_of(transaction)
    number = int.from_bytes(_short(members.get("chainId", members.get("v", b""))), "big")
    if "chainId" in members:
        return number
    return (number - PROTECTED) // 2 if number >= PROTECTED else None


def _short(value: bytes) -> bytes:
    if len(value) > LONGEST_CHAIN_BYTES:
        raise Misfit("a chain that none can be")
    return value


def _members_of(transaction: bytes) -> dict[str, bytes]:
    """Return the members that are strings."""
    kind = transaction[0] if transaction and transaction[0] < SMALL else 0
    members: Sequence[Rlp] = unrlp_list(transaction[1:] if kind else transaction)
    names = MEMBERS.get(kind)
    if names is None or len(members) != len(names):
        raise Misfit(f"no transaction of type {kind}")
    return {
        name: string(member)
        for name, member in zip(names, members, strict=True)
        if name not in LISTS
    }
