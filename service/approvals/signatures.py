"""Signatures of externally owned accounts, and the packed records that the contracts read.

A record is officerId (4) | signerType (1) | signerLength (2) | signatureLength (2) | signer |
signature, big-endian; records stand in strictly ascending order of officer id
(contracts/libraries/OfficerSignatures.sol).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature

from service.approvals.typed_data import digest_of
from service.errors import ConfigurationError, InvalidInput, InvalidSignature

SIGNATURE_BYTES = 65
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1; a larger s is the malleable twin (EIP-2)."""

_HEADER = struct.Struct(">IBHH")
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


@dataclass(frozen=True, slots=True)
class SignatureRecord:
    """One record of a packed blob; ``signer`` and ``signature`` are lower-case 0x-hex."""

    officer_id: int
    signer_type: int
    signer: str
    signature: str


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


def unpack_signatures(blob: bytes) -> Iterator[SignatureRecord]:
    """Yield the records of a packed blob.

    Raises
    ------
    ValueError
        When the blob ends inside a record or officers do not ascend.
    """
    offset, previous = 0, 0
    while offset < len(blob):
        if offset + _HEADER.size > len(blob):
            raise ValueError(f"the blob ends inside the record at {offset}")
        officer_id, signer_type, signer_length, length = _HEADER.unpack_from(blob, offset)
        signer_end = offset + _HEADER.size + signer_length
        end = signer_end + length
        if end > len(blob):
            raise ValueError(f"the blob ends inside the record at {offset}")
        if officer_id <= previous:
            raise ValueError(f"officer {officer_id} does not come after {previous}")
        yield SignatureRecord(
            officer_id,
            signer_type,
            "0x" + blob[offset + _HEADER.size : signer_end].hex(),
            "0x" + blob[signer_end:end].hex(),
        )
        offset, previous = end, officer_id


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


def sign_with_key(private_key: bytes, typed_data: Mapping[str, Any]) -> str:
    """Sign typed data with a key; returns r | s | v as 0x-hex."""
    made = PrivateKey(private_key).sign_msg_hash(digest_of(typed_data)).to_bytes()
    return "0x" + (made[:64] + bytes([made[64] + _V_OFFSET])).hex()


def sign_with_keystore(keystore_path: Path, passphrase: str, typed_data: Mapping[str, Any]) -> str:
    """Sign typed data with an encrypted keystore (Web3 Secret Storage).

    Returns
    -------
    str
        r | s | v as 0x-hex.

    Raises
    ------
    ConfigurationError
        When the file is missing or no keystore.
    InvalidInput
        When the passphrase is wrong.
    """
    try:
        keystore = json.loads(keystore_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{keystore_path} is not a readable keystore") from error
    try:
        key = Account.decrypt(keystore, passphrase)
    except ValueError as error:
        if "MAC" in str(error):
            raise InvalidInput(f"the passphrase does not open {keystore_path.name}") from None
        raise ConfigurationError(f"{keystore_path} is not a keystore") from error
    except (KeyError, TypeError) as error:
        raise ConfigurationError(f"{keystore_path} is not a keystore") from error
    return sign_with_key(bytes(key), typed_data)
