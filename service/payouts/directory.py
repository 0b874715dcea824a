"""The programmes that an import finds by their codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.intake.programmes import ProgrammeRef
from service.payouts.models import Programme
from service.regions import Region
from service.regions.region import RegionDigits

_NO_DIGITS = cast(RegionDigits, 0)


@dataclass(frozen=True, slots=True)
class WholeCountry(Region):
    """The region of zero digits, which only programmes and officers may have (decision 0001)."""

    code: int = 0
    digits: RegionDigits = _NO_DIGITS

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


def reference_to(programme: Programme) -> ProgrammeRef:
    """Return a programme as the import file names it."""
    region = region_of(programme.region_code, programme.region_digits)
    return ProgrammeRef(programme.id, programme.code, programme.name, region)


class DatabaseProgrammes:
    """A :class:`service.intake.programmes.ProgrammeDirectory` over the table, read once a code."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[str, ProgrammeRef | None] = {}

    def by_code(self, code: str) -> ProgrammeRef | None:
        """Return the programme with exactly this code, or None."""
        if code not in self._found:
            row = self._session.scalar(select(Programme).where(Programme.code == code))
            self._found[code] = None if row is None else reference_to(row)
        return self._found[code]
