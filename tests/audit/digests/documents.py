"""Documents as the service hands them out, one of each type, and how to spoil them."""

from __future__ import annotations

from typing import Any

from service.approvals.domain import SigningDomain
from service.approvals.typed_data import TYPES, make_typed_data

DAY_S = 86_400
NOW = 1_900_000_000
"""2030-03-17 17:46:40 UTC: after every run of the tests."""
DOMAIN = SigningDomain(
    31337,
    vault="0x1f9090aaE28b8a3dCeaDf281B0F12828e676c326",
    registry="0x00000000219ab540356cBB839Cbe05303d7705Fa",
    token="0xdAC17F958D2ee523a2206206994597C13D831ec7",
    lane="0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
)
PAYEE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
OTHER = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
ACTION = {"actionId": b"\xac" * 32, "deadline": NOW + DAY_S}
APPROVAL: dict[str, Any] = {
    "programme": 3,
    "programmeVersion": 2,
    "batchId": b"\xba" * 32,
    "maker": 1,
    "kind": 0,
    "regionCode": 510722,
    "regionDigits": 6,
    "chunkSize": 500,
    "chunksRoot": b"\xcc" * 32,
    "manifestHash": b"\xdd" * 32,
    "count": 1200,
    "total": 720_000_000_001,
    "start": 0,
    "cliff": 0,
    "duration": 0,
    "cadence": 0,
    "executeBefore": NOW + 30 * DAY_S,
    "expiresAt": NOW + 120 * DAY_S,
}
LIMITS = {
    "perGrant": 10**9,
    "perOfficer": 2 * 10**9,
    "outstanding": 3 * 10**9,
    "countersignWindow": 3 * DAY_S,
    "perCounty": 4 * 10**9,
    "perCity": 5 * 10**9,
    "perProvince": 6 * 10**9,
    "country": 7 * 10**9,
    "countyOverdue": 10**8,
    "cityOverdue": 2 * 10**8,
    "provinceOverdue": 3 * 10**8,
}
GRANT_ROLE = bytes.fromhex("25c471a0") + b"".join(
    word.rjust(32, b"\0") for word in (b"\1", bytes.fromhex(PAYEE[2:]), b"")
)
"""``grantRole(1, PAYEE, 0)``."""
MESSAGES: dict[str, dict[str, Any]] = {
    "BatchApproval": APPROVAL,
    "BatchCancellation": {"batchId": b"\xba" * 32} | ACTION,
    "StreamCancellation": {"batchId": b"\xba" * 32, "chunkIndex": 2, "maskLow": 7, "maskHigh": 1}
    | ACTION,
    "BatchHold": {"batchId": b"\xba" * 32} | ACTION,
    "EntryHold": {"batchId": b"\xba" * 32, "index": 77} | ACTION,
    "WalletChange": {"batchId": b"\xba" * 32, "index": 77, "from": PAYEE, "to": OTHER} | ACTION,
    "Unpause": {"operations": 5} | ACTION,
    "Sunset": ACTION,
    "OfficerAddition": {
        "officerId": 9,
        "roles": 3,
        "regionCode": 51,
        "regionDigits": 2,
        "signerType": 1,
        "signer": bytes.fromhex(PAYEE[2:]),
    }
    | ACTION,
    "OfficerRemoval": {"officerId": 9} | ACTION,
    "SignerAddition": {"officerId": 9, "signerType": 2, "signer": bytes.fromhex(OTHER[2:])}
    | ACTION,
    "SignerRemoval": {"signerType": 1, "signer": bytes.fromhex(PAYEE[2:])} | ACTION,
    "VerifierAddition": {"verifier": OTHER} | ACTION,
    "VerifierRemoval": {"verifier": OTHER} | ACTION,
    "ManagerCall": {"data": GRANT_ROLE} | ACTION,
    "UnpauseTransfers": ACTION,
    "CapIncrease": {"cap": 10**15} | ACTION,
    "MinterAddition": {"minter": OTHER, "cap": 10**15} | ACTION,
    "MinterRemoval": {"minter": OTHER} | ACTION,
    "EmergencyGrant": {
        "grantId": b"\x9a" * 32,
        "officer": 5,
        "payee": PAYEE,
        "amount": 600_000_000,
        "regionCode": 5107,
        "regionDigits": 4,
        "caseCommitment": b"\xca" * 32,
        "validUntil": NOW + DAY_S,
    },
    "GrantCountersignature": {
        "grantId": b"\x9a" * 32,
        "payee": PAYEE,
        "amount": 600_000_000,
        "deadline": NOW + DAY_S,
    },
    "GrantWriteOff": {"grantId": b"\x9a" * 32} | ACTION,
    "LimitsRaise": LIMITS | ACTION,
    "RegionCapRaise": {"regionCode": 33, "regionDigits": 2, "cap": 10**10} | ACTION,
    "UnpauseGrants": ACTION,
}
"""A message of each type that officers sign."""

HOLDERS_TYPES = {
    *("Permit", "TransferWithAuthorization", "ReceiveWithAuthorization"),
    *("CancelAuthorization", "RedeemWithAuthorization"),
}
assert MESSAGES.keys() | HOLDERS_TYPES == TYPES.keys()


def document(primary_type: str, **members: Any) -> dict[str, Any]:
    """A document of a type, with some members changed."""
    return make_typed_data(DOMAIN, primary_type, MESSAGES[primary_type] | members)
