"""EIP-712 digests of everything officers sign, and the recovery of the account that signed.

The type strings are stated here again; a test compares them with the contracts' sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from coincurve import PublicKey
from eth_hash.auto import keccak

from service.audit.abi import EVENTS, STRUCTS, Contract

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""SEC 2, 2.4.1."""

RECORD_HEADER = 9
SIGNATURE_BYTES = 65
ELECTRUM_OFFSET = 27
"""What the last byte of a signature adds to the recovery id."""

DOMAIN_TYPEHASH = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
DOMAIN_NAMES = {
    Contract.VAULT: "Relief AllowanceVault",
    Contract.TOKEN: "Relief Benefit Token",
    Contract.REGISTRY: "Relief OfficerRegistry",
    Contract.LANE: "Relief EmergencyLane",
}
TYPES = {
    "BatchApproval": "uint32 programme,uint32 programmeVersion,bytes32 batchId,uint32 maker,"
    "uint8 kind,uint24 regionCode,uint8 regionDigits,uint16 chunkSize,bytes32 chunksRoot,"
    "bytes32 manifestHash,uint32 count,uint80 total,uint40 start,uint32 cliff,uint32 duration,"
    "uint32 cadence,uint40 executeBefore,uint40 expiresAt",
    "BatchCancellation": "bytes32 batchId,bytes32 actionId,uint40 deadline",
    "StreamCancellation": "bytes32 batchId,uint256 chunkIndex,uint256 maskLow,uint256 maskHigh,"
    "bytes32 actionId,uint40 deadline",
    "BatchHold": "bytes32 batchId,bytes32 actionId,uint40 deadline",
    "EntryHold": "bytes32 batchId,uint256 index,bytes32 actionId,uint40 deadline",
    "WalletChange": "bytes32 batchId,uint256 index,address from,address to,bytes32 actionId,"
    "uint40 deadline",
    "Unpause": "uint8 operations,bytes32 actionId,uint40 deadline",
    "Sunset": "bytes32 actionId,uint40 deadline",
    "OfficerAddition": "uint32 officerId,uint16 roles,uint24 regionCode,uint8 regionDigits,"
    "uint8 signerType,bytes signer,bytes32 actionId,uint40 deadline",
    "OfficerRemoval": "uint32 officerId,bytes32 actionId,uint40 deadline",
    "SignerAddition": "uint32 officerId,uint8 signerType,bytes signer,bytes32 actionId,"
    "uint40 deadline",
    "SignerRemoval": "uint8 signerType,bytes signer,bytes32 actionId,uint40 deadline",
    "VerifierAddition": "address verifier,bytes32 actionId,uint40 deadline",
    "VerifierRemoval": "address verifier,bytes32 actionId,uint40 deadline",
    "ManagerCall": "bytes data,bytes32 actionId,uint40 deadline",
    "UnpauseTransfers": "bytes32 actionId,uint40 deadline",
    "CapIncrease": "uint80 cap,bytes32 actionId,uint40 deadline",
    "MinterAddition": "address minter,uint80 cap,bytes32 actionId,uint40 deadline",
    "MinterRemoval": "address minter,bytes32 actionId,uint40 deadline",
    "EmergencyGrant": "bytes32 grantId,uint32 officer,address payee,uint64 amount,"
    "uint24 regionCode,uint8 regionDigits,bytes32 caseCommitment,uint40 validUntil",
    "GrantCountersignature": "bytes32 grantId,address payee,uint64 amount,uint40 deadline",
    "GrantWriteOff": "bytes32 grantId,bytes32 actionId,uint40 deadline",
    "LimitsRaise": "uint64 perGrant,uint80 perOfficer,uint80 outstanding,uint32 countersignWindow,"
    "uint80 perCounty,uint80 perCity,uint80 perProvince,uint80 country,uint80 countyOverdue,"
    "uint80 cityOverdue,uint80 provinceOverdue,bytes32 actionId,uint40 deadline",
    "RegionCapRaise": "uint24 regionCode,uint8 regionDigits,uint80 cap,bytes32 actionId,"
    "uint40 deadline",
    "UnpauseGrants": "bytes32 actionId,uint40 deadline",
}
TYPEHASHES = {name: keccak(f"{name}({members})".encode()) for name, members in TYPES.items()}
APPROVAL_MEMBERS = tuple(
    member.name
    for event in EVENTS[Contract.VAULT].values()
    if event.name == "BatchApproved"
    for field in event.fields
    if field.name == "approval"
    for member in field.members
)
GRANT_MEMBERS = tuple(member.split()[1] for member in STRUCTS["EmergencyGrant"].split(","))


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

    def approval_digest(self, approval: dict[str, Any]) -> bytes:
        """Return what officers sign for a batch."""
        return self.digest("BatchApproval", *(approval[name] for name in APPROVAL_MEMBERS))

    def grant_digest(self, grant: dict[str, Any]) -> bytes:
        """Return what an officer signs for an emergency grant."""
        return self.digest("EmergencyGrant", *(grant[name] for name in GRANT_MEMBERS))


def domain(contract: Contract, chain_id: int, address: bytes) -> Domain:
    """Return the domain of a contract of ours."""
    return Domain(
        keccak(
            DOMAIN_TYPEHASH
            + keccak(DOMAIN_NAMES[contract].encode())
            + keccak(b"1")
            + word(chain_id)
            + word(address)
        )
    )
