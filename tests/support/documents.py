"""What holds for every document that a command or a route gives: amounts, times, addresses.

The command line's tests and the API's put each document they get through :func:`check_document`.
"""

from __future__ import annotations

import re
from typing import Any

from eth_utils.address import is_checksum_address

AMOUNT = re.compile(r"-?[0-9]+\.[0-9]{2,6}")
BASE_UNITS = re.compile(r"-?[0-9]+")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+.*")
UTC_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
AMOUNTS = {"amount", "balance", "budget", "cap", "payout_cap", "total", "up_to", "value"}
AS_GIVEN = {"contract_error", "problems"}
"""Members that repeat what somebody else wrote."""


def check_document(value: Any, where: str = "$") -> None:
    """Fail where an amount lacks its base units, or a time or an address has another form."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            check_document(item, f"{where}[{position}]")
    elif isinstance(value, dict):
        if "primaryType" not in value:  # typed data has the contracts' own forms
            for name in value.keys() - AS_GIVEN:
                _check_member(value, name, f"{where}.{name}")
    elif isinstance(value, str):
        if TIME.fullmatch(value):
            assert UTC_TIME.fullmatch(value), f"{where}: {value} is not UTC to the second"
        if ADDRESS.fullmatch(value):
            assert is_checksum_address(value), f"{where}: {value} lacks its checksum"


def _check_member(document: dict[str, Any], name: str, where: str) -> None:
    value = document[name]
    assert not name.endswith("_unix_s"), f"{where}: times are ISO 8601"
    if name.endswith("_base_units"):
        assert BASE_UNITS.fullmatch(value), f"{where}: {value!r} is no string of base units"
        tokens = document[name.removesuffix("_base_units")]
        assert _as_base_units(tokens) == int(value), f"{where}: {value} is not {tokens}"
    elif isinstance(value, str) and AMOUNT.fullmatch(value):
        assert f"{name}_base_units" in document, f"{where}: {value} without its base units"
    elif name in AMOUNTS and not isinstance(value, dict):
        raise AssertionError(f"{where}: {value!r} is no amount for people")
    check_document(value, where)


def _as_base_units(tokens: str) -> int:
    whole, fraction = tokens.split(".")
    return int(whole + fraction.ljust(6, "0"))
