"""EIP-712 typed data: the JSON that a wallet signs, and its digest.

The types are those of the contracts; member order is the type's order. In messages, integers above
48 bits are decimal strings (JSON numbers lose them), smaller ones numbers, bytes ``0x``-hex. Any
wallet that has ``eth_signTypedData_v4`` signs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_utils.crypto import keccak

from service.approvals.domain import ContractKey, SigningDomain

_DOMAIN_MEMBERS = (
    "string name",
    "string version",
    "uint256 chainId",
    "address verifyingContract",
)
_ACTION_MEMBERS = ("bytes32 actionId", "uint40 deadline")
_AUTHORIZATION_MEMBERS = ("uint256 validAfter", "uint256 validBefore", "bytes32 nonce")

TYPES: dict[str, tuple[ContractKey, tuple[str, ...]]] = {
    # contracts/AllowanceVault.sol
    "BatchApproval": (
        "vault",
        (
            "uint32 programme",
            "uint32 programmeVersion",
            "bytes32 batchId",
            "uint32 maker",
            "uint8 kind",
            "uint24 regionCode",
            "uint8 regionDigits",
            "uint16 chunkSize",
            "bytes32 chunksRoot",
            "bytes32 manifestHash",
            "uint32 count",
            "uint80 total",
            "uint40 start",
            "uint32 cliff",
            "uint32 duration",
            "uint32 cadence",
            "uint40 executeBefore",
            "uint40 expiresAt",
        ),
    ),
    "BatchCancellation": ("vault", ("bytes32 batchId", *_ACTION_MEMBERS)),
    "StreamCancellation": (
        "vault",
        (
            "bytes32 batchId",
            "uint256 chunkIndex",
            "uint256 maskLow",
            "uint256 maskHigh",
            *_ACTION_MEMBERS,
        ),
    ),
    "BatchHold": ("vault", ("bytes32 batchId", *_ACTION_MEMBERS)),
    "EntryHold": ("vault", ("bytes32 batchId", "uint256 index", *_ACTION_MEMBERS)),
    "WalletChange": (
        "vault",
        ("bytes32 batchId", "uint256 index", "address from", "address to", *_ACTION_MEMBERS),
    ),
    "Unpause": ("vault", ("uint8 operations", *_ACTION_MEMBERS)),
    "Sunset": ("vault", _ACTION_MEMBERS),
    # contracts/OfficerRegistry.sol
    "OfficerAddition": (
        "registry",
        (
            "uint32 officerId",
            "uint16 roles",
            "uint24 regionCode",
            "uint8 regionDigits",
            "uint8 signerType",
            "bytes signer",
            *_ACTION_MEMBERS,
        ),
    ),
    "OfficerRemoval": ("registry", ("uint32 officerId", *_ACTION_MEMBERS)),
    "SignerAddition": (
        "registry",
        ("uint32 officerId", "uint8 signerType", "bytes signer", *_ACTION_MEMBERS),
    ),
    "SignerRemoval": ("registry", ("uint8 signerType", "bytes signer", *_ACTION_MEMBERS)),
    "VerifierAddition": ("registry", ("address verifier", *_ACTION_MEMBERS)),
    "VerifierRemoval": ("registry", ("address verifier", *_ACTION_MEMBERS)),
    "ManagerCall": ("registry", ("bytes data", *_ACTION_MEMBERS)),
    # contracts/BenefitToken.sol
    "UnpauseTransfers": ("token", _ACTION_MEMBERS),
    "CapIncrease": ("token", ("uint80 cap", *_ACTION_MEMBERS)),
    "MinterAddition": ("token", ("address minter", "uint80 cap", *_ACTION_MEMBERS)),
    "MinterRemoval": ("token", ("address minter", *_ACTION_MEMBERS)),
    # contracts/EmergencyLane.sol
    "EmergencyGrant": (
        "lane",
        (
            "bytes32 grantId",
            "uint32 officer",
            "address payee",
            "uint64 amount",
            "uint24 regionCode",
            "uint8 regionDigits",
            "bytes32 caseCommitment",
            "uint40 validUntil",
        ),
    ),
    "GrantCountersignature": (
        "lane",
        ("bytes32 grantId", "address payee", "uint64 amount", "uint40 deadline"),
    ),
    "GrantWriteOff": ("lane", ("bytes32 grantId", *_ACTION_MEMBERS)),
    "LimitsRaise": (
        "lane",
        (
            "uint64 perGrant",
            "uint80 perOfficer",
            "uint80 outstanding",
            "uint32 countersignWindow",
            "uint80 perCounty",
            "uint80 perCity",
            "uint80 perProvince",
            "uint80 country",
            "uint80 countyOverdue",
            "uint80 cityOverdue",
            "uint80 provinceOverdue",
            *_ACTION_MEMBERS,
        ),
    ),
    "RegionCapRaise": (
        "lane",
        ("uint24 regionCode", "uint8 regionDigits", "uint80 cap", *_ACTION_MEMBERS),
    ),
    "UnpauseGrants": ("lane", _ACTION_MEMBERS),
    # contracts/BenefitToken.sol. Holders: ERC-2612, ERC-3009 and redemption.
    "Permit": (
        "token",
        (
            "address owner",
            "address spender",
            "uint256 value",
            "uint256 nonce",
            "uint256 deadline",
        ),
    ),
    "TransferWithAuthorization": (
        "token",
        ("address from", "address to", "uint256 value", *_AUTHORIZATION_MEMBERS),
    ),
    "ReceiveWithAuthorization": (
        "token",
        ("address from", "address to", "uint256 value", *_AUTHORIZATION_MEMBERS),
    ),
    "CancelAuthorization": ("token", ("address authorizer", "bytes32 nonce")),
    "RedeemWithAuthorization": (
        "token",
        ("address from", "uint256 value", "bytes32 paymentReference", *_AUTHORIZATION_MEMBERS),
    ),
}
"""Contract and members of each type."""

_MAX_JSON_NUMBER_BITS = 48
_WORD = 32
_ADDRESS_BYTES = 20


def member_names(primary_type: str) -> list[str]:
    """Return the names of a type's members, in the type's order."""
    return [member.split()[1] for member in TYPES[primary_type][1]]


def make_typed_data(
    domain: SigningDomain, primary_type: str, message: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the full JSON that a wallet signs.

    Parameters
    ----------
    primary_type
        A key of :data:`TYPES`.
    message
        Value by member: integers as ``int`` or decimal string, bytes as ``bytes`` or 0x-hex.

    Returns
    -------
    dict[str, Any]
        ``types`` (with ``EIP712Domain``), ``primaryType``, ``domain`` and ``message``.

    Raises
    ------
    ValueError
        When a member is missing, unknown or does not fit its type.
    """
    contract, members = TYPES[primary_type]
    names = member_names(primary_type)
    if set(message) != set(names):
        raise ValueError(f"{primary_type} has the members {', '.join(names)}")
    return {
        "types": {
            "EIP712Domain": _described(_DOMAIN_MEMBERS),
            primary_type: _described(members),
        },
        "primaryType": primary_type,
        "domain": domain.of(contract),
        "message": {
            name: _json_value(kind, message[name])
            for kind, name in (member.split() for member in members)
        },
    }


def digest_of(typed_data: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes that are signed: keccak256(0x1901 ‖ domain separator ‖ struct hash).

    For flat types such as ours (EIP-712, "Definition of hashStruct" and "encodeData").

    Raises
    ------
    ValueError
        When a value does not fit its type.
    """
    types = typed_data["types"]
    primary_type = typed_data["primaryType"]
    separator = _hash_struct("EIP712Domain", types["EIP712Domain"], typed_data["domain"])
    struct = _hash_struct(primary_type, types[primary_type], typed_data["message"])
    return keccak(b"\x19\x01" + separator + struct)


def _described(members: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"name": member.split()[1], "type": member.split()[0]} for member in members]


def _json_value(kind: str, value: Any) -> Any:
    if kind.startswith("uint"):
        number = int.from_bytes(_encoded(kind, value), "big")
        return number if _bits(kind) <= _MAX_JSON_NUMBER_BITS else str(number)
    if kind == "address":
        _encoded(kind, value)
        return value
    if kind.startswith("bytes"):
        _encoded(kind, value)
        return "0x" + _raw(value).hex()
    return value


def _hash_struct(name: str, members: list[Mapping[str, str]], values: Mapping[str, Any]) -> bytes:
    described = ",".join(f"{member['type']} {member['name']}" for member in members)
    encoded = [keccak(f"{name}({described})".encode("ascii"))]
    encoded += [_encoded(member["type"], values[member["name"]]) for member in members]
    return keccak(b"".join(encoded))


def _encoded(kind: str, value: Any) -> bytes:
    """Return one member's 32 bytes."""
    if kind == "string":
        return keccak(value.encode())
    if kind.startswith("uint"):
        number = int(value)
        if isinstance(value, bool | float) or not 0 <= number < 1 << _bits(kind):
            raise ValueError(f"{value} is no {kind}")
        return number.to_bytes(_WORD, "big")
    raw = _raw(value)
    if kind == "bytes":
        return keccak(raw)
    expected = _ADDRESS_BYTES if kind == "address" else int(kind.removeprefix("bytes"))
    if len(raw) != expected:
        raise ValueError(f"{value} is no {kind}")
    return raw.rjust(_WORD, b"\0") if kind == "address" else raw.ljust(_WORD, b"\0")


def _raw(value: Any) -> bytes:
    return value if isinstance(value, bytes) else bytes.fromhex(value.removeprefix("0x"))


def _bits(kind: str) -> int:
    return int(kind.removeprefix("uint"))
