"""The programmes that an import finds by their codes."""

from __future__ import annotations

from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.intake.programmes import ProgrammeList, ProgrammeRef
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


def programme_list(session: Session) -> ProgrammeList:
    """Read the programmes, for a file that is checked without the database."""
    return ProgrammeList(map(reference_to, session.scalars(select(Programme))))
