"""Programmes and files that the intake tests share."""

from __future__ import annotations

import pytest

from service.intake.programmes import ProgrammeList, ProgrammeRef
from service.regions import Region


@pytest.fixture(scope="session")
def programmes() -> ProgrammeList:
    sichuan = Region(51, 2)
    return ProgrammeList(
        [
            ProgrammeRef(1, "flood-2026", "Flood relief 2026", sichuan),
            ProgrammeRef(2, "allowance-2026", "Allowance 2026", sichuan),
        ]
    )
