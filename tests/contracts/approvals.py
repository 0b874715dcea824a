"""Officers with keys, and what they sign: batch approvals and quorum actions, packed for the chain.

The keys are derived from fixed words; they must never hold anything of value.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brownie import chain
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from officer_keys import P256Key

MAKER, REVIEWER, EMERGENCY, GOVERNOR = 1, 2, 4, 8
EOA_SIGNER, ACCOUNT_SIGNER, KEY_SIGNER = 1, 2, 3
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

BATCH_APPROVAL = [
    ("programme", "uint32"),
    ("programmeVersion", "uint32"),
    ("batchId", "bytes32"),
    ("maker", "uint32"),
    ("kind", "uint8"),
    ("regionCode", "uint24"),
    ("regionDigits", "uint8"),
    ("chunkSize", "uint16"),
    ("chunksRoot", "bytes32"),
    ("manifestHash", "bytes32"),
    ("count", "uint32"),
    ("total", "uint80"),
    ("start", "uint40"),
    ("cliff", "uint32"),
    ("duration", "uint32"),
    ("cadence", "uint32"),
    ("executeBefore", "uint40"),
    ("expiresAt", "uint40"),
]
"""Members of the signed struct, in the order of its type."""

EMERGENCY_GRANT = [
    ("grantId", "bytes32"),
    ("officer", "uint32"),
    ("payee", "address"),
    ("amount", "uint64"),
    ("regionCode", "uint24"),
    ("regionDigits", "uint8"),
    ("caseCommitment", "bytes32"),
    ("validUntil", "uint40"),
]
"""Members of the grant an emergency officer signs, in the order of its type."""

GRANT_COUNTERSIGNATURE = [
    ("grantId", "bytes32"),
    ("payee", "address"),
    ("amount", "uint64"),
    ("deadline", "uint40"),
]

LIMITS = [
    ("perGrant", "uint64"),
    ("perOfficer", "uint80"),
    ("outstanding", "uint80"),
    ("countersignWindow", "uint32"),
    ("perCounty", "uint80"),
    ("perCity", "uint80"),
    ("perProvince", "uint80"),
    ("country", "uint80"),
    ("countyOverdue", "uint80"),
    ("cityOverdue", "uint80"),
    ("provinceOverdue", "uint80"),
]
"""Members of the emergency lane's limits, in their order."""

_ACTION = [("actionId", "bytes32"), ("deadline", "uint40")]
ACTIONS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "BatchCancellation": ("Relief AllowanceVault", [("batchId", "bytes32"), *_ACTION]),
    "StreamCancellation": (
        "Relief AllowanceVault",
        [
            ("batchId", "bytes32"),
            ("chunkIndex", "uint256"),
            ("maskLow", "uint256"),
            ("maskHigh", "uint256"),
            *_ACTION,
        ],
    ),
    "BatchHold": ("Relief AllowanceVault", [("batchId", "bytes32"), *_ACTION]),
    "EntryHold": (
        "Relief AllowanceVault",
        [("batchId", "bytes32"), ("index", "uint256"), *_ACTION],
    ),
    "WalletChange": (
        "Relief AllowanceVault",
        [
            ("batchId", "bytes32"),
            ("index", "uint256"),
            ("from", "address"),
            ("to", "address"),
            *_ACTION,
        ],
    ),
    "Unpause": ("Relief AllowanceVault", [("operations", "uint8"), *_ACTION]),
    "Sunset": ("Relief AllowanceVault", _ACTION),
    "UnpauseTransfers": ("Relief Benefit Token", _ACTION),
    "CapIncrease": ("Relief Benefit Token", [("cap", "uint80"), *_ACTION]),
    "MinterAddition": (
        "Relief Benefit Token",
        [("minter", "address"), ("cap", "uint80"), *_ACTION],
    ),
    "MinterRemoval": ("Relief Benefit Token", [("minter", "address"), *_ACTION]),
    "OfficerAddition": (
        "Relief OfficerRegistry",
        [
            ("officerId", "uint32"),
            ("roles", "uint16"),
            ("regionCode", "uint24"),
            ("regionDigits", "uint8"),
            ("signerType", "uint8"),
            ("signer", "bytes"),
            *_ACTION,
        ],
    ),
    "OfficerRemoval": ("Relief OfficerRegistry", [("officerId", "uint32"), *_ACTION]),
    "SignerAddition": (
        "Relief OfficerRegistry",
        [("officerId", "uint32"), ("signerType", "uint8"), ("signer", "bytes"), *_ACTION],
    ),
    "SignerRemoval": (
        "Relief OfficerRegistry",
        [("signerType", "uint8"), ("signer", "bytes"), *_ACTION],
    ),
    "VerifierAddition": ("Relief OfficerRegistry", [("verifier", "address"), *_ACTION]),
    "VerifierRemoval": ("Relief OfficerRegistry", [("verifier", "address"), *_ACTION]),
    "ManagerCall": ("Relief OfficerRegistry", [("data", "bytes"), *_ACTION]),
    "GrantWriteOff": ("Relief EmergencyLane", [("grantId", "bytes32"), *_ACTION]),
    "LimitsRaise": ("Relief EmergencyLane", [*LIMITS, *_ACTION]),
    "RegionCapRaise": (
        "Relief EmergencyLane",
        [("regionCode", "uint24"), ("regionDigits", "uint8"), ("cap", "uint80"), *_ACTION],
    ),
    "UnpauseGrants": ("Relief EmergencyLane", _ACTION),
}
"""Each quorum action: the name of the EIP-712 domain it is signed in, and its members."""


@functools.cache
def account_named(name: str) -> Any:
    """A throw-away key derived from a name."""
    return Account.from_key(keccak(text=f"relief contract test key: {name}"))


@dataclass(frozen=True)
class EoaSigner:
    """An externally owned account."""

    key: Any
    signer_type = EOA_SIGNER

    @property
    def signer(self) -> bytes:
        """The address, 20 bytes."""
        return bytes.fromhex(self.key.address[2:])

    def sign(self, digest: bytes) -> bytes:
        """r | s | v."""
        return bytes(Account.unsafe_sign_hash(digest, self.key.key).signature)


@dataclass(frozen=True)
class AccountSigner:
    """A contract that answers ERC-1271 for the key of its owner."""

    address: str
    owner: Any
    signer_type = ACCOUNT_SIGNER

    @property
    def signer(self) -> bytes:
        """The contract's address, 20 bytes."""
        return bytes.fromhex(self.address[2:])

    def sign(self, digest: bytes) -> bytes:
        """What the test wallet takes: its owner's r | s | v."""
        return EoaSigner(self.owner).sign(digest)


@dataclass(frozen=True)
class KeySigner:
    """A P-256 key or a passkey, with the contract that checks its signatures (ERC-7913)."""

    verifier: str
    key: P256Key
    signer_type = KEY_SIGNER

    @property
    def signer(self) -> bytes:
        """Verifier and point, 84 bytes."""
        return bytes.fromhex(self.verifier[2:]) + self.key.point

    def sign(self, digest: bytes) -> bytes:
        """What the verifier takes."""
        return self.key.sign(digest)


@dataclass(frozen=True)
class Officer:
    """A person as the registry knows them at the start, with what they sign with.

    Attributes
    ----------
    other_signer
        Not the account derived from the officer's number.
    """

    officer_id: int
    roles: int
    region_code: int
    region_digits: int
    other_signer: Any = None

    @property
    def key(self) -> Any:
        """The account derived from the officer's number."""
        return account_named(f"officer {self.officer_id}")

    @property
    def signs_with(self) -> Any:
        """The officer's signer."""
        return self.other_signer or EoaSigner(self.key)

    def as_new_officer(self) -> tuple[Any, ...]:
        """The struct that the registry takes."""
        return (
            self.officer_id,
            self.roles,
            self.region_code,
            self.region_digits,
            self.signs_with.signer_type,
            self.signs_with.signer,
        )

    def record_over(self, digest: bytes) -> bytes:
        """The officer's packed record over a digest."""
        return packed_record(self.officer_id, self.signs_with, self.signs_with.sign(digest))


def typed_digest(
    contract: Any,
    message: Mapping[str, Any],
    *,
    domain_name: str,
    primary_type: str,
    members: Sequence[tuple[str, str]],
    chain_id: int | None = None,
) -> bytes:
    """What is signed of EIP-712 data in the domain of `contract` (or of another chain)."""
    domain = {
        "name": domain_name,
        "version": "1",
        "chainId": chain.id if chain_id is None else chain_id,
        "verifyingContract": str(getattr(contract, "address", contract)),
    }
    types = {primary_type: [{"name": name, "type": kind} for name, kind in members]}
    signable = encode_typed_data(domain, types, dict(message))
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def sign_typed(key: Any, contract: Any, message: Mapping[str, Any], **what: Any) -> bytes:
    """Sign EIP-712 data (see `typed_digest`) with an account's key: 65 bytes."""
    return EoaSigner(key).sign(typed_digest(contract, message, **what))


def mirrored(signature: bytes) -> bytes:
    """The other signature that the same key makes of r | s | v: s in the upper half, v to match."""
    s = int.from_bytes(signature[32:64], "big")
    return signature[:32] + (SECP256K1_ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]])


def record(officer_id: int, signer: str, signature: bytes, signer_type: int = EOA_SIGNER) -> bytes:
    """One packed record: officerId (4) | type (1) | lengths (2, 2) | signer | signature."""
    signer_bytes = bytes.fromhex(signer[2:])
    return (
        officer_id.to_bytes(4, "big")
        + signer_type.to_bytes(1, "big")
        + len(signer_bytes).to_bytes(2, "big")
        + len(signature).to_bytes(2, "big")
        + signer_bytes
        + signature
    )


def packed_record(officer_id: int, signer: Any, signature: bytes) -> bytes:
    """One packed record of any type of signer."""
    return record(officer_id, "0x" + signer.signer.hex(), signature, signer.signer_type)


def batch_digest(vault: Any, approval: Mapping[str, Any], *, chain_id: int | None = None) -> bytes:
    """What officers sign to approve a batch."""
    return typed_digest(
        vault,
        approval,
        domain_name="Relief AllowanceVault",
        primary_type="BatchApproval",
        members=BATCH_APPROVAL,
        chain_id=chain_id,
    )


def sign_batch(
    vault: Any,
    approval: Mapping[str, Any],
    officers: Sequence[Officer],
    *,
    chain_id: int | None = None,
) -> bytes:
    """Packed records over a batch approval, in the order of `officers`."""
    digest = batch_digest(vault, approval, chain_id=chain_id)
    return b"".join(officer.record_over(digest) for officer in officers)


def sign_for_lane(
    lane: Any,
    primary_type: str,
    message: Mapping[str, Any],
    officer: Officer,
    *,
    chain_id: int | None = None,
) -> bytes:
    """One record over an ``EmergencyGrant`` or a ``GrantCountersignature``."""
    members = {
        "EmergencyGrant": EMERGENCY_GRANT,
        "GrantCountersignature": GRANT_COUNTERSIGNATURE,
    }[primary_type]
    digest = typed_digest(
        lane,
        message,
        domain_name="Relief EmergencyLane",
        primary_type=primary_type,
        members=members,
        chain_id=chain_id,
    )
    return officer.record_over(digest)


def sign_action(
    contract: Any,
    action: str,
    message: Mapping[str, Any],
    officers: Sequence[Officer],
    *,
    chain_id: int | None = None,
) -> bytes:
    """Packed records over a quorum action, in the order of `officers`."""
    domain_name, members = ACTIONS[action]
    digest = typed_digest(
        contract,
        message,
        domain_name=domain_name,
        primary_type=action,
        members=members,
        chain_id=chain_id,
    )
    return b"".join(officer.record_over(digest) for officer in officers)


def approval_tuple(approval: Mapping[str, Any]) -> tuple[Any, ...]:
    """The struct as the contract takes it."""
    return tuple(approval[name] for name, _ in BATCH_APPROVAL)
