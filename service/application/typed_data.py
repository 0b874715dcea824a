"""EIP-712 typed data as wallets sign it, and who signed it."""

from __future__ import annotations

from typing import Any

from coincurve import PublicKey
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.errors import InvalidSignature

SIGNATURE_BYTES = 65
"""r (32) | s (32) | v (1, 27 or 28), EIP-2098's long form."""


def typed_data_digest(document: dict[str, Any]) -> bytes:
    """Return the 32 bytes that are signed (EIP-712: keccak256 of 0x19 0x01, domain, message).

    Parameters
    ----------
    document
        ``types``, ``primaryType``, ``domain``, ``message``, as a wallet gets them.
    """
    signable = encode_typed_data(full_message=document)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def signer_of(digest: bytes, signature: bytes) -> str:
    """Return the EIP-55 address whose key signed.

    Raises
    ------
    InvalidSignature
        When the signature has another form or belongs to no key.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        raise InvalidSignature("a signature has 65 bytes, the last of them 27 or 28")
    try:
        recoverable = signature[:64] + bytes([signature[64] - 27])
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # noqa: BLE001  # coincurve raises plain Exception
        raise InvalidSignature("the signature belongs to no key") from None
    address: str = to_checksum_address(keccak(key.format(compressed=False)[1:])[-20:])
    return address
