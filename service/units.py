"""Amounts and times: base units inside, human decimals at the edges, never a float.

The benefit token has six decimals (``TOKEN_DECIMALS``), like the fiat stablecoins it settles
against. Every amount inside the service is an ``int`` of base units, ``Decimal`` only where a
person types or reads it, and a string in JSON.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import NewType

from eth_hash.auto import keccak

TOKEN_DECIMALS = 6
"""Decimals of the benefit token (``BenefitToken.decimals``)."""

BASE_UNITS_PER_TOKEN = 10**TOKEN_DECIMALS

MAX_ENTRY_BASE_UNITS = 2**64 - 1
"""Largest amount of one payout: an entry packs it into 8 bytes (docs/contracts.md)."""

MAX_TOTAL_BASE_UNITS = 2**80 - 1
"""Largest total of a batch, budget, cap or supply: uint80 in the contracts."""

BaseUnits = NewType("BaseUnits", int)
"""An amount in base units of the token (1 token = 1,000,000 base units)."""

UnixSeconds = NewType("UnixSeconds", int)
"""Seconds since 1970-01-01T00:00:00Z, as block timestamps count them."""

_DURATIONS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))

_HUMAN_AMOUNT = re.compile(r"(?P<whole>0|[1-9][0-9]*)(?:\.(?P<fraction>[0-9]+))?")


def parse_amount(text: str) -> BaseUnits:
    """Read a human amount such as ``"600"`` or ``"1234.50"`` as base units.

    Plain ASCII digits with at most one point; no sign, exponent, thousands separator or blank.

    Raises
    ------
    ValueError
        Naming what is wrong: not an amount, more than six decimals, zero, or more than an
        entry can hold.
    """
    match = _HUMAN_AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("not an amount: write digits with at most one point, such as 1234.50")
    fraction = match["fraction"] or ""
    if len(fraction) > TOKEN_DECIMALS:
        raise ValueError(f"{len(fraction)} decimals: the token has {TOKEN_DECIMALS}")
    amount = int(match["whole"]) * BASE_UNITS_PER_TOKEN + int(fraction.ljust(TOKEN_DECIMALS, "0"))
    if amount == 0:
        raise ValueError("the amount is zero")
    if amount > MAX_ENTRY_BASE_UNITS:
        raise ValueError("the amount is larger than one payout can hold")
    return BaseUnits(amount)


def format_amount(amount_base_units: int) -> str:
    """Write base units as a human amount with at least two decimals: ``1234.50``."""
    sign = "-" if amount_base_units < 0 else ""
    whole, fraction = divmod(abs(amount_base_units), BASE_UNITS_PER_TOKEN)
    digits = f"{fraction:0{TOKEN_DECIMALS}d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{digits}"


def amounts(**base_units: int | str) -> dict[str, str]:
    """Return each amount twice, for JSON: ``name`` for people, ``name_base_units`` to count with.

    Parameters
    ----------
    base_units
        Each amount by its name, base units.
    """
    shown: dict[str, str] = {}
    for name, value in base_units.items():
        shown[name] = format_amount(int(value))
        shown[f"{name}_base_units"] = str(value)
    return shown


def format_time(moment: datetime) -> str:
    """Write a time as ISO 8601 in UTC, to the second: ``2026-11-01T00:00:00Z``."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def format_unix_s(unix_s: int) -> str:
    """Write Unix seconds as :func:`format_time` does."""
    return format_time(datetime.fromtimestamp(unix_s, UTC))


def format_duration(seconds: int) -> str:
    """Write a duration in its two largest units: ``120 days``, ``1 hour 30 minutes``."""
    parts: list[str] = []
    rest = seconds
    for name, size in _DURATIONS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}" if count == 1 else f"{count} {name}s")
    return " ".join(parts[:2]) or "0 seconds"


def to_decimal(amount_base_units: int) -> Decimal:
    """Base units as an exact ``Decimal`` of tokens, for reports and spreadsheets."""
    return Decimal(amount_base_units).scaleb(-TOKEN_DECIMALS)


def eip55(address: str) -> str:
    """Spell an address with its checksum (EIP-55).

    A letter is large where the same place of keccak256 of the small digits is 8 or more. (Five
    times as fast as the library's function, which checks its argument in three ways first.)

    Parameters
    ----------
    address
        ``0x`` and 40 hexadecimal digits; not checked.
    """
    digits = address[2:].lower()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False)
    )
