"""Officers with keys, and what they sign: batch approvals and quorum actions, packed for the chain.

The keys are derived from fixed words; they must never hold anything of value.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brownie import chain
from eth_account import Account
from eth_utils import keccak

MAKER, REVIEWER, EMERGENCY, GOVERNOR = 1, 2, 4, 8
EOA_SIGNER = 1

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
    "Unpause": ("Relief AllowanceVault", [("operations", "uint8"), *_ACTION]),
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
class Officer:
    """A person as the registry knows them at the start, with the key of their first signer."""

    officer_id: int
    roles: int
    region_code: int
    region_digits: int

    @property
    def key(self) -> Any:
        """The account of the officer's first signer."""
        return account_named(f"officer {self.officer_id}")

    def as_new_officer(self) -> tuple[Any, ...]:
        """The struct that the registry takes."""
        return (
            self.officer_id,
            self.roles,
            self.region_code,
            self.region_digits,
            EOA_SIGNER,
            bytes.fromhex(self.key.address[2:]),
        )


def sign_typed(
    key: Any,
    contract: Any,
    message: Mapping[str, Any],
    *,
    domain_name: str,
    primary_type: str,
    members: Sequence[tuple[str, str]],
    chain_id: int | None = None,
) -> bytes:
    """Sign EIP-712 data in the domain of `contract` (or of another chain): 65 bytes."""
    domain = {
        "name": domain_name,
        "version": "1",
        "chainId": chain.id if chain_id is None else chain_id,
        "verifyingContract": str(getattr(contract, "address", contract)),
    }
    types = {primary_type: [{"name": name, "type": kind} for name, kind in members]}
    return bytes(Account.sign_typed_data(key.key, domain, types, dict(message)).signature)


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


def sign_batch(
    vault: Any,
    approval: Mapping[str, Any],
    officers: Sequence[Officer],
    *,
    chain_id: int | None = None,
) -> bytes:
    """Packed records over a batch approval, in the order of `officers`."""
    return b"".join(
        record(
            officer.officer_id,
            officer.key.address,
            sign_typed(
                officer.key,
                vault,
                approval,
                domain_name="Relief AllowanceVault",
                primary_type="BatchApproval",
                members=BATCH_APPROVAL,
                chain_id=chain_id,
            ),
        )
        for officer in officers
    )


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
    signature = sign_typed(
        officer.key,
        lane,
        message,
        domain_name="Relief EmergencyLane",
        primary_type=primary_type,
        members=members,
        chain_id=chain_id,
    )
    return record(officer.officer_id, officer.key.address, signature)


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
    return b"".join(
        record(
            officer.officer_id,
            officer.key.address,
            sign_typed(
                officer.key,
                contract,
                message,
                domain_name=domain_name,
                primary_type=action,
                members=members,
                chain_id=chain_id,
            ),
        )
        for officer in officers
    )


def approval_tuple(approval: Mapping[str, Any]) -> tuple[Any, ...]:
    """The struct as the contract takes it."""
    return tuple(approval[name] for name, _ in BATCH_APPROVAL)
