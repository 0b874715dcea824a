"""Signatures of externally owned accounts, and any signer's packed as the contracts read them.

A record is officerId (4) | signerType (1) | signerLength (2) | signatureLength (2) | signer |
signature, big-endian; records stand in strictly ascending order of officer id
(contracts/libraries/OfficerSignatures.sol).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Protocol

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature

from service.errors import InvalidSignature

SIGNATURE_BYTES = 65
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1; a larger s is the malleable twin (EIP-2)."""

_HEADER = struct.Struct(">IBHH")
_MAX_LENGTH = 2**16 - 1
"""A record gives a signature's length in two bytes."""
_V_OFFSET = 27
_V_VALUES = (27, 28)


class SignatureRow(Protocol):
    """A stored signature; ``signer`` and ``signature`` are 0x-hex."""

    @property
    def officer_id(self) -> Any: ...  # noqa: D102  # what the class says
    @property
    def signer_type(self) -> Any: ...  # noqa: D102
    @property
    def signer(self) -> Any: ...  # noqa: D102
    @property
    def signature(self) -> Any: ...  # noqa: D102


def pack_signatures(rows: Iterable[SignatureRow]) -> bytes:
    """Pack signatures for the contracts, in ascending order of officer id.

    Raises
    ------
    ValueError
        When an officer is there twice, or a value does not fit its field.
    """
    parts: list[bytes] = []
    previous = -1
    for row in sorted(rows, key=lambda row: int(row.officer_id)):
        if row.officer_id == previous:
            raise ValueError(f"officer {row.officer_id} is there twice")
        previous = row.officer_id
        signer = bytes.fromhex(row.signer.removeprefix("0x"))
        signature = bytes.fromhex(row.signature.removeprefix("0x"))
        try:
            header = _HEADER.pack(row.officer_id, row.signer_type, len(signer), len(signature))
        except struct.error as error:
            raise ValueError(f"a record of officer {row.officer_id} does not fit") from error
        parts += (header, signer, signature)
    return b"".join(parts)


def raw_signature(signature: str) -> bytes:
    """Return the bytes of a signature given as 0x-hex.

    Raises
    ------
    InvalidSignature
        When it is none, or longer than a record holds.
    """
    try:
        raw = bytes.fromhex(signature.strip().removeprefix("0x"))
    except ValueError:
        raise InvalidSignature("a signature is 0x and hexadecimal digits") from None
    if len(raw) > _MAX_LENGTH:
        raise InvalidSignature(f"a signature has at most {_MAX_LENGTH} bytes, not {len(raw)}")
    return raw


def normalise(signature: str) -> bytes:
    """Return the 65 bytes r | s | v of a signature, v 27 or 28 as the contracts want it.

    Some wallets give v as 0 or 1; that is the same signature.

    Raises
    ------
    InvalidSignature
        When it is not 0x and 130 hexadecimal digits, v is something else, or s lies in the upper
        half (the malleable twin, which the contracts refuse).
    """
    try:
        raw = bytes.fromhex(signature.strip().removeprefix("0x"))
    except ValueError:
        raise InvalidSignature("a signature is 0x and 130 hexadecimal digits") from None
    if len(raw) != SIGNATURE_BYTES:
        raise InvalidSignature(f"a signature has {SIGNATURE_BYTES} bytes, not {len(raw)}")
    v = raw[64] + _V_OFFSET if raw[64] < 2 else raw[64]  # noqa: PLR2004  # a parity bit
    if v not in _V_VALUES:
        raise InvalidSignature(f"the signature's v is {raw[64]}, not 27 or 28")
    if int.from_bytes(raw[32:64], "big") > _HALF_ORDER:
        raise InvalidSignature("the signature's s is in the upper half: not a canonical signature")
    return raw[:64] + bytes([v])


def recover(digest: bytes, signature: bytes) -> str:
    """Return the EIP-55 address of the account that signed.

    Parameters
    ----------
    digest
        32 bytes.
    signature
        As :func:`normalise` returns it.

    Raises
    ------
    InvalidSignature
        When no key makes this signature.
    """
    try:
        made = Signature(signature[:64] + bytes([signature[64] - _V_OFFSET]))
        key = made.recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValueError) as error:
        raise InvalidSignature("no key makes this signature") from error
    return str(key.to_checksum_address())


def split(signature: bytes) -> tuple[int, str, str]:
    """Return v, r and s (0x-hex) of a signature as :func:`normalise` returns it."""
    return signature[64], "0x" + signature[:32].hex(), "0x" + signature[32:64].hex()
