"""The region value: a GB/T 2260 prefix of two, four or six digits, and the one matching rule.

The same pair ``(uint24 code, uint8 digits)`` and the same rule are in the contracts, so that a
scope means the same thing on both sides. Townships and villages stay off chain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

RegionDigits = Literal[0, 2, 4, 6]
"""How much of a code is meant: 0 the whole country, 2 a province, 4 a city, 6 a county."""

_CODE = re.compile(r"[1-9][0-9](?:[0-9]{2}){0,2}")


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A province, a city or prefecture, a county; or the whole country, ``(0, 0)``.

    Programmes and officers may have the whole country; a case or a batch names a place in it
    (decision 0001).

    Attributes
    ----------
    code
        The significant digits as a number: 51, 5107 or 510722; 0 for the whole country.
    digits
        How many digits are significant: 0, 2, 4 or 6.

    Raises
    ------
    ValueError
        When ``digits`` is not 0, 2, 4 or 6 or ``code`` does not have so many digits.
    """

    code: int
    digits: RegionDigits

    def __post_init__(self) -> None:
        if self.digits not in (0, 2, 4, 6):
            raise ValueError(f"a region has 0, 2, 4 or 6 digits, not {self.digits}")
        smallest = 10 ** (self.digits - 1) if self.digits else 0
        if not smallest <= self.code < 10**self.digits:
            raise ValueError(f"region code {self.code} does not have {self.digits} digits")

    def covers(self, other: Region) -> bool:
        """Tell whether ``other`` is this region or lies inside it.

        The one matching rule: this region's digits are a prefix of the other's.
        """
        if self.digits > other.digits:
            return False
        return other.prefix.startswith(self.prefix)

    def ancestors(self) -> tuple[Region, ...]:
        """Return the provinces and cities above this one, the province first."""
        above: tuple[RegionDigits, ...] = (2, 4)
        return tuple(
            Region(int(str(self.code)[:digits]), digits) for digits in above if digits < self.digits
        )

    @property
    def prefix(self) -> str:
        """The significant digits as text; empty for the whole country."""
        return str(self.code) if self.digits else ""

    @property
    def six_digits(self) -> str:
        """The code as the standard writes it, filled with zeros: ``"510700"``."""
        return self.prefix.ljust(6, "0")

    def __str__(self) -> str:
        return str(self.code)


WHOLE_COUNTRY = Region(0, 0)
"""Covers every region."""


def parse_region(text: str) -> Region:
    """Read a region code such as ``"51"``, ``"5107"`` or ``"510722"``; ``"0"`` is the country.

    Trailing pairs of zeros mean the level above, as the standard writes it: ``"510000"`` is the
    province 51 and ``"510700"`` the city 5107. Only the form is checked; see
    :func:`service.regions.table.known_on` for existence.

    Raises
    ------
    ValueError
        When the text is not two, four or six ASCII digits, or has zeros before its county.
    """
    if text == "0":
        return WHOLE_COUNTRY
    if _CODE.fullmatch(text) is None:
        raise ValueError("a region code has two, four or six digits, such as 51, 5107 or 510722")
    while text.endswith("00"):  # ends: the first pair has no zero in front
        text = text[:-2]
    if text[2:4] == "00":
        raise ValueError("a county code needs the two digits of its city")
    return Region(int(text), cast(RegionDigits, len(text)))
