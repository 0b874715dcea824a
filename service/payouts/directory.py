"""The programmes that an import finds by their codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.intake.programmes import ProgrammeRef
from service.payouts.models import Programme
from service.regions import Region
from service.regions.region import RegionDigits


@dataclass(frozen=True, slots=True)
class WholeCountry(Region):
    """The region of zero digits, which only programmes and officers may have (decision 0001)."""

    code: int = 0
    digits: RegionDigits = cast(Any, 0)

    def __post_init__(self) -> None:
        if (self.code, self.digits) != (0, 0):
            raise ValueError("the whole country is code 0 with 0 digits")

    def covers(self, other: Region) -> bool:
        """Every region lies in it."""
        return True

    def __str__(self) -> str:
        return "0 (the whole country)"


def region_of(code: int, digits: int) -> Region:
    """Return a stored region as a value, the whole country included.

    Raises
    ------
    ValueError
        When it is no region.
    """
    return WholeCountry(code) if digits == 0 else Region(code, cast(RegionDigits, digits))


class DatabaseProgrammes:
    """A :class:`service.intake.programmes.ProgrammeDirectory` over the table, read once a code."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[str, ProgrammeRef | None] = {}

    def by_code(self, code: str) -> ProgrammeRef | None:
        """Return the programme with exactly this code, or None."""
        if code not in self._found:
            row = self._session.scalar(select(Programme).where(Programme.code == code))
            self._found[code] = row and ProgrammeRef(
                row.id, row.code, row.name, region_of(row.region_code, row.region_digits)
            )
        return self._found[code]
