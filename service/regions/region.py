"""The region value: a GB/T 2260 prefix of two, four or six digits, and the one matching rule.

The same pair ``(uint24 code, uint8 digits)`` and the same rule are in the contracts, so that a
scope means the same thing on both sides. Townships and villages stay off chain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

RegionDigits = Literal[2, 4, 6]
"""How much of a code is meant: 2 a province, 4 a city or prefecture, 6 a county."""

_CODE = re.compile(r"[1-9][0-9](?:[0-9]{2}){0,2}")


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A province, a city or a county.

    Attributes
    ----------
    code
        The significant digits as a number: 51, 5107 or 510722.
    digits
        How many digits are significant: 2, 4 or 6.

    Raises
    ------
    ValueError
        When ``digits`` is not 2, 4 or 6 or ``code`` does not have so many digits.
    """

    code: int
    digits: RegionDigits

    def __post_init__(self) -> None:
        if self.digits not in (2, 4, 6):
            raise ValueError(f"a region has 2, 4 or 6 digits, not {self.digits}")
        if not 10 ** (self.digits - 1) <= self.code < 10**self.digits:
            raise ValueError(f"region code {self.code} does not have {self.digits} digits")

    def covers(self, other: Region) -> bool:
        """Tell whether ``other`` is this region or lies inside it.

        The one matching rule: this region's digits are a prefix of the other's.
        """
        if self.digits > other.digits:
            return False
        return str(other.code).startswith(str(self.code))

    def ancestors(self) -> tuple[Region, ...]:
        """Return the regions above this one, the province first; empty for a province."""
        above: tuple[RegionDigits, ...] = (2, 4)
        return tuple(
            Region(int(str(self.code)[:digits]), digits) for digits in above if digits < self.digits
        )

    @property
    def six_digits(self) -> str:
        """The code as the standard writes it, filled with zeros: ``"510700"``."""
        return str(self.code).ljust(6, "0")

    def __str__(self) -> str:
        return str(self.code)


def parse_region(text: str) -> Region:
    """Read a region code such as ``"51"``, ``"5107"`` or ``"510722"``.

    Trailing pairs of zeros mean the level above, as the standard writes it: ``"510000"`` is the
    province 51 and ``"510700"`` the city 5107. Only the form is checked; see
    :func:`service.regions.table.known_on` for existence.

    Raises
    ------
    ValueError
        When the text is not two, four or six ASCII digits, or has zeros before its county.
    """
    if _CODE.fullmatch(text) is None:
        raise ValueError("a region code has two, four or six digits, such as 51, 5107 or 510722")
    while text.endswith("00"):  # ends: the first pair has no zero in front
        text = text[:-2]
    if text[2:4] == "00":
        raise ValueError("a county code needs the two digits of its city")
    return Region(int(text), cast(RegionDigits, len(text)))
