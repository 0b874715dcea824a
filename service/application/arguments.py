"""Arguments of contract calls as people and programs read them: our names, amounts, times, regions.

Rows keep them by the contract's own names, in base units and Unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from service.application.pauses import VAULT_OPERATIONS
from service.application.roles import meaning_of_call
from service.approvals.models import Role
from service.approvals.officers import signer_text
from service.payouts.directory import region_of
from service.units import amounts, format_unix_s

_AMOUNTS = {
    "amount": "amount",
    "budget": "budget",
    "cap": "cap",
    "newCap": "cap",
    "payoutCap": "payout_cap",
    "redemptionsIncluded": "redemptions_included",
    "upTo": "up_to",
    "value": "amount",
    # Limits of the emergency lane.
    "perGrant": "per_grant",
    "perOfficer": "per_officer",
    "outstanding": "outstanding",
    "perCounty": "per_county",
    "perCity": "per_city",
    "perProvince": "per_province",
    "country": "country",
    "countyOverdue": "county_overdue",
    "cityOverdue": "city_overdue",
    "provinceOverdue": "province_overdue",
}
_TIMES = {
    "asOf": "as_of",
    "deadline": "deadline",
    "validAfter": "valid_after",
    "validUntil": "valid_until",
    "validBefore": "valid_before",
}
_NAMES = {
    "challengeDelay": "challenge_delay_s",
    "countersignWindow": "countersign_window_s",
    "from": "holder",
    "id": "programme",
    "owner": "holder",
    "tiers_": "tiers",
    "to": "payee",
}
_WALLET_CHANGE = {"from": "from_wallet", "to": "to_wallet"}
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_MASK_BITS = 256


def arguments_view(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a contract call's arguments, or a signed message's members, for JSON."""
    shown: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in _AMOUNTS:
            shown |= amounts(**{_AMOUNTS[name]: value})
        elif name in _TIMES:
            shown[_TIMES[name]] = format_unix_s(int(value))
        elif name == "regionCode":
            shown["region"] = str(region_of(value, arguments["regionDigits"]))
        elif name == "maskLow":
            shown["streams"] = _streams(int(value), int(arguments["maskHigh"]))
        elif name not in ("regionDigits", "maskHigh", "signerType"):
            names = _WALLET_CHANGE if "batchId" in arguments else _NAMES
            ours = names.get(name) or _CAPITAL.sub("_", name).lower()
            shown[ours] = _READ[name](value) if name in _READ else value
            if name == "data":
                shown["meaning"] = meaning_of_call(value)
    return shown


def role_names(bits: int) -> list[str]:
    """Return the names of the roles that a bit field holds."""
    return [role.name.lower() for role in Role(bits) if role.name]


def operation_names(bits: int) -> list[str]:
    """Return the names of the vault's operations that a bit field holds."""
    return [name for name, bit in VAULT_OPERATIONS.items() if bits & bit]


def _streams(low: int, high: int) -> list[int]:
    """Return the positions in their chunk of the streams that a cancellation's masks name."""
    bits = low | high << _MASK_BITS
    return [position for position in range(2 * _MASK_BITS) if bits >> position & 1]


_READ: dict[str, Callable[[Any], Any]] = {
    "chunkIndex": int,
    "index": int,
    "operations": operation_names,
    "lowered": arguments_view,
    "roles": role_names,
    "signer": signer_text,
    "tiers_": lambda tiers: [arguments_view(tier) for tier in tiers],
}
