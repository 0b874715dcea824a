"""The programmes that an import finds by their codes."""

from __future__ import annotations

from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.intake.programmes import ProgrammeRef
from service.payouts.models import Programme
from service.regions import Region
from service.regions.region import RegionDigits


def region_of(code: int, digits: int) -> Region:
    """Return a stored region as a value.

    Raises
    ------
    ValueError
        When it is no region.
    """
    return Region(code, cast(RegionDigits, digits))


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
