"""How the report writes what it did not choose itself: text from a chain, times, amounts."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from decimal import Decimal

from service.audit.arithmetic import DAY_S
from service.units import format_amount, format_unix_s, to_decimal

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"})
"""Unicode categories that show nothing, turn the text around, or pile up on what stands before."""

LAST_OF_LATIN_1 = "\u00ff"
LAST_OF_FOUR_DIGITS = 0xFFFF

LAST_UNIX_S = 253_402_300_799
"""The last second of the year 9999: calendars of programs end there, uint40 times do not."""

SCALES = (
    (Decimal(10**12), "T"),
    (Decimal(10**9), "B"),
    (Decimal(10**6), "M"),
    (Decimal(1000), "k"),
)


def visible(text: str) -> str:
    """Return text with every character that does not show as itself spelled by its number."""
    return "".join(
        _spelled(character) if unicodedata.category(character) in HIDDEN else character
        for character in text
    )


def latin(text: str) -> str:
    """Return text as :func:`visible` does, and with nothing that Latin-1 cannot write."""
    return "".join(
        character if character <= LAST_OF_LATIN_1 else _spelled(character)
        for character in visible(text)
    )


def _spelled(character: str) -> str:
    if character == "\n":
        return "\\n"
    code = ord(character)
    return f"\\u{code:04x}" if code <= LAST_OF_FOUR_DIGITS else f"\\U{code:08x}"


def moment(unix_s: int) -> str:
    """Write Unix seconds as a time in UTC, or as they are where no calendar reaches."""
    return format_unix_s(unix_s) if unix_s <= LAST_UNIX_S else f"second {unix_s}"


def day_text(day: int) -> str:
    """Write days since 1970-01-01 as a date."""
    if day * DAY_S > LAST_UNIX_S:
        return f"day {day}"
    return f"{datetime.fromtimestamp(day * DAY_S, UTC):%Y-%m-%d}"


def region_text(region: tuple[int, int]) -> str:
    """Write a region's code, with all of its digits."""
    code, digits = region
    return f"{code:0{digits}d}" if digits else "whole country"


def amount_text(amount_base_units: int) -> str:
    """Write base units as tokens, thousands apart: ``1,234.50``."""
    whole, _, fraction = format_amount(amount_base_units).partition(".")
    return f"{int(whole):,}.{fraction}" if whole != "-0" else f"-0.{fraction}"


def short_amount(amount_base_units: int) -> str:
    """Write base units as tokens in three digits: ``1.23 M``; k, M, B, T are 10**3 to 10**12."""
    tokens = to_decimal(amount_base_units)
    for scale, letter in SCALES:
        if abs(tokens) >= scale:
            return f"{_three_digits(tokens / scale)} {letter}"
    return _three_digits(tokens)


def _three_digits(value: Decimal) -> str:
    text = f"{Decimal(f'{value:.3g}'):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
