"""What a wallet's holder signs: ERC-2612 permits and ERC-3009 authorizations."""

from collections.abc import Mapping
from typing import Any

from approvals import sign_typed

_TRANSFER = [
    ("from", "address"),
    ("to", "address"),
    ("value", "uint256"),
    ("validAfter", "uint256"),
    ("validBefore", "uint256"),
    ("nonce", "bytes32"),
]

TYPES: dict[str, list[tuple[str, str]]] = {
    "Permit": [
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ],
    "TransferWithAuthorization": _TRANSFER,
    "ReceiveWithAuthorization": _TRANSFER,
    "CancelAuthorization": [("authorizer", "address"), ("nonce", "bytes32")],
    "RedeemWithAuthorization": [
        ("from", "address"),
        ("value", "uint256"),
        ("paymentReference", "bytes32"),
        ("validAfter", "uint256"),
        ("validBefore", "uint256"),
        ("nonce", "bytes32"),
    ],
}
"""Members of each struct, in the order of its type."""


def sign_as_holder(
    key: Any, token: Any, primary_type: str, message: Mapping[str, Any]
) -> tuple[int, bytes, bytes]:
    """Sign for the token's domain: (v, r, s) as its functions take them."""
    signature = sign_typed(
        key,
        token,
        message,
        domain_name="Relief Benefit Token",
        primary_type=primary_type,
        members=TYPES[primary_type],
    )
    return signature[64], signature[:32], signature[32:64]
