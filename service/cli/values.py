"""Values as people type and read them: regions, times, durations, hashes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from eth_utils.address import is_checksum_address, to_checksum_address

from service.clock import SYSTEM_CLOCK
from service.errors import InvalidInput
from service.intake.rows import Kind
from service.regions import WHOLE_COUNTRY, Region, existing_region, full_name, parse_region
from service.units import BASE_UNITS_PER_TOKEN, MAX_TOTAL_BASE_UNITS, TOKEN_DECIMALS

MAX_OFFICER_NUMBER = 2**32 - 1
"""The registry counts officers in 32 bits."""

_DURATION = re.compile(r"(?P<count>[0-9]+)(?P<unit>[smhdw]?)")
_SECONDS: dict[str, int] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_AMOUNT = re.compile(r"(?P<whole>0|[1-9][0-9]*)(?:\.(?P<fraction>[0-9]{1,6}))?")


def read_region(text: str) -> Region:
    """Read a region code.

    Raises
    ------
    InvalidInput
        When it is none.
    """
    try:
        return existing_region(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no region code: {error}") from None


def read_kind(text: str) -> Kind:
    """Read the kind of a payment: ``one_off`` or ``stream``.

    Raises
    ------
    InvalidInput
        When it is neither.
    """
    if text == "one_off":
        return "one_off"
    if text == "stream":
        return "stream"
    raise InvalidInput(f"{text!r} is neither one_off nor stream")


def read_duration(text: str) -> int:
    """Read a duration in seconds: ``90``, ``15m``, ``2h``, ``30d``, ``1w``.

    Raises
    ------
    InvalidInput
        When it is none.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{text!r} is no duration: write 90 (seconds), 15m, 2h, 30d or 1w")
    seconds: int = int(match["count"]) * _SECONDS[match["unit"]]
    return seconds


def read_time(text: str, *, now: datetime) -> datetime:
    """Read a time: ISO 8601 with its offset or ``Z``, or a duration from now, ``+7d``.

    Raises
    ------
    InvalidInput
        When it is neither, or has no offset.
    """
    if text.startswith("+"):
        return now + timedelta(seconds=read_duration(text[1:]))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is no time: write 2026-11-01T00:00:00+08:00 or +7d"
        raise InvalidInput(message) from None
    if time.tzinfo is None:
        raise InvalidInput(f"{text!r} lacks its offset: write 2026-11-01T00:00:00+08:00, or Z")
    return time.astimezone(UTC)


def read_total(text: str) -> int:
    """Read a human amount as base units: as :func:`service.units.parse_amount`, up to a budget.

    Raises
    ------
    InvalidInput
        When it is no amount, zero, or more than the contracts can hold.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"{text!r} is no amount: write digits with at most {TOKEN_DECIMALS} decimals, 1234.50"
        )
    fraction = (match["fraction"] or "").ljust(TOKEN_DECIMALS, "0")
    amount: int = int(match["whole"]) * BASE_UNITS_PER_TOKEN + int(fraction)
    if not 0 < amount <= MAX_TOTAL_BASE_UNITS:
        raise InvalidInput(f"{text!r} is out of range")
    return amount


def read_address(text: str) -> str:
    """Read an EIP-55 address.

    Raises
    ------
    InvalidInput
        When it is no address, or its checksum is missing or wrong.
    """
    if not is_checksum_address(text):
        hint = ""
        if re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
            hint = f"; if every digit is right, write {to_checksum_address(text)}"
        raise InvalidInput(f"{text!r} is no address with an EIP-55 checksum{hint}")
    return text


def read_hash(text: str) -> str:
    """Read 32 bytes as 0x and 64 hexadecimal digits, in small letters.

    Raises
    ------
    InvalidInput
        When it is something else.
    """
    if _HASH.fullmatch(text) is None:
        raise InvalidInput(f"{text!r} is not 0x and 64 hexadecimal digits")
    return text.lower()


def read_numbers(texts: Sequence[str]) -> list[int]:
    """Read numbers and ranges: ``["3", "7-9"]`` is 3, 7, 8, 9.

    Raises
    ------
    InvalidInput
        When a text is neither.
    """
    numbers: list[int] = []
    for text in ",".join(texts).split(","):
        match = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", text.strip())
        if match is None:
            raise InvalidInput(f"{text!r} is no number or range such as 7-9")
        first, last = int(match[1]), int(match[2] or match[1])
        numbers.extend(range(first, last + 1))
    return numbers


def show_region(text: str) -> str:
    """Write a region's code with its name: ``51 四川省``; 0 as the whole country."""
    region = parse_region(text)
    if region == WHOLE_COUNTRY:
        return "the whole country"
    return f"{text} {full_name(region, SYSTEM_CLOCK.now().date())}"
