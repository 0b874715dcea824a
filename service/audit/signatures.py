"""EIP-712 digests of everything officers sign, and the recovery of the account that signed.

The type strings are stated here again; a test compares them with the contracts' sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coincurve import PublicKey
from eth_hash.auto import keccak

from service.audit.abi import STRUCTS, Contract

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""SEC 2, 2.4.1."""

RECORD_HEADER = 9
SIGNATURE_BYTES = 65
ELECTRUM_OFFSET = 27
"""What the last byte of a signature adds to the recovery id."""

DOMAIN_TYPEHASH = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
DOMAIN_VERSION = "1"
DOMAIN_NAMES = {
    Contract.VAULT: "Relief AllowanceVault",
    Contract.TOKEN: "Relief Benefit Token",
    Contract.REGISTRY: "Relief OfficerRegistry",
    Contract.LANE: "Relief EmergencyLane",
}


def _struct(name: str) -> str:
    """Return the members of a struct that is signed as events carry it."""
    return re.sub(r"\s*,\s*", ",", " ".join(STRUCTS[name].split()))


_ACTION = "bytes32 actionId,uint40 deadline"

TYPES_OF = {
    Contract.VAULT: {
        "BatchApproval": _struct("BatchApproval"),
        "BatchCancellation": f"bytes32 batchId,{_ACTION}",
        "StreamCancellation": "bytes32 batchId,uint256 chunkIndex,uint256 maskLow,"
        f"uint256 maskHigh,{_ACTION}",
        "BatchHold": f"bytes32 batchId,{_ACTION}",
        "EntryHold": f"bytes32 batchId,uint256 index,{_ACTION}",
        "WalletChange": f"bytes32 batchId,uint256 index,address from,address to,{_ACTION}",
        "Unpause": f"uint8 operations,{_ACTION}",
        "Sunset": _ACTION,
    },
    Contract.REGISTRY: {
        "OfficerAddition": "uint32 officerId,uint16 roles,uint24 regionCode,uint8 regionDigits,"
        f"uint8 signerType,bytes signer,{_ACTION}",
        "OfficerRemoval": f"uint32 officerId,{_ACTION}",
        "SignerAddition": f"uint32 officerId,uint8 signerType,bytes signer,{_ACTION}",
        "SignerRemoval": f"uint8 signerType,bytes signer,{_ACTION}",
        "VerifierAddition": f"address verifier,{_ACTION}",
        "VerifierRemoval": f"address verifier,{_ACTION}",
        "ManagerCall": f"bytes data,{_ACTION}",
    },
    Contract.TOKEN: {
        "UnpauseTransfers": _ACTION,
        "CapIncrease": f"uint80 cap,{_ACTION}",
        "MinterAddition": f"address minter,uint80 cap,{_ACTION}",
        "MinterRemoval": f"address minter,{_ACTION}",
    },
    Contract.LANE: {
        "EmergencyGrant": _struct("EmergencyGrant"),
        "GrantCountersignature": "bytes32 grantId,address payee,uint64 amount,uint40 deadline",
        "GrantWriteOff": f"bytes32 grantId,{_ACTION}",
        "LimitsRaise": f"{_struct('Limits')},{_ACTION}",
        "RegionCapRaise": f"uint24 regionCode,uint8 regionDigits,uint80 cap,{_ACTION}",
        "UnpauseGrants": _ACTION,
    },
}
"""Members, as EIP-712 spells them, of everything that officers sign for each contract."""

TYPES = {name: members for types in TYPES_OF.values() for name, members in types.items()}
TYPEHASHES = {name: keccak(f"{name}({members})".encode()) for name, members in TYPES.items()}


def members_of(primary_type: str) -> list[tuple[str, str]]:
    """Return type and name of each member, in the type's order."""
    return [(kind, name) for kind, name in map(str.split, TYPES[primary_type].split(","))]


class MalformedSignatures(ValueError):
    """Packed records that end in the middle of one."""


@dataclass(frozen=True, slots=True)
class Record:
    """One officer's signature as the contracts get it."""

    officer_id: int
    signer_type: int
    signer: bytes
    signature: bytes


def records(blob: bytes) -> Iterator[Record]:
    """Yield the records of packed signatures (contracts/libraries/OfficerSignatures.sol).

    Raises
    ------
    MalformedSignatures
        When the bytes end inside a record.
    """
    at = 0
    while at < len(blob):
        head = blob[at : at + RECORD_HEADER]
        signer_end = at + RECORD_HEADER + int.from_bytes(head[5:7], "big")
        end = signer_end + int.from_bytes(head[7:9], "big")
        if len(head) < RECORD_HEADER or end > len(blob):
            raise MalformedSignatures(f"a record at byte {at} ends after the signatures")
        yield Record(
            int.from_bytes(head[:4], "big"),
            head[4],
            blob[at + RECORD_HEADER : signer_end],
            blob[signer_end:end],
        )
        at = end


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """Return the address that made a signature, or None where OpenZeppelin's ECDSA refuses it.

    65 bytes r | s | v with v 27 or 28 and s in the lower half (EIP-2).
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > SECP256K1_ORDER // 2:
        return None
    compact = signature[:64] + bytes([signature[64] - ELECTRUM_OFFSET])
    try:
        key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except Exception:  # noqa: BLE001  # coincurve raises a bare Exception for an impossible point
        return None
    return keccak(key.format(compressed=False)[1:])[12:]


def word(value: int | bytes) -> bytes:
    """Return a value as one ABI word: numbers and addresses right-aligned, 32 bytes as they are.

    A negative number, which no contract of ours can say, is its complement.
    """
    if isinstance(value, int):
        return (value % 2**256).to_bytes(32, "big")
    return value.rjust(32, b"\0")


@dataclass(frozen=True, slots=True)
class Domain:
    """An EIP-712 domain of one of the contracts.

    Attributes
    ----------
    separator
        Hash of name, version 1, chain id and address.
    """

    separator: bytes

    def digest(self, primary_type: str, *members: int | bytes) -> bytes:
        """Return what is signed: members in the type's order, ``bytes`` members already hashed."""
        struct = keccak(TYPEHASHES[primary_type] + b"".join(word(member) for member in members))
        return keccak(b"\x19\x01" + self.separator + struct)

    def digest_of(self, primary_type: str, values: Mapping[str, Any]) -> bytes:
        """Return what is signed: values by the names of the type's members, as they are."""
        members = [
            keccak(values[name]) if kind == "bytes" else values[name]
            for kind, name in members_of(primary_type)
        ]
        return self.digest(primary_type, *members)


def domain(contract: Contract, chain_id: int, address: bytes) -> Domain:
    """Return the domain of a contract of ours."""
    return Domain(
        keccak(
            DOMAIN_TYPEHASH
            + keccak(DOMAIN_NAMES[contract].encode())
            + keccak(DOMAIN_VERSION.encode())
            + word(chain_id)
            + word(address)
        )
    )
